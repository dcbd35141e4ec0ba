"""Short gaps, filled by a curve through what is known on both sides."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
from scipy.interpolate import Akima1DInterpolator

#: Samples on either side of a gap that shape the curve through it.
NEIGHBOURS = 3


def short_gaps(known: np.ndarray, longest: int) -> list[tuple[int, int]]:
    """Return (start, stop) of the gaps of at most ``longest`` frames between frames where ``known`` (T,) is true."""
    times = np.flatnonzero(known)
    return [(int(a) + 1, int(b)) for a, b in pairwise(times) if 1 < b - a <= longest + 1]


def interpolate_gaps(values: np.ndarray, longest: int) -> np.ndarray:
    """Return tracks (T, N, D) with gaps of up to ``longest`` frames filled, all else as it was.

    The curve is Akima's modified spline (no overshoot beside flat stretches); gaps at the ends stay.
    """
    filled = values.copy()
    known = np.isfinite(values[..., 0])
    masks, group = np.unique(known, axis=1, return_inverse=True)
    group = group.ravel()
    for number, mask in enumerate(masks.T):
        columns = np.flatnonzero(group == number)
        times = np.flatnonzero(mask)
        for start, stop in short_gaps(mask, longest):
            before = np.searchsorted(times, start)
            near = times[max(0, before - NEIGHBOURS) : before + NEIGHBOURS]
            known = values[near][:, columns]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # 0 / 0 where a track stands still, which it handles
                curve = Akima1DInterpolator(near, known, axis=0, method="makima")
            filled[start:stop, columns] = curve(np.arange(start, stop))
    return filled


def interpolate_beside(values: np.ndarray, base: np.ndarray, longest: int) -> np.ndarray:
    """Like :func:`interpolate_gaps`, but relative to ``base`` (T, D) where known: a lost hand moves with its wrist."""
    relative = interpolate_gaps(values - base[:, None], longest) + base[:, None]
    absolute = interpolate_gaps(values, longest)
    return np.where(np.isfinite(values), values, np.where(np.isfinite(relative), relative, absolute))


def interpolate_confidence(confidence: np.ndarray, known: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Return confidence (T, N) where points ``filled`` (T, N) get half of the lower confidence beside their gap."""
    result = np.where(known, confidence, 0.0)
    for point in np.flatnonzero(filled.any(axis=0)):
        times = np.flatnonzero(known[:, point])
        for t in np.flatnonzero(filled[:, point]):
            after = int(np.searchsorted(times, t))
            result[t, point] = 0.5 * min(confidence[times[after - 1], point], confidence[times[after], point])
    return result


def gaps_with(flags: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return (T,) bool: all frames of the gaps in ``known`` (T,) that have a frame flagged in ``flags`` (T,)."""
    gap = np.cumsum(known)
    return ~known & np.isin(gap, gap[flags & ~known])
