"""Smoothing that sees both ways and lets fast movement through.

Every point is fitted by local polynomials (Savitzky and Golay 1964, with confidences as weights, so gaps and
ends need no special care) at two widths. Where the narrow and the wide fit differ by more than noise can explain,
there is movement, and the narrow one counts; where the samples differ from the narrow fit by more than noise
can, the samples count. Between these the shrinkage is Wiener's: 1 − noise variance / observed variance.
"""

from __future__ import annotations

import numpy as np

#: Half widths of the fits in seconds, and their degrees.
WIDE, WIDE_DEGREE = 1 / 6, 2
NARROW, NARROW_DEGREE = 1 / 8, 4
#: Frames on either side over which movement is measured.
NEAR = 2
#: Movement must exceed this many times the variance that noise explains.
DOUBT = 2.0
#: Variance of the third difference of white noise of variance 1.
THIRD_DIFFERENCE = 20.0


def _shifts(values: np.ndarray, half: int) -> np.ndarray:
    """Return (2 half + 1, T, ...) copies of ``values`` (T, ...) moved in time, zeros beyond the ends."""
    padded = np.pad(values, [(half, half), *[(0, 0)] * (values.ndim - 1)])
    return np.stack([padded[offset : offset + len(values)] for offset in range(2 * half + 1)])


def local_polynomial(values: np.ndarray, weights: np.ndarray, half: int, degree: int) -> np.ndarray:
    """Return the local polynomial fit of tracks at every frame.

    Args:
        values: (T, N, D).
        weights: (T, N), 0 where missing.
        half: frames on either side.
        degree: of the polynomial; where there are too few samples the fit goes through them.
    """
    offsets = np.arange(-half, half + 1) / half
    powers = offsets[:, None] ** np.arange(degree + 1)
    weight = _shifts(weights, half)
    moments = np.einsum("oa,ob,otn->tnab", powers, powers, weight)
    moments += 1e-7 * np.eye(degree + 1)
    right = np.einsum("oa,otnd->tnad", powers, weight[..., None] * _shifts(np.nan_to_num(values), half))
    return np.linalg.solve(moments, right)[..., 0, :]


def _kernel(half: int, degree: int, length: int) -> np.ndarray:
    """Return what the fit with equal weights does to an impulse, as (2 length + 1,) factors."""
    impulse = np.zeros((4 * length + 1, 1, 1))
    impulse[2 * length] = 1.0
    response = local_polynomial(impulse, np.ones(impulse.shape[:2]), half, degree)[:, 0, 0]
    return response[length : 3 * length + 1]


def noise_level(values: np.ndarray) -> float:
    """Return the standard deviation of white noise on tracks (T, N, D), NaN where missing, robustly.

    From third differences, in which smooth movement cancels; 0 if there are fewer than four frames in a row.
    """
    if len(values) < 4:
        return 0.0
    third = np.abs(values[3:] - 3 * values[2:-1] + 3 * values[1:-2] - values[:-3])
    third = third[np.isfinite(third)]
    # The median of |x| of a normal variable is 0.6745 of its standard deviation.
    return float(np.median(third)) / 0.6745 / np.sqrt(THIRD_DIFFERENCE) if len(third) else 0.0


def _keep(difference: np.ndarray, weights: np.ndarray, explained: float) -> np.ndarray:
    """Return (T, N, 1) in 0..1: the part of a difference between two fits that noise does not explain."""
    known = _shifts((weights > 0).astype(np.float64), NEAR).sum(axis=0)
    power = _shifts(np.where(weights[..., None] > 0, difference**2, 0.0).mean(axis=-1), NEAR).sum(axis=0)
    power = power / np.maximum(known, 1.0)
    return np.clip(1.0 - DOUBT * explained / np.maximum(power, 1e-12), 0.0, 1.0)[..., None]


def smooth(values: np.ndarray, weights: np.ndarray, fps: float, strength: float) -> np.ndarray:
    """Smooth the tracks of one part of the signer within a shot.

    Args:
        values: (T, N, D), NaN where missing (and so they stay).
        weights: (T, N) confidences, 0 where missing.
        fps: frames per second.
        strength: 0 for nothing; up to 1 a part of the correction; above 1 the wide fit is wider by that factor.
    """
    if strength <= 0 or len(values) < 3 or not (weights > 0).any():
        return values
    half_narrow = max(3, round(NARROW * fps))
    half_wide = max(4, round(WIDE * fps * max(strength, 1.0)))
    narrow = local_polynomial(values, weights, half_narrow, NARROW_DEGREE)
    wide = local_polynomial(values, weights, half_wide, WIDE_DEGREE)
    reach = max(half_narrow, half_wide)
    narrow_kernel = _kernel(half_narrow, NARROW_DEGREE, reach)
    wide_kernel = _kernel(half_wide, WIDE_DEGREE, reach)
    sample = np.zeros(2 * reach + 1)
    sample[reach] = 1.0
    variance = noise_level(np.where(weights[..., None] > 0, values, np.nan)) ** 2
    raw = np.nan_to_num(values)
    moving = _keep(narrow - wide, weights, variance * float(((narrow_kernel - wide_kernel) ** 2).sum()))
    jerking = _keep(raw - narrow, weights, variance * float(((sample - narrow_kernel) ** 2).sum()))
    result = wide + moving * (narrow - wide) + jerking * (raw - narrow)
    result = raw + min(strength, 1.0) * (result - raw)
    return np.where(weights[..., None] > 0, result, values)
