import json
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from pose_format import Pose
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.geometry.skeleton import JOINTS
from diffsign.records.keypoints import COUNT, LEFT_HAND, Keypoints, save_keypoints
from diffsign.records.motion import Motion, save_motion

FRAMES = 4

#: Opens a file in Blender and prints the joints (T, 55, 3) in our axes.
OPEN = """
import json, sys
import bpy, numpy as np
path, names, frames = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
bpy.ops.wm.read_factory_settings(use_empty=True)
if path.endswith(".glb"):
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    bpy.context.scene.render.fps = 24
    bpy.ops.import_scene.gltf(filepath=path)
elif path.endswith(".bvh"):
    bpy.ops.preferences.addon_enable(module="io_anim_bvh")
    bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01)
else:
    bpy.ops.wm.open_mainfile(filepath=path)
armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
out = []
for frame in range(1, frames + 1):
    bpy.context.scene.frame_set(frame)
    heads = np.array([armature.matrix_world @ armature.pose.bones[n].head for n in names])
    out.append((heads[:, [0, 2, 1]] * [1, 1, -1]).tolist())
print("joints " + json.dumps(out), flush=True)
import os; os._exit(0)
"""


@pytest.fixture(scope="module")
def motion(body):
    rng = np.random.default_rng(5)
    motion = Motion.rest(FRAMES, Camera.facing(128, 128, 200.0), 24.0, body.n_betas, body.n_expression, body.sha256)
    motion.expression[:, 3] = np.linspace(0, 0.8, FRAMES)
    motion.betas[:2] = 0.7, -0.4
    pose = rng.normal(0, 0.3, motion.full_pose.shape).astype(np.float32)
    return motion.with_pose(pose, transl=rng.normal(0, 0.5, (FRAMES, 3)).astype(np.float32))


@pytest.fixture(scope="module")
def exported(motion, body_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export of motion")
    save_motion(folder / "m.npz", motion)

    def export(suffix):
        arguments = ["export", "motion", str(folder / "m.npz"), str(folder / f"out{suffix}"), "--body", str(body_path)]
        assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
        return folder / f"out{suffix}"

    return export


@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".blend"])
def test_blender_finds_the_joints_where_they_were(exported, motion, body, suffix):
    path = exported(suffix)
    command = [sys.executable, "-c", OPEN, str(path), json.dumps(JOINTS), str(FRAMES)]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    joints = np.array(json.loads(next(line for line in lines if line.startswith("joints ")).removeprefix("joints ")))
    assert np.abs(joints - body.joints(motion)).max() < 1e-4


def test_trimesh_opens_the_avatar_upright(exported):
    scene = trimesh.load(exported(".glb"))
    assert {"shirt", "trousers", "hair"} <= set(scene.geometry)
    height = np.ptp(scene.bounds, axis=0)
    assert 1.5 < height[1] < 2.1 and height[1] > height[2]


def test_amass_parameters_pose_the_same_body_with_z_up(exported, motion, body):
    with np.load(exported(".npz")) as archive:
        arrays = {name: archive[name] for name in archive.files}
    assert arrays["poses"].shape == (FRAMES, 165) and arrays["mocap_framerate"] == 24
    assert np.array_equal(arrays["poses"][:, 66:69], arrays["pose_jaw"])
    back = motion.with_pose(arrays["poses"].reshape(FRAMES, 55, 3), transl=arrays["trans"])
    x, y, z = np.moveaxis(body.joints(motion), -1, 0)
    assert body.joints(back) == pytest.approx(np.stack([x, -z, y], axis=-1), abs=1e-4)
    camera = Camera(arrays["K"], arrays["R"], arrays["t"], *arrays["image_size"])
    assert camera.project(body.joints(back)) == pytest.approx(
        motion.camera.project(body.joints(motion)), abs=0.05, rel=1e-4, nan_ok=True
    )


def test_an_unknown_format_is_named(exported):
    with pytest.raises(DiffSignError, match=r"\.fbx.*\.glb"):
        exported(".fbx")


def test_keypoints_are_opened_by_pose_format_and_are_openpose_s(tmp_path):
    points = np.random.default_rng(0).uniform(1, 60, (3, COUNT, 3)).astype(np.float32)
    points[..., 2] = 0.9
    points[1, LEFT_HAND] = 0
    save_keypoints(tmp_path / "k.npz", Keypoints(points, 24.0, 64, 48))
    for out in ("k.pose", "json"):
        arguments = ["export", "keypoints", str(tmp_path / "k.npz"), str(tmp_path / out)]
        assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    pose = Pose.read((tmp_path / "k.pose").read_bytes())
    assert (pose.header.dimensions.width, pose.header.dimensions.height, pose.body.fps) == (64, 48, 24)
    hand = pose.get_components(["hand_left_keypoints_2d"]).body
    assert hand.data.filled(0)[0, 0] == pytest.approx(points[0, LEFT_HAND, :2], abs=1e-3)
    assert hand.data.mask[1].all() and not hand.confidence[1].any()
    files = sorted((tmp_path / "json").iterdir())
    assert [file.name for file in files] == [f"{i:012d}_keypoints.json" for i in range(3)]
    person = json.loads(files[2].read_text())["people"][0]
    assert np.reshape(person["hand_left_keypoints_2d"], (21, 3)) == pytest.approx(points[2, LEFT_HAND], abs=1e-3)
    assert len(person["pose_keypoints_2d"]) == 75 and len(person["face_keypoints_2d"]) == 210
