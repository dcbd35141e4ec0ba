"""Left and right that a detector took for each other, found as the cheapest path through the clip."""

from __future__ import annotations

import numpy as np

from diffsign.clean.scale import NUMBER
from diffsign.geometry.paths import cheapest_path
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND

#: Elbows and wrists of the body.
LEFT_ARM = np.array([NUMBER["left_elbow"], NUMBER["left_wrist"]])
RIGHT_ARM = np.array([NUMBER["right_elbow"], NUMBER["right_wrist"]])
HANDS = np.r_[LEFT_HAND], np.r_[RIGHT_HAND]

#: Distances count up to this many metres, so that one wild point does not decide.
CAP_M = 0.25
#: What a swapped frame costs, in metres: without evidence the detector is right.
PRIOR_M = 0.01
#: What it costs that a hand is where no wrist is known to be: less than a jump, more than a movement.
UNKNOWN_M = 0.1
#: What it costs that one side appears where the other one vanishes: as much as the longest jump, so that one hand alone
#: that moves fast keeps its name.
TAKEN_OVER_M = CAP_M


def _distance(a: np.ndarray, b: np.ndarray, metre: float, unknown: float = UNKNOWN_M) -> np.ndarray:
    """Return the median distance over points of (..., N, 2) in pixels, ``metre`` pixels to the metre.

    Distances are capped, and 0 where ``a`` is missing. Where ``a`` is seen and ``b`` is not they are ``unknown``
    metres: what cannot be compared must not look like a perfect match.
    """
    distance = np.linalg.norm(a - b, axis=-1)
    known = np.isfinite(distance).any(axis=-1)
    median = np.nanmedian(np.where(known[..., None], distance, 0.0), axis=-1)
    shown = np.isfinite(a[..., 0]).any(axis=-1)
    return metre * np.where(known, np.minimum(median / metre, CAP_M), np.where(shown, unknown, 0.0))


def find_swaps(
    left: np.ndarray, right: np.ndarray, metre: float, anchors: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """Tell in which frames of a shot left and right are exchanged.

    Args:
        left: (T, N, 2) pixels of the left side, NaN where missing.
        right: (T, N, 2) of the right side.
        metre: pixels that a metre takes.
        anchors: (T, 2) where the first point of each side should be (the body's wrists), if known.

    Returns:
        (T,) bool. The sequence is the one (Viterbi) for which both sides move least from frame to frame and are
        nearest to their anchors. A step over frames without a hand counts by its speed.
    """
    frames = len(left)
    swapped = np.zeros(frames, dtype=bool)
    present = np.flatnonzero(np.isfinite(left[..., 0]).any(axis=1) | np.isfinite(right[..., 0]).any(axis=1))
    if len(present) == 0 or not np.isfinite(metre):
        return swapped
    left, right = left[present], right[present]
    cost = np.zeros((len(present), 2))
    cost[:, 1] = PRIOR_M * metre
    if anchors is not None:
        at_left, at_right = (anchor[present, None] for anchor in anchors)
        cost[:, 0] += _distance(left[:, :1], at_left, metre) + _distance(right[:, :1], at_right, metre)
        cost[:, 1] += _distance(left[:, :1], at_right, metre) + _distance(right[:, :1], at_left, metre)
    gaps = np.diff(present)

    def step(after: np.ndarray, before: np.ndarray) -> np.ndarray:
        return _distance(after[1:], before[:-1], metre, TAKEN_OVER_M) / gaps

    same = step(left, left) + step(right, right)
    crossed = step(left, right) + step(right, left)
    change = np.stack([np.stack([same, crossed], axis=-1), np.stack([crossed, same], axis=-1)], axis=-1)
    swapped[present] = cheapest_path(cost, change) == 1
    return swapped


def exchange(values: np.ndarray, swapped: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``values`` (T, 137, ...) with the points ``left`` and ``right`` exchanged in the frames ``swapped``."""
    result = values.copy()
    rows = np.flatnonzero(swapped)[:, None]
    result[rows, left], result[rows, right] = values[rows, right], values[rows, left]
    return result
