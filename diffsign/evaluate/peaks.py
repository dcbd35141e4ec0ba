"""Peaks of a series, without :mod:`scipy.signal`, which takes longer to import than all strokes of a day to find."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def find_peaks(values: npt.NDArray[np.floating], height: float, prominence: float) -> npt.NDArray[np.int64]:
    """Return where a series has its peaks, as :func:`scipy.signal.find_peaks`.

    Args:
        values: (T,), without NaN. Of a flat top the middle is the peak; neither end is one.
        height: least value of a peak.
        prominence: least height above the higher of the two valleys between a peak and higher ones, or the ends.

    >>> find_peaks(np.array([0.0, 2.0, 1.5, 3.0, 0.0]), height=1.0, prominence=1.0)
    array([3])
    """
    starts = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)  # of the runs of equal values
    runs = values[starts]
    ends = np.append(starts[1:], len(values))
    tops = 1 + np.flatnonzero((runs[1:-1] > runs[:-2]) & (runs[1:-1] > runs[2:]))
    peaks = [(starts[top] + ends[top] - 1) // 2 for top in tops if runs[top] >= height]
    kept = []
    for peak in peaks:
        higher = np.flatnonzero(values > values[peak])
        left = higher[higher < peak].max(initial=-1) + 1
        right = higher[higher > peak].min(initial=len(values))
        valley = max(values[left : peak + 1].min(), values[peak:right].min())
        if values[peak] - valley >= prominence:
            kept.append(peak)
    return np.array(kept, dtype=np.int64)
