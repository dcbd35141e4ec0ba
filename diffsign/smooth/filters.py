"""Zero-phase filters on values and on rotations.

The filter is local quadratic regression under a Gaussian window: straight and evenly bending
movement passes unchanged, ends need no padding, and it works from one frame up. Rotations are
regressed in the tangent space of each frame's own rotation (the logarithms of the relative
rotations), so nothing depends on how an axis-angle happens to be written.
"""

from __future__ import annotations

import numpy as np

from diffsign.geometry.rotations import inverse, rotmat_to_rotvec, rotvec_to_rotmat

#: Standard deviation of the window in seconds times the cut-off in Hz. The response of local quadratic
#: regression is (1 + u) exp(−u) with u = (2π f σ)² / 2, which is 1/√2 at u = 1.0746.
SIGMA_TIMES_CUTOFF = np.sqrt(2 * 1.0746) / (2 * np.pi)
#: Half width of the window in standard deviations.
REACH = 3.5


def window_weights(frames: int, cutoff: float, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return neighbours (T, n) int and weights (T, n) whose weighted sum is each frame's filtered value.

    Args:
        frames: T.
        cutoff: Hz, where the response is 1/√2.
        fps: frames per second.
    """
    sigma = SIGMA_TIMES_CUTOFF / cutoff * fps
    half = max(1, min(frames - 1, int(np.ceil(REACH * sigma))))
    offsets = np.arange(-half, half + 1)
    at = np.arange(frames)[:, None] + offsets
    inside = (at >= 0) & (at < frames)
    gauss = np.where(inside, np.exp(-0.5 * (offsets / sigma) ** 2), 0.0)
    weights = np.empty(at.shape)
    for t in range(frames):
        if half < t < frames - half - 1:
            weights[t] = weights[t - 1]  # away from the ends all windows are the same
            continue
        order = min(2, int(inside[t].sum()) - 1)
        powers = (offsets / half)[:, None] ** np.arange(order + 1)
        weighted = powers * gauss[t][:, None]
        intercept = np.linalg.solve(weighted.T @ powers + 1e-12 * np.eye(order + 1), np.eye(order + 1)[0])
        weights[t] = weighted @ intercept
    return np.clip(at, 0, frames - 1), weights / weights.sum(1, keepdims=True)


def filter_values(values: np.ndarray, cutoff: float, fps: float) -> np.ndarray:
    """Filter (T, n) values; a cut-off of 0 leaves them as they are."""
    if not cutoff or len(values) < 2:
        return values
    at, weights = window_weights(len(values), cutoff, fps)
    return np.einsum("tk,tkn->tn", weights, values[at])


def filter_rotations(rotations: np.ndarray, cutoff: float, fps: float) -> np.ndarray:
    """Filter (T, J, 3, 3) rotations; a cut-off of 0 leaves them as they are."""
    if not cutoff or len(rotations) < 2:
        return rotations
    at, weights = window_weights(len(rotations), cutoff, fps)
    back = inverse(rotations)
    shift = np.zeros((*rotations.shape[:2], 3))
    for k in range(at.shape[1]):
        shift += weights[:, k, None, None] * rotmat_to_rotvec(back @ rotations[at[:, k]])
    return rotations @ rotvec_to_rotmat(shift)


def interpolate_values(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Replace frames that are not ``good`` (T,) by straight lines between those that are; the ends hold."""
    if good.all() or not good.any():
        return values
    frames = np.arange(len(values))
    return np.stack([np.interp(frames, frames[good], column[good]) for column in values.T], axis=1)
