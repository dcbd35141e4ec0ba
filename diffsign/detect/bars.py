"""Black bars around a picture: what lies behind them is not in the picture, but a detector does not know that."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

#: Rows and columns are judged at this size.
SIDE = 128
#: Grey levels that a bar has at most, and of which it changes at most, over the frames and along itself.
BLACK, EVEN = 24, 8
#: A bar is at least so much of the picture, and all of them together at most so much: else the film is dark.
LEAST, MOST = 0.03, 0.6


def _ends(dark: np.ndarray) -> tuple[int, int]:
    """Return how many entries of (N,) are true from the start and from the end, without interruption."""
    light = np.flatnonzero(~dark)
    return (int(light[0]), int(len(dark) - 1 - light[-1])) if len(light) else (len(dark), 0)


def find_bars(frames: Iterable[np.ndarray]) -> tuple[float, float, float, float]:
    """Return the bars of a film at left, top, right and bottom, as parts of its width and height; 0 where is none.

    Args:
        frames: (height, width, 3) uint8.
    """
    low, high = np.full((SIDE, SIDE), 255.0), np.zeros((SIDE, SIDE))
    for frame in frames:
        small = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        low, high = np.minimum(low, small.min(-1)), np.maximum(high, small.max(-1))
    shares = []
    for axis in (0, 1):
        least, most = low.min(axis), high.max(axis)
        ends = np.array(_ends((most <= BLACK) & (most - least <= EVEN))) / SIDE
        shares.append(np.where(ends >= LEAST, ends, 0.0) if ends.sum() <= MOST else np.zeros(2))
    (left, right), (top, bottom) = shares
    return float(left), float(top), float(right), float(bottom)
