"""Left and right that a detector took for each other, found as the cheapest path through the clip."""

from __future__ import annotations

import numpy as np

from diffsign.clean.scale import NUMBER
from diffsign.core.keypoints import LEFT_HAND, RIGHT_HAND

#: Elbows and wrists of the body.
LEFT_ARM = np.array([NUMBER["left_elbow"], NUMBER["left_wrist"]])
RIGHT_ARM = np.array([NUMBER["right_elbow"], NUMBER["right_wrist"]])
HANDS = np.r_[LEFT_HAND], np.r_[RIGHT_HAND]

#: Distances count up to this many metres, so that one wild point does not decide.
CAP_M = 0.25
#: What a swapped frame costs, in metres: without evidence the detector is right.
PRIOR_M = 0.01


def _distance(a: np.ndarray, b: np.ndarray, cap: float) -> np.ndarray:
    """Return the median distance over points of (..., N, 2), at most ``cap``; 0 where no point is in both."""
    distance = np.linalg.norm(a - b, axis=-1)
    known = np.isfinite(distance).any(axis=-1)
    median = np.nanmedian(np.where(known[..., None], distance, 0.0), axis=-1)
    return np.where(known, np.minimum(median, cap), 0.0)


def find_swaps(
    left: np.ndarray, right: np.ndarray, pixels_per_metre: float, anchors: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """Tell in which frames of a shot left and right are exchanged.

    Args:
        left: (T, N, 2) pixels of the left side, NaN where missing.
        right: (T, N, 2) of the right side.
        pixels_per_metre: of the signer.
        anchors: (T, 2) where the first point of each side should be (the body's wrists), if known.

    Returns:
        (T,) bool. The sequence is the one (Viterbi) for which both sides move least from frame to frame and are
        nearest to their anchors.
    """
    frames = len(left)
    swapped = np.zeros(frames, dtype=bool)
    present = np.flatnonzero(np.isfinite(left[..., 0]).any(axis=1) | np.isfinite(right[..., 0]).any(axis=1))
    if len(present) == 0 or not np.isfinite(pixels_per_metre):
        return swapped
    left, right = left[present], right[present]
    cap = CAP_M * pixels_per_metre
    cost = np.zeros((len(present), 2))
    cost[:, 1] = PRIOR_M * pixels_per_metre
    if anchors is not None:
        at_left, at_right = (anchor[present, None] for anchor in anchors)
        cost[:, 0] += _distance(left[:, :1], at_left, cap) + _distance(right[:, :1], at_right, cap)
        cost[:, 1] += _distance(left[:, :1], at_right, cap) + _distance(right[:, :1], at_left, cap)
    same = _distance(left[1:], left[:-1], cap) + _distance(right[1:], right[:-1], cap)
    crossed = _distance(left[1:], right[:-1], cap) + _distance(right[1:], left[:-1], cap)
    total, came_from = cost[0], np.zeros((len(present), 2), dtype=int)
    for t in range(1, len(present)):
        step = total[:, None] + np.array([[same[t - 1], crossed[t - 1]], [crossed[t - 1], same[t - 1]]])
        came_from[t] = step.argmin(axis=0)
        total = step.min(axis=0) + cost[t]
    state = int(total.argmin())
    for t in range(len(present) - 1, -1, -1):
        swapped[present[t]] = bool(state)
        state = came_from[t, state]
    return swapped


def exchange(values: np.ndarray, swapped: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``values`` (T, 137, ...) with the points ``left`` and ``right`` exchanged in the frames ``swapped``."""
    result = values.copy()
    rows = np.flatnonzero(swapped)[:, None]
    result[rows, left], result[rows, right] = values[rows, right], values[rows, left]
    return result
