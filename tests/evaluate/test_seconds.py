"""Known disturbances break the parameter that they touch, in the second in which they touch it, and no other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from diffsign.config.evaluate import EvaluateSettings
from diffsign.evaluate.on_signing import signing, worst_moments
from diffsign.evaluate.seconds import judge, seconds_of, timing
from diffsign.records.keypoints import FACE, LEFT_HAND, RIGHT_HAND, Keypoints
from diffsign.records.metric_definitions import SIGN_PARAMETERS
from diffsign.records.metrics import Break

FPS, SECONDS = 20.0, 4
FRAMES = round(FPS * SECONDS)
SECOND = slice(20, 40)


def _face() -> np.ndarray:
    """(70, 2) a face of 100 pixels' height around (0, 0), in the order of iBUG 68."""
    face = np.zeros((70, 2))
    angle = np.linspace(np.pi, 0, 17)
    face[:17] = np.stack([45 * np.cos(angle), 10 + 50 * np.sin(angle)], -1)
    for first, x in ((17, -30), (22, 10)):
        face[first : first + 5] = np.stack([x + np.arange(5) * 5, np.full(5, -28)], -1)
    face[27:31] = np.stack([np.zeros(4), np.linspace(-15, 5, 4)], -1)
    face[31:36] = np.stack([np.linspace(-8, 8, 5), np.full(5, 10)], -1)
    for first, x in ((36, -28), (42, 10)):
        face[first : first + 6] = [[x, -15], [x + 6, -18], [x + 12, -18], [x + 18, -15], [x + 12, -13], [x + 6, -13]]
    face[48:68] = np.stack([np.linspace(-15, 15, 20), np.full(20, 28)], -1)
    face[62], face[66] = (0, 28), (0, 30)
    face[68:] = [[-19, -15], [19, -15]]
    return face


@pytest.fixture
def signer(make_hand) -> Keypoints:
    """Four seconds of two hands that move before the chest of a signer whose mouth opens and closes, with 3D hands."""
    points = np.zeros((FRAMES, 137, 3), np.float32)
    world = np.zeros((FRAMES, 137, 4), np.float32)
    time = np.arange(FRAMES) / FPS
    points[..., 2] = 1
    points[:, :25, :2] = np.linspace([300, 300], [340, 600], 25)
    points[:, 2, :2], points[:, 5, :2], points[:, 0, :2] = (220, 260), (420, 260), (320, 130)
    points[:, FACE, :2] = _face() + np.array([320, 130])
    points[:, FACE.start + 66, 1] += 8 * np.abs(np.sin(2 * time))
    for hand, x, sign in ((LEFT_HAND, 430, 1), (RIGHT_HAND, 210, -1)):
        shape = make_hand(0.3, size=40.0) * [sign, 1, 1]
        path = np.stack([x + 60 * np.cos(4 * time), 420 + 60 * np.sin(4 * time)], -1)
        points[:, hand, :2] = shape[:, :2] + path[:, None]
        world[:, hand, :3], world[:, hand, 3] = shape / 500, 1
    return Keypoints(points=points, fps=FPS, width=640, height=640, detector="test", world=world)


def changed(keypoints: Keypoints, change: Callable[[np.ndarray, np.ndarray], None]) -> Keypoints:
    assert keypoints.world is not None
    points, world = keypoints.points.copy(), keypoints.world.copy()
    change(points, world)
    return keypoints.with_points(points, world=world)


def broken(reference: Keypoints, result: Keypoints) -> set[tuple[str, int]]:
    return {(b.parameter, b.start) for b in judge(reference, result, "source").breaks}


def test_the_same_signing_holds_in_every_second(signer: Keypoints) -> None:
    judged = judge(signer, signer, "source")
    assert judged.breaks == [] and (judged.all_hold() == 1).all()
    for name in SIGN_PARAMETERS:
        if name != "contact":
            assert (judged.holds[name] == 1).all(), name
    assert np.isnan(judged.holds["contact"]).all(), "no hand touches anything"


def test_a_lost_hand_breaks_presence(signer: Keypoints) -> None:
    def lose(points: np.ndarray, world: np.ndarray) -> None:
        points[SECOND, LEFT_HAND, 2] = 0

    lost = changed(signer, lose)
    assert broken(signer, lost) == {("presence", 20)}
    (only,) = judge(signer, lost, "source").breaks
    assert "left hand lost in 20 of 20" in only.what and 20 <= only.worst < 40
    (only,) = judge(lost, signer, "source").breaks
    assert "left hand invented in 20 of 20" in only.what


def test_another_handshape_breaks_handshape(signer: Keypoints, make_hand) -> None:
    def close(points: np.ndarray, world: np.ndarray) -> None:
        world[SECOND, RIGHT_HAND, :3] = make_hand(1.2, size=40.0) * [-1, 1, 1] / 500

    assert broken(signer, changed(signer, close)) == {("handshape", 20)}


def test_a_turned_hand_breaks_orientation(signer: Keypoints) -> None:
    def turn(points: np.ndarray, world: np.ndarray) -> None:
        world[SECOND, RIGHT_HAND, 0] *= -1
        world[SECOND, RIGHT_HAND, 2] *= -1

    assert broken(signer, changed(signer, turn)) == {("orientation", 20)}


def test_a_hand_in_another_place_breaks_location(signer: Keypoints) -> None:
    def lower(points: np.ndarray, world: np.ndarray) -> None:
        points[SECOND, RIGHT_HAND, 1] += 60

    assert broken(signer, changed(signer, lower)) == {("location", 20)}


def test_a_still_hand_breaks_movement(signer: Keypoints) -> None:
    def hold(points: np.ndarray, world: np.ndarray) -> None:
        points[SECOND, RIGHT_HAND] = points[30, RIGHT_HAND]

    assert ("movement", 20) in broken(signer, changed(signer, hold))
    assert broken(signer, changed(signer, hold)) <= {("movement", 20), ("location", 20)}


@pytest.mark.parametrize("lost", [True, False])
def test_a_touch_lost_or_invented_breaks_contact(signer: Keypoints, lost: bool) -> None:
    def touch(points: np.ndarray, world: np.ndarray) -> None:
        points[SECOND, RIGHT_HAND, :2] += np.array([320, 130]) - points[SECOND, RIGHT_HAND.start + 8, None, :2]

    def nearly(points: np.ndarray, world: np.ndarray) -> None:
        points[SECOND, RIGHT_HAND, :2] += np.array([320, 225]) - points[SECOND, RIGHT_HAND.start + 8, None, :2]

    pair = changed(signer, touch), changed(signer, nearly)
    reference, result = pair if lost else pair[::-1]
    assert ("contact", 20) in broken(reference, result)
    assert ("contact", 20) not in broken(reference, reference)


@pytest.mark.parametrize(
    ("parameter", "rows", "shift"),
    [("mouth", [66], (0, 20)), ("brows", range(17, 27), (0, -8)), ("head", [27, 28, 29, 30, 31, 33], (14, 0))],
)
def test_a_changed_face_breaks_its_part(signer: Keypoints, parameter: str, rows: list[int], shift: tuple) -> None:
    def change(points: np.ndarray, world: np.ndarray) -> None:
        for row in rows:
            points[SECOND, FACE.start + row, :2] += shift

    assert broken(signer, changed(signer, change)) == {(parameter, 20)}


def test_another_face_of_another_size_elsewhere_is_no_error(signer: Keypoints) -> None:
    def another(points: np.ndarray, world: np.ndarray) -> None:
        points[:, FACE.start + 17 : FACE.start + 27, 1] -= 6  # higher brows, all the time
        points[..., :2] = 0.8 * points[..., :2] + [50, 90]

    assert broken(signer, changed(signer, another)) == set()


def test_a_delay_is_measured_in_milliseconds(signer: Keypoints) -> None:
    late = changed(signer, lambda points, world: points.__setitem__(slice(2, None), points[:-2].copy()))
    assert timing(signer, late)["delay"][0] == pytest.approx(100, abs=10)
    assert timing(signer, signer)["delay"][0] == pytest.approx(0, abs=1)
    assert broken(signer, late) == set(), "the delay is one error, and not one in every parameter"


def test_flattened_strokes_keep_less_of_the_peak_speed(signer: Keypoints) -> None:
    def stroke(size: float) -> Keypoints:
        def move(points: np.ndarray, world: np.ndarray) -> None:
            path = np.zeros(FRAMES)
            path[30:] = 1
            path = np.convolve(np.pad(path, 4, mode="edge"), np.hanning(9) / np.hanning(9).sum(), mode="valid")
            points[:, RIGHT_HAND, :2] += (size * path)[:, None, None] * np.array([0.0, 200.0])

        still = changed(signer, lambda points, world: points.__setitem__(slice(None), points[:1]))
        return changed(still, move)

    assert timing(stroke(1.0), stroke(0.6))["peak_speed"][0] == pytest.approx(0.6, abs=0.02)


def test_seconds_cover_every_frame_once() -> None:
    for frames, fps in ((1, 25.0), (12, 25.0), (13, 25.0), (37, 25.0), (38, 25.0), (100, 29.97), (72, 24.0)):
        spans = seconds_of(frames, fps)
        assert [t for start, end in spans for t in range(start, end)] == list(range(frames))
        assert all(end - start >= min(frames, fps / 2) - 1 for start, end in spans)


def test_nothing_seen_judges_nothing(signer: Keypoints) -> None:
    nothing = changed(signer, lambda points, world: points.__setitem__((..., 2), 0))
    judged = judge(nothing, nothing, "source")
    assert judged.breaks == [] and np.isnan(judged.all_hold()).all()
    metrics, breaks = signing({"source": nothing, "avatar": nothing, "result": nothing}, EvaluateSettings())
    assert breaks == [] and all(metric.value is None and metric.reason for metric in metrics.values())


def test_the_tolerance_is_a_factor(signer: Keypoints) -> None:
    lower = changed(
        signer, lambda points, world: points.__setitem__((SECOND, RIGHT_HAND, 1), points[SECOND, RIGHT_HAND, 1] + 60)
    )
    assert judge(signer, lower, "source").breaks
    assert not judge(signer, lower, "source", tolerance=10).breaks


def test_the_worst_moments_are_one_a_parameter_against_the_source_first() -> None:
    def at(parameter: str, against: str, start: int) -> Break:
        return Break(parameter=parameter, against=against, start=start, end=start + 2, worst=start + 1, what="")  # type: ignore[arg-type]

    breaks = [at("mouth", "avatar", 0), at("mouth", "source", 4), at("location", "avatar", 2), at("mouth", "source", 6)]
    assert [(m.parameter, m.worst) for m in worst_moments(breaks, 6)] == [("location", 3), ("mouth", 5)]
    assert len(worst_moments(breaks, 1)) == 1 and worst_moments([], 3) == []
