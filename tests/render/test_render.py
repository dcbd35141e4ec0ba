import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from diffsign.avatar.appearance import random_appearance
from diffsign.avatar.background import load_background
from diffsign.avatar.outfit import dress, rest_body
from diffsign.cli import app
from diffsign.config.appearance import Appearance
from diffsign.config.render import RenderSettings
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.geometry.visibility import rasterise
from diffsign.records.clip import read_clip, write_clip
from diffsign.records.keypoints import FACE
from diffsign.records.motion import Motion, save_motion
from diffsign.render import overlay
from diffsign.render.render import Inputs, Outputs, avatar_scene, run


def some_motion(body, frames=3, size=96, sha=None):
    motion = Motion.rest(
        frames, Camera.facing(size, size, 2.0 * size), 24.0, body.n_betas, body.n_expression, sha or body.sha256
    )
    pose = motion.full_pose
    pose[:, 16, 2], pose[:, 17, 2] = -1.1, 1.1
    pose[:, 15, 1] = np.linspace(-0.3, 0.3, frames)
    return motion.with_pose(pose, transl=np.tile(np.float32([0, -0.55, -1.2]), (frames, 1)))


@pytest.fixture(scope="module")
def rest(body):
    return rest_body(body)


@pytest.mark.parametrize("seed", range(6))
def test_random_appearances_dress_the_body(rest, seed):
    appearance = random_appearance(seed)
    assert appearance == random_appearance(seed) != random_appearance(seed + 100)
    outfit = dress(rest, appearance)
    positions = outfit.positions(rest.vertices[None])
    for mesh, points in zip(outfit.meshes, positions, strict=True):
        assert len(mesh.faces) and mesh.faces.max() < points.shape[1]
        assert np.isfinite(points).all()


def test_clothes_lie_outside_the_skin_they_leave(rest):
    from scipy.spatial import cKDTree

    outfit = dress(rest, Appearance(sleeves="short"))
    points = dict(zip((m.name for m in outfit.meshes), outfit.positions(rest.vertices[None]), strict=True))
    distance, _ = cKDTree(points["shirt"][0]).query(points["body"][0])
    wrist, shoulder = rest.joint("left_wrist")[0], rest.joint("left_shoulder")[0]
    bare = points["body"][0][:, 0] > shoulder + 0.5 * (wrist - shoulder)
    assert (distance[bare] > 0.02).all()
    assert points["shirt"][0][:, 0].max() < shoulder + 0.4 * (wrist - shoulder)
    assert points["shirt"][0][:, 1].max() < rest.landmarks[8, 1]


@pytest.mark.parametrize("turn", [0.0, np.pi / 2, np.pi])
def test_the_shirt_is_tucked_in(rest, turn):
    outfit = dress(rest, Appearance())
    names = [mesh.name for mesh in outfit.meshes]
    turned = Rotation.from_rotvec([0, turn, 0]).as_matrix().T
    points = [(p[0] - rest.joint("pelvis")) @ turned + [0, 0, -2] for p in outfit.positions(rest.vertices[None])]
    starts = np.cumsum([0, *map(len, points)])
    faces = [mesh.faces + start for mesh, start in zip(outfit.meshes, starts, strict=False)]
    of_face = np.repeat(np.arange(len(faces)), [*map(len, faces)])
    seen = rasterise(np.concatenate(points), np.concatenate(faces), Camera.facing(200, 200, 450.0)).face
    mesh = np.where(seen < 0, -1, of_face[seen])
    below_band = np.maximum.accumulate(mesh == names.index("trousers"), axis=0)
    assert below_band.sum() > 3000 and (mesh == names.index("shirt")).sum() > 1000
    assert not (below_band & (mesh == names.index("shirt"))).any()


def test_eyes_turn_with_the_gaze_and_hair_with_the_head(body, rest):
    motion = some_motion(body, frames=2)
    pose = motion.full_pose
    pose[:, 15] = 0
    pose[1, 23] = pose[1, 24] = [0, 0.4, 0]
    motion = motion.with_pose(pose)
    outfit = dress(rest, Appearance(hair_style="bun"))
    points = dict(zip((m.name for m in outfit.meshes), outfit.positions(body.vertices(motion)), strict=True))
    eye = points["left eye"]
    gaze = eye[:, 0] - eye.mean(axis=1)
    turn = np.arccos((gaze[0] @ gaze[1]) / np.linalg.norm(gaze[0]) / np.linalg.norm(gaze[1]))
    assert turn == pytest.approx(0.4, abs=0.02)
    assert np.abs(points["bun"][1] - points["bun"][0]).max() < 1e-3


def test_the_avatar_lines_up_with_the_camera_of_the_motion(body, body_path, tmp_path):
    motion = some_motion(body)
    save_motion(tmp_path / "motion.npz", motion)
    settings = RenderSettings(skin="#ffd0b0", hair_style="bald")
    run(Inputs(tmp_path / "motion.npz", body_path), Outputs(tmp_path), settings)
    mask, info = read_clip(tmp_path / "mask.mkv")
    depth, _ = read_clip(tmp_path / "depth.mkv", depth=True)
    assert (info.frames, info.width, info.height, info.fps) == (3, 96, 96, 24.0)
    points = body.keypoints(motion)[:, FACE][:, 27:68]
    pixels = np.floor(motion.camera.project(points)).astype(int)
    z = motion.camera.to_camera(points)[..., 2]
    frame = np.arange(3)[:, None]
    assert (mask[frame, pixels[..., 1], pixels[..., 0], 0] > 250).all()
    assert np.median(np.abs(depth[frame, pixels[..., 1], pixels[..., 0]] / 1000 - z)) < 0.006


def test_a_long_motion_is_asked_for_in_pieces(body):
    scene = avatar_scene(some_motion(body, frames=7), body, RenderSettings(background="transparent"))
    assert scene.background is None
    whole, part = scene.positions(0, 7), scene.positions(4, 6)
    for a, b in zip(whole, part, strict=True):
        assert np.abs(a[4:6] - b).max() < 1e-5


def test_a_motion_of_another_body_is_refused(body):
    with pytest.raises(DiffSignError, match="another body file"):
        avatar_scene(some_motion(body, sha="0" * 64), body, RenderSettings())


def test_backgrounds(tmp_path):
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 50:] = [255, 0, 0]
    path = tmp_path / "back ground.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    found = load_background(str(path), 32, 32)
    assert isinstance(found, np.ndarray) and found.shape == (32, 32, 3)
    assert (found[:, 0] == 0).all() and (found[:, 31] == [255, 0, 0]).all()
    with pytest.raises(DiffSignError, match="does not exist"):
        load_background(str(tmp_path / "none.png"), 32, 32)
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(DiffSignError, match=r"text\.png"):
        load_background(str(tmp_path / "text.png"), 32, 32)
    with pytest.raises(DiffSignError, match="#rrggbb"):
        load_background("#12345", 32, 32)


def test_overlay_mixes_where_the_mask_is(tmp_path):
    source = np.full((3, 32, 48, 3), 100, np.uint8)
    avatar, mask = np.full_like(source, 200), np.zeros_like(source)
    mask[:, :, :24] = 255
    for name, frames in (("clip", source), ("color", avatar), ("mask", mask), ("short", avatar[:2])):
        write_clip(tmp_path / f"{name}.mkv", frames, 24)
    write_clip(tmp_path / "large.mkv", np.zeros((3, 64, 48, 3), np.uint8), 24)
    paths = [tmp_path / f"{name}.mkv" for name in ("clip", "color", "mask")]

    def lay(*clips, out="no.mp4"):
        return overlay.run(overlay.Inputs(*clips), overlay.Outputs(tmp_path / out))

    assert lay(*paths, out="out.mkv").startswith("3 frames")
    seen, _ = read_clip(tmp_path / "out.mkv")
    assert (seen[:, :, :48] == 100).all() and (seen[:, :, 48:72] == 160).all() and (seen[:, :, 72:] == 100).all()
    with pytest.raises(DiffSignError, match="ends after 2 frames"):
        lay(paths[0], tmp_path / "short.mkv", paths[2])
    with pytest.raises(DiffSignError, match="48x64"):
        lay(paths[0], tmp_path / "large.mkv", paths[2])
    with pytest.raises(DiffSignError, match="goes on after the 2 frames"):
        lay(tmp_path / "short.mkv", paths[1], paths[2])
    assert not (tmp_path / "no.mp4").exists()


def test_the_command_renders(body, body_path, tmp_path):
    save_motion(tmp_path / "motion.npz", some_motion(body, frames=1, size=64))
    result = CliRunner().invoke(
        app,
        ["render", str(tmp_path / "motion.npz"), str(tmp_path / "avatar"), "--body", str(body_path), "--samples", "1"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    assert {p.name for p in (tmp_path / "avatar").iterdir()} == {
        *("color.mkv", "color.mp4", "depth.mkv", "normal.mkv", "mask.mkv"),
    }
