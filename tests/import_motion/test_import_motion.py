import json

import numpy as np
import pytest
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.config.import_motion import ImportMotionSettings
from diffsign.errors import DiffSignError
from diffsign.export.amass import amass_arrays
from diffsign.geometry.camera import Camera
from diffsign.geometry.kinematics import forward
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.geometry.skeleton import JOINTS
from diffsign.geometry.world import rotate_world
from diffsign.import_motion.retarget import retarget_arms
from diffsign.import_motion.stage import Inputs, Outputs, run
from diffsign.records.keypoints import load_keypoints
from diffsign.records.motion import Motion, load_motion

FRAMES = 6
WRISTS = [JOINTS.index("left_wrist"), JOINTS.index("right_wrist")]


@pytest.fixture(scope="module")
def motion(body):
    rng = np.random.default_rng(2)
    motion = Motion.rest(FRAMES, Camera.facing(128, 96, 200.0), 24.0, body.n_betas, body.n_expression, body.sha256)
    pose = np.zeros((FRAMES, 55, 3), np.float32)
    pose[:, 25:] = rng.normal(0, 0.2, (1, 30, 3))
    pose[:, 16, 2], pose[:, 17, 2] = -0.9, 0.9
    pose[:, 18, 1], pose[:, 19, 1] = -1.6, 1.6
    pose[:, 16, 0] = np.linspace(0, -0.6, FRAMES)
    pose[:, 0] = (0.05, 0.5, 0.02)
    motion.expression[:, 2] = np.linspace(0, 0.5, FRAMES)
    motion.betas[:3] = 0.5, -1.0, 0.3
    return motion.with_pose(pose, transl=np.tile(np.float32([0.1, -0.4, -2.0]), (FRAMES, 1)))


def settings(**values):
    return ImportMotionSettings(**values)


def write(folder, name, arrays):
    np.savez(folder / name, **arrays)
    return folder / name


def imported(source, body_path, folder, **values):
    run(Inputs(source, body_path), Outputs(folder / "m.npz", folder / "k.npz"), settings(**values))
    return load_motion(folder / "m.npz")


def test_our_own_export_comes_back(motion, body, body_path, tmp_path):
    back = imported(write(tmp_path, "a.npz", amass_arrays(motion, body)), body_path, tmp_path, height=96)
    assert np.abs(body.vertices(back) - body.vertices(motion)).max() < 1e-5
    assert back.camera.project(body.joints(back)) == pytest.approx(motion.camera.project(body.joints(motion)), abs=1e-2)
    points = load_keypoints(tmp_path / "k.npz").points
    assert points[..., 2].any() and points.shape == (FRAMES, 137, 3)


def smplx_frames(motion, folder, pelvis):
    """One file a frame, y down, as tools that fit pictures write them."""
    root, transl = rotate_world(motion.global_orient[:, 0], motion.transl, pelvis, np.diag([1.0, -1.0, -1.0]))
    folder.mkdir()
    for t in range(len(motion)):
        np.savez(
            folder / f"{t + 8:05d}_0.npz",
            global_orient=root[t],
            body_pose=motion.body_pose[t],
            left_hand_pose=motion.left_hand_pose[t],
            right_hand_pose=motion.right_hand_pose[t],
            jaw_pose=motion.jaw_pose[t],
            leye_pose=motion.leye_pose[t],
            reye_pose=motion.reye_pose[t],
            betas=np.zeros(10),
            expression=np.zeros(10),
            transl=transl[t],
        )
    return folder


def test_a_file_a_frame_is_turned_upright_and_framed(motion, body, body_path, tmp_path):
    source = smplx_frames(motion, tmp_path / "frames", body.rest_joints(motion.betas)[0])
    back = imported(source, body_path, tmp_path, source_fps=24, hands="flat")
    assert len(back) == FRAMES and not back.betas.any()
    assert back.full_pose == pytest.approx(motion.full_pose, abs=1e-4)
    xy = back.camera.project(body.keypoints(back))[:, :67]
    upper = [*range(8), *range(25, 67)]
    assert (xy[:, upper] > 0).all() and (xy[:, upper] < 512).all()
    assert np.ptp(xy[:, upper], axis=(0, 1)).max() > 250  # it fills the picture
    with pytest.raises(DiffSignError, match="source_fps"):
        imported(source, body_path, tmp_path, hands="flat")
    with pytest.raises(DiffSignError, match="source_body"):
        imported(source, body_path, tmp_path, source_fps=24)


def test_a_second_person_and_a_missing_frame(motion, body, body_path, tmp_path):
    source = smplx_frames(motion, tmp_path / "frames", body.rest_joints(motion.betas)[0])
    for file in sorted(source.iterdir()):  # somebody behind, who is sometimes found first
        with np.load(file) as archive:
            arrays = dict(archive)
        arrays["transl"] = arrays["transl"] + [0.3, 0, 2.0]
        arrays["left_hand_pose"] = np.zeros((15, 3))
        other = file.with_name(file.name.replace("_0", "_1"))
        if file.name.startswith(("00009", "00010")):
            file.rename(other)
            other = file
        np.savez(other, **arrays)
    (source / "00011_0.npz").unlink()
    (source / "00011_1.npz").unlink()
    back = imported(source, body_path, tmp_path, source_fps=24, hands="flat")
    assert len(back) == FRAMES
    assert back.valid.tolist() == [True, True, True, False, True, True] == back.seen[:, 1].tolist()
    assert back.left_hand_pose == pytest.approx(motion.left_hand_pose, abs=1e-4)
    between = [*range(3), 4, 5]
    assert back.full_pose[between] == pytest.approx(motion.full_pose[between], abs=1e-4)
    shoulder = JOINTS.index("left_shoulder")
    low, high = np.sort(motion.full_pose[[2, 4], shoulder, 0])
    assert low < back.full_pose[3, shoulder, 0] < high
    said = run(Inputs(source, body_path), Outputs(tmp_path / "m.npz"), settings(source_fps=24, hands="flat"))
    assert "2 people" in said and "1 of 6 frames are missing" in said


def test_crops_with_a_camera_each_are_brought_before_one(motion, body, body_path, tmp_path):
    folder = tmp_path / "smplx"
    smplx_frames(motion, folder, body.rest_joints(motion.betas)[0])
    plain = imported(folder, body_path, tmp_path, source_fps=24, hands="flat")
    (tmp_path / "meta").mkdir()
    rng = np.random.default_rng(5)
    for file in folder.iterdir():
        with np.load(file) as archive:
            arrays = dict(archive)
        zoom, centre = rng.uniform(0.7, 1.4), rng.uniform(-40, 40, 2)  # a crop has another focal length and centre
        x, y, z = arrays["transl"]
        arrays["transl"] = np.array([x - centre[0] * z / 1000, y - centre[1] * z / 1000, z])
        arrays["transl"] *= [1.0, 1.0, zoom]
        meta = {"focal": [1000 * zoom, 1000 * zoom], "princpt": [256 + centre[0], 256 + centre[1]]}
        np.savez(file, **arrays)
        (tmp_path / "meta" / f"{file.stem}.json").write_text(json.dumps(meta))
    back = imported(folder, body_path, tmp_path, source_fps=24, hands="flat")
    moved = body.joints(back) - body.joints(back)[:1]
    assert moved == pytest.approx(body.joints(plain) - body.joints(plain)[:1], abs=1e-3)


def test_other_names_matrices_and_tables(motion, body, body_path, tmp_path):
    arrays = amass_arrays(motion, body)
    hands = arrays["pose_hand"]
    osx = {
        "smplx_root_pose": arrays["root_orient"],
        "smplx_body_pose": rotvec_to_rotmat(motion.body_pose.astype(np.float64)),
        "smplx_lhand_pose": hands[:, :45],
        "smplx_rhand_pose": rotvec_to_rotmat(motion.right_hand_pose.astype(np.float64)),
        "cam_trans": arrays["trans"],
        "fps": np.array(0.0),
    }
    source = write(tmp_path, "osx.npz", osx)
    with pytest.raises(DiffSignError, match="source_fps"):
        imported(source, body_path, tmp_path, hands="flat")
    back = imported(source, body_path, tmp_path, hands="flat", source_fps=24)
    assert back.body_pose == pytest.approx(motion.body_pose, abs=1e-4)
    assert back.left_hand_pose == pytest.approx(motion.left_hand_pose, abs=1e-4)
    assert back.right_hand_pose == pytest.approx(motion.right_hand_pose, abs=1e-4)
    whole = {"poses": arrays["poses"].reshape(FRAMES, 55, 3), "fps": np.array(24)}
    back = imported(write(tmp_path, "w.npz", whole), body_path, tmp_path)
    assert back.right_hand_pose == pytest.approx(motion.right_hand_pose, abs=1e-4)
    table = np.zeros((FRAMES, 322), np.float32)
    table[:, :66], table[:, 66:156], table[:, 309:312] = arrays["poses"][:, :66], hands, arrays["trans"]
    np.save(tmp_path / "x.npy", table)
    back = imported(tmp_path / "x.npy", body_path, tmp_path, source_fps=24)
    assert back.left_hand_pose == pytest.approx(motion.left_hand_pose, abs=1e-4)


def test_hands_about_the_mean_and_as_pca(motion, body, body_path, tmp_path):
    with np.load(body_path) as archive:
        mean, components = archive["hands_meanl"], archive["hands_componentsl"]
    source = smplx_frames(motion, tmp_path / "frames", body.rest_joints(motion.betas)[0])
    back = imported(source, body_path, tmp_path, source_fps=24, source_body=str(body_path))
    assert back.left_hand_pose == pytest.approx(motion.left_hand_pose + mean.reshape(15, 3), abs=1e-4)
    coefficients = np.random.default_rng(0).normal(size=(FRAMES, 6))
    arrays = amass_arrays(motion, body)
    del arrays["poses"]
    frames = {
        "global_orient": arrays["root_orient"],
        "body_pose": arrays["pose_body"],
        "left_hand_pose": coefficients,
        "right_hand_pose": coefficients,
        "fps": np.array(24),
    }
    whole = write(tmp_path, "pca.npz", frames)
    back = imported(whole, body_path, tmp_path, source_body=str(body_path), hands="flat")
    assert back.left_hand_pose.reshape(FRAMES, 45) == pytest.approx(coefficients @ components[:6], abs=1e-4)


def test_another_rate_keeps_the_time(motion, body, body_path, tmp_path):
    arrays = amass_arrays(motion, body) | {"mocap_framerate": np.array(12.0)}
    back = imported(write(tmp_path, "a.npz", arrays), body_path, tmp_path, fps=24)
    assert len(back) == 2 * FRAMES
    assert np.abs(body.joints(back)[::2] - body.joints(motion)).max() < 1e-4
    between = (motion.transl[:-1] + motion.transl[1:]) / 2
    assert back.transl[1:-1:2] == pytest.approx(between, abs=1e-4)


def test_smplh_has_hands_and_smpl_is_refused(motion, body, body_path, tmp_path):
    poses = amass_arrays(motion, body)["poses"]
    without_face = np.concatenate([poses[:, :66], poses[:, 75:]], axis=1)
    fields = {"trans": np.zeros((FRAMES, 3)), "betas": np.zeros(16), "mocap_framerate": np.array(24)}
    back = imported(write(tmp_path, "h.npz", {"poses": without_face, **fields}), body_path, tmp_path)
    assert back.left_hand_pose == pytest.approx(motion.left_hand_pose, abs=1e-5)
    with pytest.raises(DiffSignError, match="72"):
        imported(write(tmp_path, "s.npz", {"poses": poses[:, :72], **fields}), body_path, tmp_path)


def test_arms_reach_where_they_reached_on_a_larger_body(body, motion):
    rest = body.rest_joints(np.zeros(body.n_betas))
    local = rotvec_to_rotmat(motion.full_pose.astype(np.float64))
    same = retarget_arms(local, rest, rest)
    assert np.abs(forward(same, rest[None])[1] - forward(local, rest[None])[1]).max() < 1e-6
    longer = rest.copy()
    for side, sign in (("left", 1), ("right", -1)):
        for i, name in enumerate(JOINTS):
            if name.startswith(side) and ("wrist" in name or name[-1] in "123"):
                longer[i, 0] += 0.08 * sign
    bent = retarget_arms(local, rest, longer)
    world, joints = forward(bent, rest[None])
    assert world[:, WRISTS] == pytest.approx(forward(local, rest[None])[0][:, WRISTS], abs=1e-6)
    length = np.linalg.norm(joints[:, 20] - joints[:, 18], axis=-1)
    assert length == pytest.approx(np.linalg.norm(rest[20] - rest[18]), abs=1e-6)
    # The same gesture at the scale of the arms, as seen from the chest.
    _, theirs = forward(local, longer[None])
    chest = [JOINTS.index("left_shoulder"), JOINTS.index("right_shoulder")]
    ours = joints[:, WRISTS] - joints[:, chest].mean(axis=1, keepdims=True)
    wanted = theirs[:, WRISTS] - theirs[:, chest].mean(axis=1, keepdims=True)
    before = forward(local, rest[None])[1]
    naive = before[:, WRISTS] - before[:, chest].mean(axis=1, keepdims=True)
    scale = 0.86
    error, error_before = (np.linalg.norm(hands - scale * wanted, axis=-1).mean() for hands in (ours, naive))
    assert error < error_before


def test_what_belongs_to_another_body_says_how_to_convert_it(body_path, tmp_path):
    mhr = {"mhr_model_params": np.zeros(204), "pred_vertices": np.zeros((9, 3)), "shape_params": np.zeros(45)}
    with pytest.raises(DiffSignError, match=r"MHR.*convert_sam3d_output_to_smpl"):
        imported(write(tmp_path, "sam.npz", mhr), body_path, tmp_path)
    smpl = {"global_orient": np.zeros((2, 3)), "body_pose": np.zeros((2, 69)), "betas": np.zeros(10)}
    with pytest.raises(DiffSignError, match="23 joints"):
        imported(write(tmp_path, "smpl.npz", smpl), body_path, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.pkl", b"\x80\x04K\x01.", "pickle"),
        ("m.pt", b"PK\x03\x04", "pickle"),
        ("m.npz", b"no archive", "npz"),
        ("none.npz", None, "does not exist"),
    ],
)
def test_what_is_no_motion_is_refused(tmp_path, body_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DiffSignError, match=said):
        imported(tmp_path / name, body_path, tmp_path)
    assert not (tmp_path / "m.npz").exists() or name == "m.npz"


def test_odd_parameters_are_refused(motion, body, body_path, tmp_path):
    good = amass_arrays(motion, body)
    lying = {"root_orient": np.tile([0, 0, np.pi / 2], (FRAMES, 1))}
    for change, said in (
        ({"trans": np.full((FRAMES, 3), np.nan)}, "non-finite"),
        ({"trans": np.zeros((FRAMES + 1, 2))}, "trans|frame"),
        (lying, "upright"),
    ):
        arrays = good | change
        if change is lying:
            del arrays["poses"]
        with pytest.raises(DiffSignError, match=said):
            imported(write(tmp_path, "odd.npz", arrays), body_path, tmp_path)


def test_the_command(motion, body, body_path, tmp_path):
    source = write(tmp_path, "a.npz", amass_arrays(motion, body))
    arguments = ["import-motion", str(source), str(tmp_path / "m.npz"), "--body", str(body_path), "--up", "z"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0 and "same body file" in result.output
