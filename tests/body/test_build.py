"""The built body file against Anny, by the figures that ``diffsign body check`` prints."""

import numpy as np
import pytest
import smplx
import torch

from diffsign.body.build import write_body
from diffsign.body.check import check_body, motion_of, random_poses, signing_poses
from diffsign.body.hands import BENT, SHAPES, finger_axes, hand_components, handshape
from diffsign.body.model import Body
from diffsign.body.shipped import SHIPPED
from diffsign.geometry.skeleton import JOINTS, MIRROR
from diffsign.records.motion import POSE_JOINTS


def rest_joints(body: Body) -> np.ndarray:
    return body.joints(motion_of(body, np.zeros((1, 55, 3))))[0]


def compared(arrays: np.lib.npyio.NpzFile) -> dict[str, np.ndarray]:
    """Return a body file's arrays without what rounding decides, which differs from processor to processor."""
    kept = {name: arrays[name] for name in arrays.files}
    # A point on an edge belongs to both triangles: it is the point that counts.
    corners = kept["v_template"][kept["f"][kept.pop("dynamic_lmk_faces_idx")]]
    kept["dynamic_landmarks"] = np.einsum("...k,...kx->...x", kept.pop("dynamic_lmk_bary_coords"), corners)
    # Hands vary in 25 directions; the others complete the basis, anyhow.
    return kept | {name: kept[name][:25] for name in ("hands_componentsl", "hands_componentsr")}


def test_the_shipped_file_is_what_the_code_builds(tmp_path):
    write_body(tmp_path / "body.npz")
    with np.load(tmp_path / "body.npz") as new, np.load(SHIPPED) as old:
        assert new.files == old.files
        built, shipped = compared(new), compared(old)
    for name, array in built.items():
        if array.dtype.kind == "f":
            assert np.abs(array - shipped[name]).max() < 1e-5, name
        else:
            assert np.array_equal(array, shipped[name]), name


def test_every_figure_of_the_check_keeps_its_limit(body_path):
    missed = [figure for figure in check_body(body_path, frames=4) if not figure.passed]
    assert not missed


def test_check_notices_a_spoilt_file(body_path, tmp_path):
    with np.load(body_path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["v_template"] = arrays["v_template"].copy()
    arrays["v_template"][9120] += 0.05
    spoilt = tmp_path / "spoilt.npz"
    np.savez(spoilt, **arrays)
    missed = {figure.name for figure in check_body(spoilt, frames=1) if not figure.passed}
    assert "rest pose against its mirror image" in missed
    assert "rest poses: vertices against Anny, max" in missed


def test_smplx_poses_it_as_we_do(body, body_path):
    rng = np.random.default_rng(3)
    motion = motion_of(body, random_poses(3, rng), rng.normal(size=body.n_betas).astype(np.float32))
    motion.expression[:] = rng.random(motion.expression.shape)
    motion.transl[:] = rng.normal(size=motion.transl.shape)
    pose = {name: torch.from_numpy(getattr(motion, name).reshape(3, -1)) for name in POSE_JOINTS}
    with torch.no_grad():
        found = body.model(
            betas=torch.from_numpy(motion.betas).expand(3, -1),
            expression=torch.from_numpy(motion.expression),
            transl=torch.from_numpy(motion.transl),
            **pose,
        )
    assert np.abs(found.vertices.numpy() - body.vertices(motion)).max() < 1e-5
    assert np.abs(found.joints[:, :55].numpy() - body.joints(motion)).max() < 1e-5


def test_hand_components_are_split_by_smplx(body_path, tmp_path):
    named = tmp_path / "SMPLX_NEUTRAL.npz"
    named.symlink_to(body_path)
    model = smplx.create(str(named), model_type="smplx", ext="npz", use_pca=True, num_pca_comps=12)
    assert model.left_hand_components.shape == (12, 45)
    mean = model().full_pose
    assert mean is None or mean.shape[-1] == 165
    curled = model(left_hand_pose=torch.ones(1, 12)).vertices - model().vertices
    assert curled.abs().max() > 0.01


def test_hand_components_are_orthonormal_and_mirror(body):
    found = hand_components(rest_joints(body))
    left, right = found["hands_componentsl"], found["hands_componentsr"]
    assert np.allclose(left @ left.T, np.eye(45), atol=1e-8)
    assert np.allclose(left.reshape(45, 15, 3) * [1, -1, -1], right.reshape(45, 15, 3))


def test_a_fist_brings_the_finger_tips_to_the_palm(body):
    joints = rest_joints(body)
    poses = np.zeros((2, 55, 3))
    fingers = {finger: np.array([*BENT["fist"], 0.0]) for finger in ("index", "middle", "ring", "pinky")}
    poses[1, 25:40] = handshape({**fingers, "thumb": np.zeros(4)}, finger_axes(joints))
    motion = motion_of(body, poses)
    points = body.keypoints(motion)
    tips, wrist = points[:, [25 + 8, 25 + 12, 25 + 16, 25 + 20]], points[:, 25:26]
    reach = np.linalg.norm(tips - wrist, axis=2)
    assert (reach[1] < 0.6 * reach[0]).all()
    assert (tips[1, :, 1] < wrist[1, :, 1]).all()
    assert set(SHAPES) >= {"A", "B", "5"}


def test_left_and_right_swap_when_the_pose_is_mirrored(body, body_path):
    with np.load(body_path) as archive:
        mirror = archive["mirror"]
    poses = signing_poses(2, rest_joints(body), np.random.default_rng(5))
    mirrored = poses[:, MIRROR] * [1.0, -1.0, -1.0]
    here, there = body.vertices(motion_of(body, poses)), body.vertices(motion_of(body, mirrored))
    assert np.abs(here[:, mirror] * [-1.0, 1.0, 1.0] - there).max() < 2e-5


def test_landmarks_lie_where_their_names_say(body):
    points = dict(enumerate(body.keypoints(motion_of(body, np.zeros((1, 55, 3))))[0]))
    joints = dict(zip(JOINTS, rest_joints(body), strict=True))
    face = np.array([points[67 + i] for i in range(68)])
    # Signer's right is at negative x; the contour runs from the right ear over the chin to the left.
    assert (np.diff(face[:17, 0]) > 0).all()
    assert face[8, 1] == face[:, 1].min()
    assert face[36:42, 0].max() < 0 < face[42:48, 0].min()
    assert face[17:27, 1].min() > face[36:48, 1].max()
    assert face[30, 2] > face[[36, 45, 48, 54], 2].max()
    assert face[51, 1] > face[62, 1] >= face[66, 1] > face[57, 1]
    eyes = joints["left_eye_smplhf"]
    assert np.linalg.norm(points[136] - eyes) < 0.03
    assert np.linalg.norm(face[42:48].mean(axis=0) - points[136]) < 0.01
    # Finger tips continue their fingers.
    for number, finger in enumerate(("thumb", "index", "middle", "ring", "pinky")):
        tip = points[25 + 4 * (number + 1)]
        last, before = joints[f"left_{finger}3"], joints[f"left_{finger}2"]
        along = (last - before) / np.linalg.norm(last - before)
        assert 0.01 < (tip - last) @ along < 0.05
        assert np.linalg.norm(np.cross(tip - last, along)) < 0.015
    # Toes before, heels behind the ankles.
    assert points[19][2] > joints["left_ankle"][2] > points[21][2]


def test_contour_slides_over_the_cheek_that_turns_away(body):
    poses = np.zeros((3, 55, 3))
    poses[1, 0, 1], poses[2, 0, 1] = np.radians(30), np.radians(-30)
    points = body.keypoints(motion_of(body, poses))
    ahead, left, right = points[:, 67:84]
    # Turned to the left, the left cheek is what is seen against the background: no point of the face lies beyond.
    face = body.vertices(motion_of(body, poses), body.parts["face"])
    assert np.abs(left * [-1, 1, 1] - right[::-1]).max() < 1e-5
    for k in range(11, 16):
        level = np.abs(face[1, :, 1] - left[k, 1]) < 0.004
        assert left[k, 0] > face[1, level & (face[1, :, 2] > left[k, 2]), 0].max(initial=-1.0) - 0.008
    # The points of the jaw line itself, which ahead are the contour, are hidden behind it.
    turn = np.array([[np.cos(np.pi / 6), 0, 0.5], [0, 1, 0], [-0.5, 0, np.cos(np.pi / 6)]])
    jaw_line = ahead @ turn.T
    assert (left[11:16, 0] >= jaw_line[11:16, 0] - 1e-4).all()
    assert (left[11:16, 0] > jaw_line[11:16, 0] + 0.001).any()
    assert np.allclose(left[:8], jaw_line[:8], atol=1e-4)


def test_mouth_landmarks_part_when_the_jaw_opens(body):
    poses = np.zeros((2, 55, 3))
    poses[1, JOINTS.index("jaw"), 0] = 0.3
    face = body.keypoints(motion_of(body, poses))[:, 67:135]
    gap = face[:, 62, 1] - face[:, 66, 1]
    assert gap[0] < 0.004
    assert gap[1] > gap[0] + 0.012


@pytest.mark.slow
def test_building_twice_gives_the_same_bits(body_path, tmp_path):
    from diffsign.body.build import write_body

    again = write_body(tmp_path / "again.npz")
    assert again.read_bytes() == body_path.read_bytes()
