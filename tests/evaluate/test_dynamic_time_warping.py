import numpy as np
import pytest
from dtaidistance import dtw_ndim

from diffsign.evaluate.dynamic_time_warping import MISSING, hands_distance, joint_distance, normalised, warped_cost
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND, Keypoints


def squares(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return ((first - second) ** 2).sum(-1)


@pytest.mark.parametrize(("rows", "columns"), [(12, 12), (12, 7), (1, 5), (9, 1), (1, 1)])
def test_warping_is_that_of_dtaidistance(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows + columns)
    first, second = rng.normal(size=(rows, 3, 2)), rng.normal(size=(columns, 3, 2))
    costs = np.sqrt(warped_cost(first, second, squares, reach=100))
    for point, cost in enumerate(costs):
        assert cost == pytest.approx(dtw_ndim.distance(first[:, point], second[:, point]))


def test_frames_out_of_reach_are_not_matched() -> None:
    rng = np.random.default_rng(0)
    track = np.cumsum(rng.normal(size=(40, 1, 2)), axis=0)
    late = np.concatenate([np.repeat(track[:1], 8, 0), track])[:40]
    near, far = (warped_cost(track, late, squares, reach)[0] for reach in (3, 10))
    assert far < near
    assert warped_cost(track, late, squares, 0)[0] == pytest.approx(squares(track, late).sum())


def signing(frames: int = 30, seed: int = 0) -> Keypoints:
    """Hands on a path, shoulders still."""
    rng = np.random.default_rng(seed)
    points = np.ones((frames, 137, 3), np.float32)
    points[..., :2] = rng.uniform(40, 60, (137, 2))
    points[:, 2, :2], points[:, 5, :2] = (30, 40), (70, 40)
    path = np.cumsum(rng.normal(0, 3, (frames, 1, 2)), axis=0)
    for hand in (LEFT_HAND, RIGHT_HAND):
        points[:, hand, :2] += path
    return Keypoints(points=points, fps=10.0, width=100, height=100)


def test_hands_distance_is_the_mean_over_points_of_dtaidistances() -> None:
    reference, result = signing(seed=1), signing(seed=2)
    hands = np.r_[LEFT_HAND, RIGHT_HAND]
    first, second = (normalised(keypoints)[0][:, hands] for keypoints in (reference, result))
    expected = np.mean([dtw_ndim.distance(first[:, k], second[:, k], window=21) for k in range(42)])
    assert hands_distance(reference, result) == pytest.approx(expected, rel=1e-6)


def test_the_same_signing_is_at_distance_zero_wherever_and_however_large_it_is() -> None:
    reference = signing()
    moved = reference.points.copy()
    moved[..., :2] = 2 * moved[..., :2] + 7
    for distance in (hands_distance, joint_distance):
        assert distance(reference, reference) == 0
        assert distance(reference, reference.with_points(moved)) == pytest.approx(0, abs=1e-4)


def test_a_delay_costs_less_than_other_signing_and_a_lost_hand_costs_most() -> None:
    reference = signing()
    late = reference.with_points(np.concatenate([np.repeat(reference.points[:1], 3, 0), reference.points])[:30])
    lost = reference.points.copy()
    lost[10:20, LEFT_HAND, 2] = 0
    delayed, other = hands_distance(reference, late), hands_distance(reference, signing(seed=9))
    assert 0 < delayed < 0.5 * other
    assert hands_distance(reference, reference.with_points(lost)) > MISSING


def test_a_shifted_hand_costs_its_shift() -> None:
    reference = signing()
    moved = reference.points.copy()
    moved[:, LEFT_HAND, 0] += 400
    shift = 400 / 40
    assert hands_distance(reference, reference.with_points(moved)) == pytest.approx(shift * np.sqrt(30) / 2, rel=0.05)
    assert joint_distance(reference, reference.with_points(moved)) == pytest.approx(shift * 21 / (12 + 42), rel=0.05)


def test_without_hands_or_shoulders_there_is_no_distance() -> None:
    reference = signing()
    for gone in (np.r_[LEFT_HAND, RIGHT_HAND], np.array([2])):
        points = reference.points.copy()
        points[:, gone, 2] = 0
        assert np.isnan(hands_distance(reference, reference.with_points(points)))
    assert np.isnan(joint_distance(reference.with_points(points), reference))
