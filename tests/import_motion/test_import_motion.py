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


def write(folder, name, arrays):
    np.savez(folder / name, **arrays)
    return folder / name


def imported(source, body_path, folder, **settings):
    run(Inputs(source, body_path), Outputs(folder / "m.npz", folder / "k.npz"), ImportMotionSettings(**settings))
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
