from collections.abc import Callable

import numpy as np
import pytest

from diffsign.evaluate.legibility import (
    correlation,
    face_signals,
    found,
    handshape_error,
    part_agreement,
    presence,
    scale_to,
)
from diffsign.geometry.hand import finger_angles
from diffsign.records.keypoints import COUNT, FACE, LEFT_HAND, RIGHT_HAND, Keypoints


def changed(keypoints: Keypoints, where: slice, shift: tuple[float, float]) -> Keypoints:
    points = keypoints.points.copy()
    points[:, where, :2] += shift
    return keypoints.with_points(points)


def without(keypoints: Keypoints, where: slice, frames: list[int]) -> Keypoints:
    points = keypoints.points.copy()
    points[frames, where, 2] = 0
    return keypoints.with_points(points)


@pytest.fixture
def with_world(make_hand) -> Callable[..., Keypoints]:
    """Add 3D hands whose joints bend by an angle, turned about the vertical."""

    def add(keypoints: Keypoints, bend: float, turn: float = 0.0) -> Keypoints:
        world = np.ones((len(keypoints), COUNT, 4), np.float32)
        spin = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        for hand in (LEFT_HAND, RIGHT_HAND):
            world[:, hand, :3] = make_hand(bend) @ spin.T
        return keypoints.with_points(keypoints.points, world=world)

    return add


def test_a_clip_agrees_with_itself(make_keypoints) -> None:
    keypoints = make_keypoints()
    for part in ("left_hand", "right_hand", "body", "face"):
        agreement = part_agreement(keypoints, keypoints, part)
        assert (agreement.correct == 1).all() and (agreement.error == 0).all()
    assert (handshape_error(keypoints, keypoints, "left_hand") == 0).all()


def test_a_hand_counts_as_found_when_half_its_points_are(make_keypoints) -> None:
    keypoints = without(make_keypoints(), slice(LEFT_HAND.start, LEFT_HAND.start + 10), [0])
    keypoints = without(keypoints, slice(LEFT_HAND.start, LEFT_HAND.start + 11), [1])
    assert found(keypoints, "left_hand").tolist() == [True, False, True, True, True]
    assert not found(make_keypoints(), "left_hand", min_confidence=1.0).any()


def test_presence_tells_lost_from_invented() -> None:
    reference = np.arange(100) < 45
    result = np.arange(100) >= 5
    shown = presence(reference, result)
    assert shown.recall == pytest.approx(40 / 45) and shown.precision == pytest.approx(40 / 95)
    assert (shown.in_reference, shown.in_result) == (45, 95)


def test_a_hand_that_is_always_invented_has_full_recall_and_low_precision() -> None:
    shown = presence(np.arange(100) < 45, np.arange(100) < 95)
    assert shown.recall == 1 and shown.precision == pytest.approx(45 / 95)


@pytest.mark.parametrize("seed", range(3))
def test_presence_equals_the_counts_of_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, result = rng.random(50) < 0.6, rng.random(50) < 0.4
    pairs = list(zip(reference, result, strict=True))
    shown = presence(reference, result)
    assert shown.recall == pytest.approx(sum(a and b for a, b in pairs) / sum(a for a, _ in pairs))
    assert shown.precision == pytest.approx(sum(a and b for a, b in pairs) / sum(b for _, b in pairs))


def test_presence_of_nothing_has_no_value() -> None:
    never = presence(np.zeros(3, bool), np.ones(3, bool))
    assert np.isnan(never.recall) and never.precision == 0 and never.in_reference == 0
    assert np.isnan(presence(np.ones(3, bool), np.zeros(3, bool)).precision)


def test_ten_of_21_lost_points_are_wrong_points(make_keypoints) -> None:
    keypoints = make_keypoints()
    lost = without(keypoints, slice(LEFT_HAND.start, LEFT_HAND.start + 10), [0, 1, 2, 3, 4])
    agreement = part_agreement(keypoints, lost, "left_hand")
    assert (agreement.correct == 1).all()
    assert agreement.strict == pytest.approx(11 / 21)


def test_a_lost_hand_has_no_point_in_place(make_keypoints) -> None:
    keypoints = make_keypoints()
    agreement = part_agreement(keypoints, without(keypoints, LEFT_HAND, [1]), "left_hand")
    assert np.isnan(agreement.correct).tolist() == [False, True, False, False, False]
    assert agreement.strict.tolist() == [1, 0, 1, 1, 1]
    assert np.isnan(part_agreement(without(keypoints, LEFT_HAND, [1]), keypoints, "left_hand").strict[1])


@pytest.mark.parametrize("part", ["left_hand", "body"])
def test_pck_equals_a_loop_over_points(make_keypoints, part: str) -> None:
    rng = np.random.default_rng(4)
    keypoints = make_keypoints()
    other = keypoints.points.copy()
    other[..., :2] += rng.normal(0, 2, other[..., :2].shape)
    other[..., 2] = rng.random(other.shape[:2]) < 0.8
    other[:, :8, 2] = 1
    agreement = part_agreement(keypoints, keypoints.with_points(other), part, alpha=0.07)
    index = range(LEFT_HAND.start, LEFT_HAND.stop) if part == "left_hand" else [*range(8), 15, 16, 17, 18]
    for t in range(len(keypoints)):
        points = [keypoints.xy[t, k].astype(float) for k in index]
        size = max(max(p[axis] for p in points) - min(p[axis] for p in points) for axis in (0, 1))
        both = [k for k in index if other[t, k, 2] > 0]
        right = [k for k in both if np.hypot(*(other[t, k, :2] - keypoints.xy[t, k])) <= 0.07 * size]
        if part == "left_hand" and len(both) < 21 / 2:
            assert np.isnan(agreement.correct[t]) and agreement.strict[t] == 0
            continue
        assert agreement.correct[t] == pytest.approx(len(right) / len(both))
        assert agreement.strict[t] == pytest.approx(len(right) / len(list(index)))


def test_a_shifted_hand_errs_by_the_shift_over_the_size_of_its_box(make_keypoints) -> None:
    keypoints = make_keypoints()
    box = keypoints.xy[0, LEFT_HAND]
    size = (box.max(0) - box.min(0)).max()
    moved = changed(keypoints, LEFT_HAND, (0.0, 0.12 * size))
    agreement = part_agreement(keypoints, moved, "left_hand")
    assert agreement.error == pytest.approx(0.12, rel=1e-4)
    assert (agreement.correct == 0).all()
    assert (part_agreement(keypoints, moved, "left_hand", alpha=0.15).correct == 1).all()
    assert (part_agreement(keypoints, moved, "right_hand").error == 0).all()


def test_one_of_21_points_out_of_place_costs_its_share(make_keypoints) -> None:
    keypoints = make_keypoints()
    moved = changed(keypoints, slice(LEFT_HAND.start + 8, LEFT_HAND.start + 9), (50.0, 0.0))
    assert part_agreement(keypoints, moved, "left_hand").correct == pytest.approx(20 / 21)


def test_face_error_is_in_distances_of_the_outer_eye_corners(make_keypoints) -> None:
    keypoints = make_keypoints()
    agreement = part_agreement(keypoints, changed(keypoints, FACE, (5.0, 0.0)), "face")
    assert agreement.error == pytest.approx(5 / 20, rel=1e-5)


def test_body_ignores_what_the_picture_does_not_show(make_keypoints) -> None:
    keypoints = make_keypoints()
    legs = changed(keypoints, slice(9, 15), (90.0, 90.0))
    assert (part_agreement(keypoints, legs, "body").error == 0).all()


def test_lost_hands_are_not_scored_but_left_out(make_keypoints) -> None:
    keypoints = make_keypoints()
    lost = without(keypoints, RIGHT_HAND, [1, 3])
    agreement = part_agreement(keypoints, lost, "right_hand")
    assert np.isnan(agreement.error).tolist() == [False, True, False, True, False]
    assert np.isnan(handshape_error(keypoints, lost, "right_hand")).sum() == 2


def test_handshape_error_in_3d_is_the_bend_and_blind_to_rotation(make_keypoints, with_world) -> None:
    keypoints = make_keypoints()
    error = handshape_error(with_world(keypoints, 0.2), with_world(keypoints, 0.5, turn=1.0), "left_hand")
    assert error == pytest.approx(np.degrees(0.3), rel=1e-4)


def test_handshape_leaves_out_joints_with_a_missing_point(make_keypoints, with_world) -> None:
    reference, result = (with_world(make_keypoints(), bend) for bend in (0.2, 0.5))
    world = result.world.copy()  # type: ignore[union-attr]
    world[:, LEFT_HAND.start + 4] = 0  # the tip of the thumb: its last joint has no angle
    world[1, LEFT_HAND.start + 1 : LEFT_HAND.stop : 4, 3] = 0  # first joints of all fingers: five angles are left
    error = handshape_error(reference, result.with_points(result.points, world=world), "left_hand")
    assert np.isnan(error).tolist() == [False, True, False, False, False]
    assert error[[0, 2, 3, 4]] == pytest.approx(np.degrees(0.3), rel=1e-4)


def test_handshape_error_falls_back_to_the_picture(make_keypoints, make_hand, with_world) -> None:
    keypoints = make_keypoints()
    stretched = keypoints.points.copy()
    stretched[:, LEFT_HAND, :2] = (make_hand(1.0)[:, :2] + [60, 40]).astype(np.float32)
    error = handshape_error(with_world(keypoints, 0.2), keypoints.with_points(stretched), "left_hand")
    expected = np.degrees(np.abs(finger_angles(make_hand(1.0)[:, :2]) - finger_angles(make_hand(0.3)[:, :2])).mean())
    assert error == pytest.approx(expected, abs=0.01)


def test_mouth_and_brows_are_followed_whatever_the_size_of_the_face(make_keypoints) -> None:
    keypoints = make_keypoints()
    signals = face_signals(keypoints)
    assert signals["mouth"] == pytest.approx((1 + np.linspace(0, 6, 5)) / 20, rel=1e-5)
    larger = face_signals(scale_to(keypoints, keypoints.width * 2, keypoints.height * 2))
    assert larger["mouth"] == pytest.approx(signals["mouth"]) and larger["brow"] == pytest.approx(signals["brow"])
    assert np.isnan(face_signals(without(keypoints, FACE, [2]))["mouth"]).tolist() == [False, False, True, False, False]


def test_correlation_says_why_there_is_none() -> None:
    moving = np.array([0.1, 0.2, 0.4, np.nan, 0.1])
    assert correlation(moving, moving * 2 + 1)[0] == pytest.approx(1)
    assert correlation(moving, -moving)[0] == pytest.approx(-1)
    value, frames, reason = correlation(np.full(5, 0.2), moving)
    assert np.isnan(value) and frames == 4 and reason
    assert correlation(moving, np.full(5, 0.3))[0] == 0, "a frozen mouth agrees with nothing"
    assert correlation(np.full(5, np.nan), moving)[1:] == (0, correlation(moving[:2], moving[:2])[2])


def test_keypoints_of_another_size_are_brought_to_the_same_pixels(make_keypoints) -> None:
    keypoints = make_keypoints()
    double = scale_to(keypoints, keypoints.width * 2, keypoints.height * 3)
    assert double.xy[0, 5] == pytest.approx(keypoints.xy[0, 5] * [2, 3])
    assert (part_agreement(keypoints, scale_to(double, keypoints.width, keypoints.height), "body").error < 1e-6).all()
