"""Where a clip changes its shot."""

from __future__ import annotations

import numpy as np

from diffsign.core.keypoints import NAMES, Keypoints

HEAD_AND_SHOULDERS = [NAMES.index(name) for name in ("nose", "right_shoulder", "left_shoulder")]


def shot_starts(keypoints: Keypoints, distance: float = 0.35) -> np.ndarray:
    """Tell which frames begin a shot.

    A cut moves head and shoulders at once, further in one frame than a body can. Frames where they are
    not seen are passed over.

    Args:
        keypoints: the clip's.
        distance: least jump, in shoulder widths.

    Returns:
        (T,) bool, the first True.
    """
    points = keypoints.points[:, HEAD_AND_SHOULDERS].astype(np.float64)
    seen = np.flatnonzero((points[..., 2] > 0).all(-1) & np.isfinite(points).all((-1, -2)))
    starts = np.zeros(len(points), dtype=bool)
    if len(starts):
        starts[0] = True
    if len(seen) < 2:
        return starts
    xy = points[seen, :, :2]
    width = np.median(np.linalg.norm(xy[:, 1] - xy[:, 2], axis=-1))
    jump = np.median(np.linalg.norm(np.diff(xy, axis=0), axis=-1), axis=-1)
    allowed = distance * max(width, 1.0) * np.sqrt(np.diff(seen))
    starts[seen[1:][jump > allowed]] = True
    return starts
