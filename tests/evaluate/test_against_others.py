"""Metrics against other people's implementations, on random input and on input that has nothing in it."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.signal import correlate, correlation_lags
from scipy.spatial.distance import cdist, cosine
from scipy.stats import pearsonr
from skimage.metrics import mean_squared_error

from diffsign.config.evaluate import EvaluateSettings
from diffsign.evaluate.dynamic_time_warping import joint_distance, normalised
from diffsign.evaluate.flicker import Warp, estimate_warp, warping_error
from diffsign.evaluate.frames import Measured
from diffsign.evaluate.legibility import UPPER_BODY, correlation
from diffsign.evaluate.networks import directional_similarity, mean_similarity
from diffsign.evaluate.on_keypoints import legibility
from diffsign.evaluate.on_pictures import likeness, steadiness
from diffsign.evaluate.on_signing import signing
from diffsign.evaluate.parameters import delay, velocity_correlation
from diffsign.geometry.hand import FINGER_JOINTS, finger_angles
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND, Keypoints


@pytest.mark.parametrize("seed", range(3))
def test_warping_error_is_scipys_interpolation_and_scikit_images_mean_square(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    columns, rows = np.meshgrid(np.arange(30), np.arange(20))
    # In 32nds of a pixel, to which OpenCV rounds.
    where = np.stack([columns, rows], -1) + rng.integers(-64, 64, (20, 30, 2)) / 32
    where = where.clip(0, [29, 19])
    counted = rng.random((20, 30)) < 0.4
    moved = np.stack(
        [map_coordinates(before[..., c].astype(float), [where[..., 1], where[..., 0]], order=1) for c in range(3)], -1
    )
    expected = mean_squared_error(moved[counted] / 255, after[counted] / 255)
    warp = Warp(where.astype(np.float32), counted)
    assert warping_error(before, after, warp, np.ones((20, 30), bool)) == pytest.approx(expected, rel=1e-4)


def test_flow_of_flat_pictures_goes_nowhere() -> None:
    flat = np.full((40, 50), 128, np.uint8)
    warp = estimate_warp(flat, flat)
    assert warp.reliable.all()
    colour = cv2.cvtColor(flat, cv2.COLOR_GRAY2RGB)
    assert warping_error(colour, colour, warp, np.ones((40, 50), bool)) == 0
    with pytest.raises(cv2.error):
        estimate_warp(flat, flat[:30])


@pytest.mark.parametrize("seed", range(3))
def test_correlation_is_scipys_over_what_is_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, 40))
    first[3], second[7:9] = np.nan, np.inf
    kept = np.isfinite(first) & np.isfinite(second)
    value, count, _ = correlation(first, second)
    assert (value, count) == (pytest.approx(pearsonr(first[kept], second[kept])[0]), 37)
    assert correlation(first, first)[0] == pytest.approx(1)


@pytest.mark.parametrize("late", [-4, 0, 3, 6])
def test_delay_is_the_lag_of_scipys_highest_correlation(late: int) -> None:
    rng = np.random.default_rng(late + 10)
    speed = np.convolve(rng.normal(size=90), np.hanning(7), "same")
    track = np.cumsum(np.stack([speed, 0 * speed], -1), 0)
    truth, result = track[10:70], track[10 - late : 70 - late]
    first, second = (np.diff(values[:, 0]) for values in (result, truth))
    expected = correlation_lags(len(first), len(second))[np.argmax(correlate(first, second))]
    assert expected == late
    assert delay(result, truth, 24.0) == pytest.approx(late, abs=0.05)
    nothing = np.full_like(truth, np.nan)
    assert np.isnan(delay(nothing, truth, 24.0)) and np.isnan(velocity_correlation(truth, nothing, 24.0))


def test_finger_angles_are_those_of_the_scalar_product() -> None:
    hands = np.random.default_rng(0).normal(size=(5, 21, 3))
    for hand, angles in zip(hands, finger_angles(hands), strict=True):
        for (parent, joint, child), angle in zip(FINGER_JOINTS, angles, strict=True):
            expected = np.arccos(1 - cosine(hand[joint] - hand[parent], hand[child] - hand[joint]))
            assert angle == pytest.approx(expected, abs=1e-7)
    assert (finger_angles(np.zeros((21, 3))) == 0).all()


def test_similarities_are_scipys_cosines() -> None:
    rng = np.random.default_rng(1)
    source, result, words = (rng.normal(size=(n, 8)) for n in (4, 4, 2))
    unit = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in (source, result, words)]
    expected = [1 - cosine(b - a, unit[2][1] - unit[2][0]) for a, b in zip(unit[0], unit[1], strict=True)]
    tensors = [torch.tensor(values) for values in (source, result, words)]
    assert directional_similarity(*tensors[:2], *tensors[2]) == pytest.approx(expected)
    assert mean_similarity(tensors[1], tensors[2]) == pytest.approx((1 - cdist(result, words, "cosine")).mean(1))
    broken = torch.full((4, 8), torch.nan, dtype=torch.float64)
    assert np.isnan(directional_similarity(tensors[0], broken, *tensors[2])).all()
    assert np.isnan(mean_similarity(broken, tensors[2])).all()


def textbook(cost: np.ndarray) -> float:
    """Return the sum along the cheapest path through a matrix of costs, cell by cell."""
    total = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
    total[0, 0] = 0
    for i, row in enumerate(cost):
        for j, here in enumerate(row):
            total[i + 1, j + 1] = here + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return float(total[-1, -1])


def random_keypoints(frames: int, seed: int, **changes) -> Keypoints:
    rng = np.random.default_rng(seed)
    points = np.ones((frames, 137, 3), np.float32)
    points[..., :2] = rng.uniform(20, 80, (137, 2)) + np.cumsum(rng.normal(0, 2, (frames, 137, 2)), 0)
    return Keypoints(**{"points": points, "fps": 10.0, "width": 100, "height": 100, "detector": "test"} | changes)


def test_dtw_mje_is_the_textbooks() -> None:
    reference, result = random_keypoints(14, 0), random_keypoints(14, 1)
    chosen = np.r_[np.array(UPPER_BODY), LEFT_HAND, RIGHT_HAND]
    first, second = (normalised(keypoints)[0][:, chosen] for keypoints in (reference, result))
    cost = np.mean([cdist(first[:, k], second[:, k]) for k in range(len(chosen))], axis=0)
    assert joint_distance(reference, result) == pytest.approx(textbook(cost) / 14, rel=1e-9)


def changed(change: Callable[[np.ndarray], None], frames: int = 12) -> Keypoints:
    keypoints = random_keypoints(frames, 5)
    change(points := keypoints.points.copy())
    return keypoints.with_points(points)


def _nothing(points: np.ndarray) -> None:
    points[:] = 0


def _one_place(points: np.ndarray) -> None:
    points[..., :2] = 50


def _still(points: np.ndarray) -> None:
    points[:] = points[:1]


def _not_a_number(points: np.ndarray) -> None:
    points[..., :2] = np.nan
    points[..., 2] = 0


def _half_not_a_number(points: np.ndarray) -> None:
    points[::2, :, :2] = np.nan
    points[::2, :, 2] = 0


def _far_away(points: np.ndarray) -> None:
    points[..., :2] *= 1e6


DEGENERATE = {
    "random": lambda: changed(lambda points: None),
    "nothing": lambda: changed(_nothing),
    "all points in one place": lambda: changed(_one_place),
    "still": lambda: changed(_still),
    "NaN": lambda: changed(_not_a_number),
    "NaN in every other frame": lambda: changed(_half_not_a_number),
    "far away": lambda: changed(_far_away),
    "one frame": lambda: changed(lambda points: None, frames=1),
    "two frames": lambda: changed(lambda points: None, frames=2),
}


@pytest.mark.parametrize("of_result", DEGENERATE)
@pytest.mark.parametrize("of_source", ["random", "nothing", "NaN in every other frame", "all points in one place"])
def test_keypoints_with_nothing_in_them_give_a_finite_value_or_a_reason(of_source: str, of_result: str) -> None:
    result = DEGENERATE[of_result]()
    source = DEGENERATE[of_source]()
    source = source.with_points(source.points[: len(result)])
    keypoints = {"source": source, "avatar": source, "result": result}
    measured = signing(keypoints, EvaluateSettings())[0] | legibility(keypoints, EvaluateSettings())[0]
    for name, metric in measured.items():
        assert (metric.value is None) != (metric.reason is None), name
        assert metric.value is None or np.isfinite(metric.value), name
    if of_source == "nothing":
        assert all(measured[f"hands_{kind}_source"].value is None for kind in ("recall", "error", "ndtw"))
    if of_result in ("nothing", "NaN") and of_source == "random":
        assert measured["hands_recall_source"].value == measured["hands_pck_strict_source"].value == 0
        assert measured["hands_precision_source"].value is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0])
def test_pictures_with_nothing_in_them_give_a_finite_value_or_a_reason(bad: float) -> None:
    values, features = np.full(6, bad), torch.full((6, 4), bad)
    both = {"source": features, "result": features}
    names = ("source", "avatar", "result")
    series = dict.fromkeys(names, values)
    warping = dict.fromkeys(("avatar", "result", "background"), values)
    measured = Measured(series, series, values, both, both, both, warping)
    for name, metric in (steadiness(measured) | likeness(measured, "net")).items():
        assert (metric.value is None) != (metric.reason is None), name
        assert metric.value is None or np.isfinite(metric.value), name
        assert (metric.value is None) == (not np.isfinite(bad)) or name == "flicker", name
