import numpy as np
import pytest
from small_clips import make_hand, make_keypoints

from diffsign.evaluate.legibility import (
    correlation,
    face_signals,
    found,
    handshape_error,
    part_agreement,
    redetected,
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


def with_world(keypoints: Keypoints, bend: float, turn: float = 0.0) -> Keypoints:
    world = np.ones((len(keypoints), COUNT, 4), np.float32)
    spin = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    for hand in (LEFT_HAND, RIGHT_HAND):
        world[:, hand, :3] = make_hand(bend) @ spin.T
    return keypoints.with_points(keypoints.points, world=world)


def test_a_clip_agrees_with_itself() -> None:
    keypoints = make_keypoints()
    for part in ("left_hand", "right_hand", "body", "face"):
        agreement = part_agreement(keypoints, keypoints, part)
        assert (agreement.correct == 1).all() and (agreement.error == 0).all()
    assert (handshape_error(keypoints, keypoints, "left_hand") == 0).all()


def test_a_hand_counts_as_found_when_half_its_points_are() -> None:
    keypoints = without(make_keypoints(), slice(LEFT_HAND.start, LEFT_HAND.start + 10), [0])
    keypoints = without(keypoints, slice(LEFT_HAND.start, LEFT_HAND.start + 11), [1])
    assert found(keypoints, "left_hand").tolist() == [True, False, True, True, True]
    assert not found(make_keypoints(), "left_hand", min_confidence=1.0).any()


def test_redetection_counts_only_what_the_reference_shows() -> None:
    reference = np.array([True, True, True, True, False])
    result = np.array([True, False, True, True, True])
    assert redetected(reference, result) == (0.75, 4)
    share, count = redetected(np.zeros(3, bool), np.ones(3, bool))
    assert np.isnan(share) and count == 0


def test_a_shifted_hand_errs_by_the_shift_over_the_size_of_its_box() -> None:
    keypoints = make_keypoints()
    box = keypoints.xy[0, LEFT_HAND]
    size = (box.max(0) - box.min(0)).max()
    moved = changed(keypoints, LEFT_HAND, (0.0, 0.12 * size))
    agreement = part_agreement(keypoints, moved, "left_hand")
    assert agreement.error == pytest.approx(0.12, rel=1e-4)
    assert (agreement.correct == 0).all()
    assert (part_agreement(keypoints, moved, "left_hand", alpha=0.15).correct == 1).all()
    assert (part_agreement(keypoints, moved, "right_hand").error == 0).all()


def test_one_of_21_points_out_of_place_costs_its_share() -> None:
    keypoints = make_keypoints()
    moved = changed(keypoints, slice(LEFT_HAND.start + 8, LEFT_HAND.start + 9), (50.0, 0.0))
    assert part_agreement(keypoints, moved, "left_hand").correct == pytest.approx(20 / 21)


def test_face_error_is_in_distances_of_the_outer_eye_corners() -> None:
    keypoints = make_keypoints()
    agreement = part_agreement(keypoints, changed(keypoints, FACE, (5.0, 0.0)), "face")
    assert agreement.error == pytest.approx(5 / 20, rel=1e-5)


def test_body_ignores_what_the_picture_does_not_show() -> None:
    keypoints = make_keypoints()
    legs = changed(keypoints, slice(9, 15), (90.0, 90.0))
    assert (part_agreement(keypoints, legs, "body").error == 0).all()


def test_lost_hands_are_not_scored_but_left_out() -> None:
    keypoints = make_keypoints()
    lost = without(keypoints, RIGHT_HAND, [1, 3])
    agreement = part_agreement(keypoints, lost, "right_hand")
    assert np.isnan(agreement.error).tolist() == [False, True, False, True, False]
    assert np.isnan(handshape_error(keypoints, lost, "right_hand")).sum() == 2


def test_handshape_error_in_3d_is_the_bend_and_blind_to_rotation() -> None:
    keypoints = make_keypoints()
    error = handshape_error(with_world(keypoints, 0.2), with_world(keypoints, 0.5, turn=1.0), "left_hand")
    assert error == pytest.approx(np.degrees(0.3), rel=1e-4)


def test_handshape_leaves_out_joints_with_a_missing_point() -> None:
    reference, result = (with_world(make_keypoints(), bend) for bend in (0.2, 0.5))
    world = result.world.copy()  # type: ignore[union-attr]
    world[:, LEFT_HAND.start + 4] = 0  # the tip of the thumb: its last joint has no angle
    world[1, LEFT_HAND.start + 1 : LEFT_HAND.stop : 4, 3] = 0  # first joints of all fingers: five angles are left
    error = handshape_error(reference, result.with_points(result.points, world=world), "left_hand")
    assert np.isnan(error).tolist() == [False, True, False, False, False]
    assert error[[0, 2, 3, 4]] == pytest.approx(np.degrees(0.3), rel=1e-4)


def test_handshape_error_falls_back_to_the_picture() -> None:
    keypoints = make_keypoints()
    stretched = keypoints.points.copy()
    stretched[:, LEFT_HAND, :2] = (make_hand(1.0)[:, :2] + [60, 40]).astype(np.float32)
    error = handshape_error(with_world(keypoints, 0.2), keypoints.with_points(stretched), "left_hand")
    expected = np.degrees(np.abs(finger_angles(make_hand(1.0)[:, :2]) - finger_angles(make_hand(0.3)[:, :2])).mean())
    assert error == pytest.approx(expected, abs=0.01)


def test_mouth_and_brows_are_followed_whatever_the_size_of_the_face() -> None:
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
    assert np.isnan(value) and frames == 4 and "does not move" in reason
    assert correlation(moving, np.full(5, 0.3))[0] == 0, "a frozen mouth agrees with nothing"
    assert "fewer than 3" in correlation(np.full(5, np.nan), moving)[2]


def test_keypoints_of_another_size_are_brought_to_the_same_pixels() -> None:
    keypoints = make_keypoints()
    double = scale_to(keypoints, keypoints.width * 2, keypoints.height * 3)
    assert double.xy[0, 5] == pytest.approx(keypoints.xy[0, 5] * [2, 3])
    assert (part_agreement(keypoints, scale_to(double, keypoints.width, keypoints.height), "body").error < 1e-6).all()
