import numpy as np
import pytest
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderDimensions
from pose_format.utils.generic import reduce_holistic
from pose_format.utils.holistic import holistic_components
from pose_format.utils.openpose import OpenPose_Components
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.detect.pose_file import (
    HAND_BONES,
    MEDIAPIPE_BODY,
    depth_scale,
    keypoints_of_pose,
    read_pose_file,
    resampled,
)
from diffsign.errors import DiffSignError
from diffsign.records.keypoints import BODY_NAMES, FACE, LEFT_HAND, NAMES, RIGHT_HAND, Keypoints, load_keypoints

#: Where some points of the made-up signer are, in shares of the picture.
PLACES = {
    "NOSE": (0.5, 0.2),
    "LEFT_SHOULDER": (0.62, 0.4),
    "RIGHT_SHOULDER": (0.38, 0.4),
    "LEFT_ELBOW": (0.68, 0.6),
    "RIGHT_ELBOW": (0.32, 0.6),
    "LEFT_WRIST": (0.7, 0.75),
    "RIGHT_WRIST": (0.35, 0.5),
    "LEFT_HIP": (0.58, 0.85),
    "RIGHT_HIP": (0.42, 0.85),
}


@pytest.fixture
def holistic_pose():
    """Return a maker of MediaPipe Holistic poses whose right hand turns about its wrist."""

    def make(frames=6, width=640, height=480, people=1, fps=25.0, unit=None):
        components = holistic_components("XYZC", 10)
        header = PoseHeader(0.2, PoseHeaderDimensions(width=width, height=height, depth=0), components)
        names = [(c.name, p) for c in components for p in c.points]
        data = np.zeros((frames, people, len(names), 3))
        confidence = np.zeros((frames, people, len(names)))
        for index, (component, name) in enumerate(names):
            if component == "POSE_LANDMARKS" and name in PLACES:
                data[:, :, index, :2] = PLACES[name] * np.array([width, height])
                confidence[:, :, index] = 0.9
            if component == "FACE_LANDMARKS":
                data[:, :, index, :2] = (0.5 * width + int(name) / 50, 0.2 * height)
                confidence[:, :, index] = 1.0
        start = names.index(("RIGHT_HAND_LANDMARKS", "WRIST"))
        hand = np.random.default_rng(3).normal(size=(21, 3)) * [20.0, 20.0, 20.0]
        for t in range(frames):
            angle = 0.25 * t
            turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
            moved = (hand - hand[0]) @ turn.T
            data[t, :, start : start + 21, :2] = moved[:, :2] + [0.35 * width, 0.5 * height]
            data[t, :, start : start + 21, 2] = moved[:, 2] / width
            confidence[t, :, start : start + 21] = 1.0
        if unit is not None:
            data[..., :2] = (data[..., :2] - [width / 2, height / 2]) / unit
        return Pose(header, NumPyPoseBody(fps, data, confidence))

    return make


def write(pose, path):
    with path.open("wb") as stream:
        pose.write(stream)
    return path


def test_points_are_found_by_name_and_scaled_to_the_picture(holistic_pose, tmp_path):
    keypoints = keypoints_of_pose(read_pose_file(write(holistic_pose(), tmp_path / "a.pose")), 240)
    assert (keypoints.width, keypoints.height, keypoints.fps, len(keypoints)) == (320, 240, 25.0, 6)
    for name, place in PLACES.items():
        point = keypoints.points[0, BODY_NAMES.index(name.lower())]
        assert point == pytest.approx([*(np.array(place) * [320, 240]), 0.9], abs=1e-3)
    assert (keypoints.confidence[:, RIGHT_HAND] == 1).all()
    assert (keypoints.confidence[:, LEFT_HAND] == 0).all()
    assert keypoints.detector.startswith("mediapipe")
    neck = keypoints.points[0, BODY_NAMES.index("neck"), :2]
    assert neck == pytest.approx([160, 96], abs=1e-3)


def test_depth_of_a_turning_hand_is_in_the_unit_of_its_picture(holistic_pose, tmp_path):
    pose = read_pose_file(write(holistic_pose(), tmp_path / "a.pose"))
    hand = pose.points["RIGHT_HAND_LANDMARKS"]
    assert depth_scale([hand], 640) == pytest.approx(640, rel=0.05)
    assert depth_scale([hand * [0.5, 0.5, 1]], 640) == pytest.approx(320, rel=0.1)
    world = keypoints_of_pose(pose, 240).world[:, RIGHT_HAND]
    lengths = np.stack([np.linalg.norm(world[:, b, :3] - world[:, a, :3], axis=-1) for a, b in HAND_BONES])
    assert (lengths.std(1) / lengths.mean(1)).max() < 0.05


@pytest.mark.parametrize("unit", [None, 1.0, 153.6], ids=["pixels", "centred pixels", "shoulder widths"])
def test_any_unit_gives_the_same_signer(holistic_pose, tmp_path, unit):
    keypoints = keypoints_of_pose(read_pose_file(write(holistic_pose(unit=unit), tmp_path / "a.pose")), 480)
    left, right = (keypoints.points[0, BODY_NAMES.index(f"{side}_shoulder"), :2] for side in ("left", "right"))
    nose = keypoints.points[0, 0, :2]
    assert np.linalg.norm(nose - (left + right) / 2) / np.linalg.norm(left - right) == pytest.approx(
        96 / 153.6, rel=1e-3
    )
    inside = (keypoints.xy > 0) & (keypoints.xy < [keypoints.width, keypoints.height])
    assert inside[keypoints.confidence > 0].all()


def test_shares_of_the_picture(holistic_pose, tmp_path):
    pose = holistic_pose()
    pose.body.data[..., :2] /= [640, 480]
    keypoints = keypoints_of_pose(read_pose_file(write(pose, tmp_path / "a.pose")), 480)
    assert keypoints.points[0, BODY_NAMES.index("left_shoulder"), :2] == pytest.approx(
        [0.62 * 640, 0.4 * 480], abs=0.01
    )


def test_reduced_points_are_enough(holistic_pose, tmp_path):
    pose = reduce_holistic(holistic_pose())
    assert pose.header.total_points() == 178
    keypoints = keypoints_of_pose(read_pose_file(write(pose, tmp_path / "a.pose")), 240)
    full = keypoints_of_pose(read_pose_file(write(holistic_pose(), tmp_path / "b.pose")), 240)
    for name in ("left_shoulder", "right_wrist", "right_hand_index4", "neck", "mid_hip"):
        assert keypoints.points[:, NAMES.index(name)] == pytest.approx(full.points[:, NAMES.index(name)])
    assert (keypoints.confidence[0, BODY_NAMES.index("left_eye")]) > 0
    assert (keypoints.confidence[0, FACE] > 0).sum() > 40


def test_openpose_components_stand_in_our_order(tmp_path):
    header = PoseHeader(0.1, PoseHeaderDimensions(width=100, height=100, depth=0), OpenPose_Components)
    total = header.total_points()
    data = np.random.default_rng(0).uniform(10, 90, (3, 1, total, 2))
    pose = Pose(header, NumPyPoseBody(30.0, data, np.full((3, 1, total), 0.8)))
    read = read_pose_file(write(pose, tmp_path / "o.pose"))
    keypoints = keypoints_of_pose(read, 100, 100)
    assert keypoints.detector.startswith("openpose")
    assert keypoints.points[:, :25, :2] == pytest.approx(read.points["pose_keypoints_2d"][..., :2], abs=1e-3)
    assert keypoints.points[:, RIGHT_HAND, :2] == pytest.approx(
        read.points["hand_right_keypoints_2d"][..., :2], abs=1e-3
    )
    assert keypoints.points[:, FACE, :2] == pytest.approx(read.points["face_keypoints_2d"][..., :2], abs=1e-3)


def test_the_largest_person_is_taken_unless_one_is_named(holistic_pose, tmp_path):
    pose = holistic_pose(people=2)
    pose.body.data[:, 0, :, :2] *= 0.3
    path = write(pose, tmp_path / "two.pose")
    shoulder = BODY_NAMES.index("left_shoulder")
    assert keypoints_of_pose(read_pose_file(path), 480).points[0, shoulder, 0] == pytest.approx(0.62 * 640, abs=0.01)
    named = keypoints_of_pose(read_pose_file(path, 0), 480).points[0, shoulder, 0]
    assert named == pytest.approx(0.3 * 0.62 * 640, abs=0.01)
    with pytest.raises(DiffSignError, match=r"2 people.*person 2"):
        read_pose_file(path, 2)


def test_masked_points_are_missing(holistic_pose, tmp_path):
    pose = holistic_pose()
    names = [(c.name, p) for c in pose.header.components for p in c.points]
    wrist = names.index(("POSE_LANDMARKS", MEDIAPIPE_BODY[16]))
    pose.body.confidence[2, 0, wrist] = 0
    pose.body.data = np.ma.masked_array(pose.body.data, np.isnan(pose.body.data))
    pose.body.data[2, 0, wrist] = np.ma.masked
    keypoints = keypoints_of_pose(read_pose_file(write(pose, tmp_path / "m.pose")), 480)
    assert (keypoints.confidence[:, BODY_NAMES.index("right_wrist")] > 0).tolist() == [1, 1, 0, 1, 1, 1]


def test_resampling_keeps_time_and_never_bridges_a_missing_point():
    points = np.zeros((10, 137, 3), np.float32)
    points[..., 0] = np.arange(10)[:, None] * 4.0
    points[..., 2] = 1
    points[5, 3, 2] = 0
    slow = resampled(Keypoints(points, 25.0, 64, 64), 50.0)
    assert len(slow) == 20
    assert slow.points[3:17, 0, 0] == pytest.approx(np.arange(3, 17) * 2.0 - 1.0)
    lost = np.flatnonzero(slow.confidence[:, 3] == 0)
    assert lost.tolist() == [9, 10, 11, 12]


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"not a pose"], ids=["empty", "zeros", "text"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "x.pose"
    path.write_bytes(content)
    with pytest.raises(DiffSignError, match=r"x\.pose"):
        read_pose_file(path)


def test_cut_files_are_refused(holistic_pose, tmp_path):
    whole = write(holistic_pose(), tmp_path / "a.pose").read_bytes()
    for share in (0.1, 0.5, 0.9):
        path = tmp_path / "cut.pose"
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DiffSignError, match=r"cut\.pose"):
            read_pose_file(path)


def test_command_writes_keypoints_and_a_film_of_the_skeleton(holistic_pose, tmp_path):
    path = write(holistic_pose(), tmp_path / "a.pose")
    out, clip = tmp_path / "k.npz", tmp_path / "k.mkv"
    arguments = ["import-pose", str(path), str(out), "--clip", str(clip), "--height", "128", "--fps", "50"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    keypoints = load_keypoints(out)
    assert (len(keypoints), keypoints.fps, keypoints.height) == (12, 50.0, 128)
    assert clip.stat().st_size > 0
