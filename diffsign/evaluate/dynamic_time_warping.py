"""Distances of pose sequences that forgive a shift in time: dynamic time warping over hands and upper body."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diffsign.evaluate.legibility import UPPER_BODY
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND, Keypoints

#: Where a missing point lies, in shoulder widths from the neck, as `pose-evaluation` fills it.
MISSING = 10.0
#: How far two frames may be apart and still be matched, in seconds.
REACH = 2.0
Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
_SHOULDERS = (2, 5)
_HANDS = np.r_[LEFT_HAND, RIGHT_HAND]


def warped_cost(first: np.ndarray, second: np.ndarray, distance: Distance, reach: int) -> np.ndarray:
    """Return the cost of the cheapest monotonous match of two sequences.

    Args:
        first: (T, P, D) points of one clip.
        second: (S, P, D) points of the other.
        distance: of N pairs of frames (N, P, D), to (N, Q): Q matches are looked for, each by itself.
        reach: frames that matched frames may be apart, beyond the difference in length.

    Returns:
        (Q,) sums along the cheapest paths.

    >>> late = np.array([0.0, 0, 1, 2, 3]).reshape(5, 1, 1)
    >>> warped_cost(late, late[1:], lambda a, b: np.abs(a - b).sum(-1), reach=2)
    array([0.])
    """
    rows, columns = len(first), len(second)
    reach += abs(rows - columns)
    one = two = np.full((rows + 1, distance(first[:1], second[:1]).shape[1]), np.inf)
    # Cells of one anti-diagonal need only the two before it; row i is kept at i + 1, so that row −1 is infinite.
    for diagonal in range(rows + columns - 1):
        low = max(0, diagonal - columns + 1, (diagonal - reach + 1) // 2)
        i = np.arange(low, min(rows - 1, diagonal, (diagonal + reach) // 2) + 1)
        cost = distance(first[i], second[diagonal - i])
        if diagonal:
            cost = cost + np.minimum(np.minimum(one[i + 1], one[i]), two[i])
        now = np.full_like(one, np.inf)
        now[i + 1] = cost
        one, two = now, one
    return one[rows]


def normalised(keypoints: Keypoints, min_confidence: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return all points in shoulder widths from the middle between the shoulders of the clip.

    Args:
        keypoints: of a clip.
        min_confidence: a point counts above it.

    Returns:
        (T, 137, 2), NaN if the shoulders are never seen; and (T, 137) bool, which points are there.
    """
    points = keypoints.xy.astype(np.float64)
    shown = keypoints.confidence > min_confidence
    both = shown[:, _SHOULDERS].all(1)
    if not both.any():
        return np.full_like(points, np.nan), shown
    right, left = (points[both, shoulder] for shoulder in _SHOULDERS)
    width = np.linalg.norm(right - left, axis=-1).mean()
    return (points - ((right + left) / 2).mean(0)) / (width if width > 0 else np.nan), shown


def _trimmed(shown: np.ndarray) -> slice:
    """Return the frames (T, P) from the first to the last that show any point."""
    frames = np.flatnonzero(shown.any(1))
    return slice(int(frames[0]), int(frames[-1]) + 1) if len(frames) else slice(0, 0)


def hands_distance(reference: Keypoints, result: Keypoints, min_confidence: float = 0.0) -> float:
    """Distance of the hands' movements (nDTWp of `pose-evaluation`, Jiang et al. 2025).

    Hands normalised by the shoulders, frames without a hand trimmed from both ends, missing points at
    :data:`MISSING`; each point's track is warped by itself (Euclidean, root of the summed squares), and the mean taken.
    Frames farther apart than :data:`REACH` are not matched, which keeps long clips quick.

    Returns:
        The distance, NaN if a clip shows no hand or no shoulders.
    """
    tracks = []
    for keypoints in (reference, result):
        points, shown = normalised(keypoints, min_confidence)
        points, shown = points[:, _HANDS], shown[:, _HANDS]
        if not shown.any() or np.isnan(points).all():
            return float("nan")
        tracks.append(np.where(shown[..., None], points, MISSING)[_trimmed(shown)])
    squares: Distance = lambda first, second: ((first - second) ** 2).sum(-1)  # noqa: E731
    first, second = tracks
    return float(np.sqrt(warped_cost(first, second, squares, round(REACH * reference.fps))).mean())


def joint_distance(reference: Keypoints, result: Keypoints, min_confidence: float = 0.0) -> float:
    """Mean joint error along the cheapest match of upper body and hands (DTW-MJE, Huang et al. 2021).

    Points normalised by the shoulders; a point that either clip lacks lies at the middle of the shoulders, as in
    Ham2Pose. The sum along the path is divided by the frames of the reference.

    Returns:
        Shoulder widths, NaN if a clip shows no shoulders.
    """
    index = np.r_[np.array(UPPER_BODY), _HANDS]
    tracks = []
    for keypoints in (reference, result):
        points, shown = normalised(keypoints, min_confidence)
        if np.isnan(points).any():
            return float("nan")
        tracks.append(np.where(shown[..., None], points, 0.0)[:, index])
    mean: Distance = lambda first, second: np.linalg.norm(first - second, axis=-1).mean(-1, keepdims=True)  # noqa: E731
    first, second = tracks
    return float(warped_cost(first, second, mean, round(REACH * reference.fps))[0] / len(reference))
