"""Cuts that the pictures show: one differs from the last as no movement nearby does."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from diffsign.records.shots import spikes

#: Pictures are compared at this size, where grain and small movements vanish.
SIDE = 64
#: A cut changes the picture so many times more than anything nearby, and than so many grey levels in the mean.
TIMES, LEAST = 1.9, 0.8


def find_cuts(frames: Iterable[np.ndarray], fps: float) -> list[int]:
    """Return the frames at which a new shot begins, without the first.

    Args:
        frames: pictures of a clip, (height, width, 3) uint8.
        fps: frames per second.
    """
    changes, last = [], None
    for frame in frames:
        small = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        changes.append(0.0 if last is None else float(np.abs(small - last).mean()))
        last = small
    return [int(t) for t in np.flatnonzero(spikes(np.array(changes), fps, TIMES, LEAST))]
