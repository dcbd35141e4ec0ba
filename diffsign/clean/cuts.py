"""Cuts that the points show: head and shoulders jump, further than a body can or unlike all movement nearby."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from diffsign.clean.scale import STEADY
from diffsign.records.shots import spikes

#: Median jump from one frame to the next, in metres, that only a cut explains.
JUMP_M = 0.15
#: A jump that is taken back within so many frames is a glitch of the detector, not a cut.
GLITCH = 3
#: A smaller jump is a cut if it is so many times larger than what moves nearby, or than so many metres.
TIMES, LEAST_M = 3.0, 0.007


def _jump(xy: np.ndarray, a: int, b: int) -> float:
    distance = np.linalg.norm(xy[b, STEADY] - xy[a, STEADY], axis=-1)
    return float(np.nanmedian(distance)) if np.isfinite(distance).any() else 0.0


def find_cuts(xy: np.ndarray, fps: float, pixels_per_metre: float) -> list[int]:
    """Return the frames at which a new shot begins, without the first.

    Args:
        xy: (T, 137, 2) pixels, NaN where missing.
        fps: frames per second.
        pixels_per_metre: of the body; NaN finds no cuts.
    """
    if not np.isfinite(pixels_per_metre):
        return []
    known = np.flatnonzero(np.isfinite(xy[:, STEADY, 0]).any(axis=1))
    limit = JUMP_M * pixels_per_metre
    steps = np.array([0.0, *(_jump(xy, a, b) for a, b in pairwise(known))])
    cuts = [int(t) for t in known[spikes(steps, fps, TIMES, LEAST_M * pixels_per_metre)[: len(known)]]]
    i = 1
    while i < len(known):
        if _jump(xy, known[i - 1], known[i]) <= limit:
            i += 1
            continue
        back = next(
            (j for j in range(i + 1, min(i + 1 + GLITCH, len(known))) if _jump(xy, known[i - 1], known[j]) <= limit),
            None,
        )
        if back is None:
            cuts.append(int(known[i]))
            i += 1
        else:
            i = back + 1
    return sorted(set(cuts))
