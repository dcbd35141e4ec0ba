"""Noise goes and movement stays."""

from __future__ import annotations

import numpy as np
import pytest

from diffsign.clean.smoothing import local_polynomial, noise_level, smooth
from diffsign.clean.steps import clean_keypoints
from diffsign.config.clean import CleanSettings
from diffsign.records.keypoints import (
    FACE,
    LEFT_HAND,
    RIGHT_HAND,
    Change,
)
from tests.clean.moving_signer import FPS, as_keypoints, error, signer


def amplitude(track: np.ndarray, frequency: float, fps: float) -> float:
    """Amplitude of a track's component at a frequency, away from the ends."""
    t = np.arange(len(track)) / fps
    inner = slice(12, -12)
    basis = np.column_stack([np.sin(2 * np.pi * frequency * t), np.cos(2 * np.pi * frequency * t), np.ones(len(t))])
    return float(np.linalg.norm(np.linalg.lstsq(basis[inner], track[inner], rcond=None)[0][:2]))


@pytest.mark.parametrize("noise", [0.0, 0.7])
@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_a_fast_finger_keeps_its_movement(fps: float, noise: float) -> None:
    """Four strokes a second of 8 px on one finger for a second, in two seconds of rest."""
    frames = int(4 * fps)
    points = signer(frames, fps)
    t = np.arange(frames) / fps
    points[:, LEFT_HAND, :2] = points[:1, LEFT_HAND, :2]
    tip = LEFT_HAND.start + 8
    points[:, tip, 1] += 8 * np.sin(2 * np.pi * 4 * t)
    points[..., :2] += noise * np.random.default_rng(0).normal(size=points[..., :2].shape)
    result = clean_keypoints(as_keypoints(points, fps), CleanSettings())
    assert not ((result.changes & Change.OUTLIER) > 0)[:, tip].any()
    kept = amplitude(result.points[:, tip, 1].astype(float), 4, fps)
    assert 0.9 * 8 < kept < 1.1 * 8


def test_noise_is_reduced(truth: np.ndarray) -> None:
    """Two pixels of white noise: points at rest lose half of it, signing hands some, nothing gets worse."""
    noisy = truth.copy()
    noisy[..., :2] += 2 * np.random.default_rng(0).normal(size=noisy[..., :2].shape)
    result = clean_keypoints(as_keypoints(noisy), CleanSettings())

    def rms(points: np.ndarray, part: slice) -> float:
        return float(np.sqrt(np.nanmean(error(points, truth)[:, part] ** 2)))

    assert rms(result.points, FACE) < 0.65 * rms(noisy, FACE)
    for part in (LEFT_HAND, RIGHT_HAND):
        assert rms(result.points, part) < 0.9 * rms(noisy, part)
    assert not (result.changes & Change.OUTLIER).any(axis=1).mean() > 0.1
    assert ((result.changes & Change.SMOOTHED) > 0)[truth[..., 2] > 0].mean() > 0.9


def test_smoothing_can_be_switched_off_and_dosed(truth: np.ndarray) -> None:
    noisy = truth.copy()
    noisy[..., :2] += np.random.default_rng(0).normal(size=noisy[..., :2].shape)
    results = [clean_keypoints(as_keypoints(noisy), CleanSettings(smoothing=s)).points for s in (0, 0.5, 1, 3)]
    moved = [float(np.nansum(error(points, noisy))) for points in results]
    assert moved[0] < 1
    assert moved[1] == pytest.approx(moved[2] / 2, rel=1e-3)
    left = [float(np.nanmean(error(points, truth)[:, FACE])) for points in results]
    assert sorted(left, reverse=True) == left


def test_a_sure_sample_weighs_more_than_an_unsure_one() -> None:
    values = np.zeros((21, 1, 1))
    values[10] = 10.0
    weights = np.full((21, 1), 0.9)
    sure = local_polynomial(values, weights, 4, 2)[9, 0, 0]
    weights[10] = 0.09
    unsure = local_polynomial(values, weights, 4, 2)[9, 0, 0]
    assert abs(unsure) < 0.25 * abs(sure)


def test_local_polynomials_are_those_of_savitzky_and_golay() -> None:
    from scipy.signal import savgol_filter

    values = np.random.default_rng(0).normal(size=(40, 3, 2))
    ours = local_polynomial(values, np.ones((40, 3)), 4, 2)
    np.testing.assert_allclose(ours[4:-4], savgol_filter(values, 9, 2, axis=0)[4:-4], atol=1e-5)
    line = np.linspace(0, 5, 40)[:, None, None]
    holed = np.random.default_rng(1).random((40, 1)) > 0.3
    np.testing.assert_allclose(local_polynomial(line, holed.astype(float), 4, 2), line, atol=1e-4)


def test_noise_level_is_measured_in_movement() -> None:
    t = np.arange(2000)[:, None, None] / FPS
    moving = 30 * np.sin(2 * np.pi * t) + np.random.default_rng(0).normal(scale=1.5, size=(2000, 5, 2))
    assert noise_level(moving) == pytest.approx(1.5, rel=0.1)


def test_smooth_leaves_missing_points_missing() -> None:
    values = np.random.default_rng(0).normal(size=(20, 2, 2))
    weights = np.ones((20, 2))
    weights[5:8, 0] = 0
    values[5:8, 0] = np.nan
    result = smooth(values, weights, 24, 1)
    assert np.isnan(result[5:8, 0]).all()
    assert np.isfinite(result[:, 1]).all()
