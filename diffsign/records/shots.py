"""Cuts: where one shot of a clip ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffsign.records.keypoints import Change, Keypoints

#: A cut stands out from so many seconds before and after it.
NEAR = 0.25


def spikes(change: NDArray[Any], fps: float, times: float, least: float) -> NDArray[Any]:
    """Tell where a change from frame to frame stands alone, as no movement does.

    A body takes several frames to start and to stop, so its changes have neighbours of their own kind; a cut has none.
    A flash or a glitch comes and goes, and is no cut either, since its way back is as large as its way there.

    Args:
        change: (T,) how much a frame differs from the one before; the first entry is not looked at.
        fps: frames per second.
        times: how many times larger than every change nearby a spike is.
        least: smallest change nearby that is reckoned with; a spike is at least ``times`` as large.

    Returns:
        (T,) bool; the first and the last two frames never, since they have too few neighbours.
    """
    alone = np.zeros(len(change), dtype=bool)
    reach = max(2, round(NEAR * fps))
    for t in range(3, len(change) - 2):
        before, after = change[max(1, t - reach) : t], change[t + 1 : t + 1 + reach]
        alone[t] = change[t] > times * max(before.max(), after.max(), least)
    return alone


def mark_cuts(changes: NDArray[Any], frames: Iterable[int]) -> NDArray[Any]:
    """Return ``changes`` (T, 137) of keypoints with the bit of a cut set in ``frames``."""
    marked = changes.copy()
    marked[list(frames)] |= Change.CUT
    return marked


def shot_starts(keypoints: Keypoints) -> NDArray[Any]:
    """Return (T,) bool, True where a shot begins: at the first frame and after each marked cut."""
    starts = (keypoints.changes & Change.CUT > 0).any(axis=1)
    starts[:1] = True
    return starts
