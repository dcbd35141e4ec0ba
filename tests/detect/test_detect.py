"""The map from MediaPipe to OpenPose, the choice among hands, and what surrounds the networks."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffsign.config.detect import DetectSettings
from diffsign.detect.hand_network import LEFT, RIGHT, HandLandmarks, region_of, same
from diffsign.detect.hands import HandTracker, choose
from diffsign.detect.holistic import require_network
from diffsign.detect.landmarks import OUTSIDE, to_openpose
from diffsign.detect.preview import draw_keypoints, write_preview
from diffsign.detect.process import limited_threads, quiet_natives
from diffsign.detect.second_look import Detection, expected_joints, look_again, lost_hands
from diffsign.detect.stage import detect_clip
from diffsign.errors import DiffSignError
from diffsign.records.clip import probe_clip, read_clip, write_clip
from diffsign.records.keypoints import BODY_NAMES, COUNT, FACE, Keypoints
from diffsign.records.landmarks import BODY_LANDMARKS, FACE_LANDMARKS, to_body25


def test_body_points_and_their_middles() -> None:
    landmarks = np.column_stack([np.arange(33.0), 100 + np.arange(33.0), np.linspace(0.2, 1, 33)])
    body = dict(zip(BODY_NAMES, to_body25(landmarks), strict=True))
    np.testing.assert_array_equal(body["left_wrist"], landmarks[15])
    np.testing.assert_array_equal(body["right_shoulder"], landmarks[12])
    np.testing.assert_array_equal(body["neck"], [11.5, 111.5, landmarks[11, 2]])
    np.testing.assert_array_equal(body["mid_hip"], [23.5, 123.5, landmarks[23, 2]])
    assert body["left_small_toe"][2] == 0


def test_left_and_right_are_named_as_mediapipe_names_them() -> None:
    from mediapipe.python.solutions.pose import PoseLandmark

    names = {"left_big_toe": "LEFT_FOOT_INDEX", "right_big_toe": "RIGHT_FOOT_INDEX"}
    for name, number in BODY_LANDMARKS.items():
        assert PoseLandmark(number).name == names.get(name, name.upper())


def test_face_points_lie_on_the_parts_that_mediapipe_names() -> None:
    from mediapipe.python.solutions import face_mesh_connections as mesh

    def of(*connections: object) -> set[int]:
        return {point for pairs in connections for pair in pairs for point in pair}  # type: ignore[attr-defined]

    assert len(set(FACE_LANDMARKS)) == 70
    assert set(FACE_LANDMARKS[:17]) <= of(mesh.FACEMESH_FACE_OVAL)
    assert set(FACE_LANDMARKS[17:22]) <= of(mesh.FACEMESH_RIGHT_EYEBROW)
    assert set(FACE_LANDMARKS[22:27]) <= of(mesh.FACEMESH_LEFT_EYEBROW)
    assert set(FACE_LANDMARKS[27:36]) <= of(mesh.FACEMESH_NOSE) | {2, 97, 98, 326, 327, 168}
    assert set(FACE_LANDMARKS[36:42]) <= of(mesh.FACEMESH_RIGHT_EYE)
    assert set(FACE_LANDMARKS[42:48]) <= of(mesh.FACEMESH_LEFT_EYE)
    assert set(FACE_LANDMARKS[48:68]) <= of(mesh.FACEMESH_LIPS)


def test_points_outside_the_picture_are_missing() -> None:
    body = np.zeros((33, 4))
    body[:, :2] = 50
    body[:, 3] = 0.9
    body[15, :2] = (50, 101)
    face = np.full((478, 3), 60.0)
    face[FACE_LANDMARKS[0], 0] = -1
    body[26, :2] = (50, 101)
    points = to_openpose(body, face, 100, 100)
    assert points[BODY_NAMES.index("right_knee"), 2] == 0
    assert points[4, 2] == 0.9
    assert points[FACE.start, 2] == 0
    assert points[FACE.start + 1, 2] == pytest.approx(0.9)
    assert not to_openpose(None, None, 100, 100).any()


def test_arms_outside_the_picture_keep_their_place_but_are_not_seen(tmp_path: Path) -> None:
    left, right, elbow = (BODY_NAMES.index(name) for name in ("left_wrist", "right_wrist", "left_elbow"))
    body = np.full((33, 4), 50.0)
    body[:, 3] = 0.9
    body[13, :2], body[15, :2], body[16, :2] = (120, 60), (60, 130), (60, 151)
    points = to_openpose(body, None, 100, 100)
    np.testing.assert_allclose(points[[elbow, left]], [[120, 60, OUTSIDE], [60, 130, OUTSIDE]])
    assert points[right, 2] == 0, "too far away to be believed"
    keypoints = Keypoints(points[None].astype(np.float32), 24, 100, 100)
    shown = keypoints.in_picture().confidence[0]
    assert not shown[[elbow, left, right]].any()
    np.testing.assert_allclose(shown[:3], 0.9)
    clip = tmp_path / "clip.mkv"
    write_clip(clip, np.zeros((1, 100, 100, 3), np.uint8), 24)
    only = keypoints.points * np.isin(np.arange(COUNT), [elbow, left])[:, None]
    write_preview(clip, keypoints.with_points(only), tmp_path / "preview.mkv")
    assert not read_clip(tmp_path / "preview.mkv")[0].any()


FLAT = np.array(
    [
        [0, 0],
        *((x, -y) for x, y0 in ((-8, 6), (-4, 16), (0, 18), (4, 17), (8, 14)) for y in np.linspace(y0, 2 * y0, 4)),
    ],
    float,
)


def test_the_place_of_a_hand_turns_with_it() -> None:
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    up, right = region_of(FLAT), region_of(FLAT @ turn.T)
    assert up.rotation == pytest.approx(0, abs=0.1)
    assert right.rotation - up.rotation == pytest.approx(np.pi / 2)
    assert right.side == pytest.approx(up.side)
    np.testing.assert_allclose(right.centre, turn @ up.centre, atol=1e-9)


class Planted:
    """A hand network that finds planted hands near the place it is sent to."""

    def __init__(self, hands: list[HandLandmarks]) -> None:
        self.hands = hands
        self.looks = 0

    def __call__(self, image: np.ndarray, place) -> HandLandmarks | None:
        self.looks += 1
        near = [hand for hand in self.hands if np.linalg.norm(hand.xy.mean(axis=0) - place.centre) < place.side / 2]
        return max(near, key=lambda hand: hand.presence, default=None)


def hand_at(x: float, y: float, left: float, presence: float = 0.95) -> HandLandmarks:
    return HandLandmarks(xy=FLAT + np.array([x, y]), world=np.zeros((21, 3)), presence=presence, left=left)


def body_with_wrists(left: tuple[float, float], right: tuple[float, float]) -> np.ndarray:
    body = np.zeros((33, 4))
    body[:, 3] = 1
    body[11, :2], body[12, :2] = (280, 100), (160, 100)
    body[13, :2], body[14, :2] = (300, 180), (140, 180)
    body[15, :2], body[16, :2] = left, right
    return body


FPS = 24.0
PICTURE = np.zeros((400, 440, 3), np.uint8)


def test_a_hand_on_the_wrong_side_changes_sides() -> None:
    """Holistic gives the right hand for both sides; the left one is found from the arm."""
    left, right = hand_at(300, 120, left=0.9), hand_at(140, 120, left=0.1)
    tracker = HandTracker(Planted([left, right]))  # type: ignore[arg-type]
    (found_left, sure_left), (found_right, sure_right) = tracker.update(
        PICTURE, body_with_wrists((300, 120), (140, 120)), (right.xy, right.xy)
    )
    assert found_left is left
    assert found_right is right
    assert min(sure_left, sure_right) > 0.8


def test_one_hand_is_one_hand_whatever_it_is_called() -> None:
    """Only the right hand is there; blurred, the network calls it left, and finds it upright and upside down."""
    body = body_with_wrists((460, 610), (140, 120))
    hand = hand_at(140, 120, left=0.98)
    over = replace(hand, xy=FLAT * [1, -1] + np.array([142, 80]), presence=0.97)
    assert same(hand, over)
    (left, _), (right, confidence) = choose([hand, over], body, [None, None])
    assert left is None
    assert right is hand, "the one whose wrist is at the body's"
    assert confidence > 0.5


def test_a_lost_hand_is_found_where_the_wrist_went() -> None:
    right = hand_at(140, 300, left=0.1)
    network = Planted([hand_at(300, 120, left=0.9), right])
    tracker = HandTracker(network)  # type: ignore[arg-type]
    tracker.update(PICTURE, body_with_wrists((300, 120), (140, 300)), (network.hands[0].xy, right.xy))
    moved = hand_at(330, 150, left=0.9)
    network.hands[0] = moved
    hands = tracker.update(PICTURE, body_with_wrists((330, 150), (140, 300)), (None, right.xy))
    assert hands[LEFT][0] is moved
    assert hands[RIGHT][0] is right


def test_no_hand_means_no_hand() -> None:
    network = Planted([])
    tracker = HandTracker(network)  # type: ignore[arg-type]
    for _ in range(3):
        hands = tracker.update(PICTURE, body_with_wrists((300, 120), (140, 120)), (None, None))
        assert hands == ((None, 0.0), (None, 0.0))


def test_a_hand_far_from_every_wrist_is_not_trusted() -> None:
    stray = hand_at(220, 350, left=0.9)
    tracker = HandTracker(Planted([stray]))  # type: ignore[arg-type]
    (hand, confidence), _ = tracker.update(PICTURE, body_with_wrists((300, 120), (140, 120)), (stray.xy, None))
    assert hand is None or confidence < 0.1


def test_hands_never_seen_far_from_body_do_not_cost_much() -> None:
    """With both hands found and sure, the network looks once at each."""
    left, right = hand_at(300, 120, left=0.95), hand_at(140, 120, left=0.05)
    network = Planted([left, right])
    tracker = HandTracker(network)  # type: ignore[arg-type]
    for _ in range(5):
        tracker.update(PICTURE, body_with_wrists((300, 120), (140, 120)), (left.xy, right.xy))
    assert network.looks == 10


class Fussy(Planted):
    """A network that finds a hand only in a region that is larger than it would choose."""

    def __call__(self, image: np.ndarray, place, min_presence: float = 0.5) -> HandLandmarks | None:
        hand = super().__call__(image, place)
        return hand if hand is not None and place.side > 1.2 * region_of(hand.xy).side else None


def test_a_second_look_knows_the_frames_on_both_sides() -> None:
    body = body_with_wrists((300, 120), (140, 120))
    left = [hand_at(300, 120 + 4 * t, left=0.95) for t in range(5)]
    bodies = [body_with_wrists((300, 120 + 4 * t), (140, 600)) for t in range(5)]
    detections = [Detection(b, [(h, 0.9), (None, 0.0)]) for b, h in zip(bodies, left, strict=True)]
    detections[2].hands[LEFT] = (None, 0.0)
    assert lost_hands(detections, 440, 400) == [(2, LEFT)], "the right wrist is below the picture"
    np.testing.assert_allclose(expected_joints(detections, 2, LEFT, 12), left[2].xy)
    network = Fussy([left[2]])
    pictures = [PICTURE] * 5
    assert look_again(pictures, detections, FPS, network) == 1  # type: ignore[arg-type]
    assert detections[2].hands[LEFT][0] is left[2]
    assert detections[2].hands[LEFT][1] > 0.6
    detections[2].hands[LEFT] = (None, 0.0)
    detections[2].starts = detections[3].starts = True
    assert expected_joints(detections, 2, LEFT, 12) is None, "what is in another shot says nothing"
    assert look_again([PICTURE] * 5, [Detection(body, [(left[0], 0.9), (left[0], 0.9)])] * 5, FPS, network) == 0  # type: ignore[arg-type]


def test_nobody_in_the_picture(tmp_path: Path) -> None:
    clip = tmp_path / "empty street.mkv"
    write_clip(clip, np.full((2, 96, 96, 3), 128, np.uint8), 24)
    with pytest.raises(DiffSignError, match=r"nobody was found in any of the 2 frames of .*empty street\.mkv"):
        detect_clip(clip, DetectSettings())
    assert not detect_clip(clip, DetectSettings(require_person=False)).confidence.any()


def test_a_network_that_is_not_there() -> None:
    with pytest.raises(DiffSignError, match=r"pose_landmark_heavy\.tflite"):
        require_network(2)
    require_network(1)


def test_drawing_shows_points_and_leaves_the_picture(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    points = np.zeros((COUNT, 3))
    assert not draw_keypoints(picture, points).any()
    points[25:46] = [20, 30, 1]
    drawn = draw_keypoints(picture, points)
    assert not picture.any()
    assert drawn[30, 20].any()
    assert not drawn[50:].any()
    clip = tmp_path / "clip.mkv"
    write_clip(clip, np.zeros((3, 64, 64, 3), np.uint8), 24)
    write_preview(clip, Keypoints(np.stack([points] * 3), 24, 64, 64), tmp_path / "p.mp4")
    assert probe_clip(tmp_path / "p.mp4").frames == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot keep a process to processors")
def test_threads_are_limited_and_given_back() -> None:
    before = os.sched_getaffinity(0)
    with limited_threads(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
    with limited_threads(None):
        assert os.sched_getaffinity(0) == before


def test_only_native_noise_is_silenced() -> None:
    code = (
        "import os, sys\n"
        "from diffsign.detect.process import quiet_natives\n"
        "with quiet_natives():\n"
        "    os.write(2, b'noise')\n"
        "    print('kept', file=sys.stderr)\n"
        "os.write(2, b'after')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "kept\nafter"


def test_errors_pass_through_the_silence() -> None:
    with pytest.raises(KeyError), quiet_natives():
        raise KeyError("x")
