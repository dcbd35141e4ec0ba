"""Rotations as matrices and rotation vectors (axis-angle, radians), in batches of any shape."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation  # pyright: ignore[reportMissingTypeStubs]

from diffsign.geometry.arrays import Floats


def rotvec_to_rotmat(rotvec: Floats) -> Floats:
    """Return the matrices (..., 3, 3) of rotation vectors (..., 3)."""
    flat = Rotation.from_rotvec(np.asarray(rotvec, dtype=np.float64).reshape(-1, 3)).as_matrix()
    return flat.reshape(*rotvec.shape[:-1], 3, 3)


def rotmat_to_rotvec(rotmat: Floats, *, exact: bool = False) -> Floats:
    """Return the rotation vectors (..., 3), at most π long, of matrices (..., 3, 3).

    Args:
        rotmat: matrices; of one that is no rotation, the nearest one is taken.
        exact: that all are rotations is known, and not looked at.
    """
    flat = np.asarray(rotmat, dtype=np.float64).reshape(-1, 3, 3)
    return Rotation.from_matrix(flat, assume_valid=exact).as_rotvec().reshape(*rotmat.shape[:-2], 3)


def inverse(rotmat: Floats) -> Floats:
    """Return the inverses of matrices (..., 3, 3)."""
    return np.swapaxes(rotmat, -1, -2)


def interpolate_rotations(rotations: Floats, good: Floats) -> Floats:
    """Replace rotations (T, J, 3, 3) of frames that are not ``good`` (T,) by slerp; the ends hold."""
    if good.all() or not good.any():
        return rotations
    known = np.flatnonzero(good)
    frames = np.arange(len(rotations))
    after = np.clip(np.searchsorted(known, frames), 0, len(known) - 1)
    before = np.clip(after - 1, 0, len(known) - 1)
    before = np.where(frames <= known[0], 0, before)
    start, stop = known[before], known[after]
    share = np.where(stop > start, (frames - start) / np.maximum(stop - start, 1), 0.0)
    step = rotmat_to_rotvec(np.swapaxes(rotations[start], -1, -2) @ rotations[stop])
    between = rotations[start] @ rotvec_to_rotmat(np.clip(share, 0, 1)[:, None, None] * step)
    return np.where(good[:, None, None, None], rotations, between)


def skew(vector: Floats) -> Floats:
    """Return the matrices (..., 3, 3) that multiply like ``vector × ·``, for vectors (..., 3)."""
    matrix = np.zeros((*vector.shape, 3), dtype=vector.dtype)
    x, y, z = np.moveaxis(vector, -1, 0)
    matrix[..., 0, 1], matrix[..., 0, 2], matrix[..., 1, 2] = -z, y, -x
    matrix[..., 1, 0], matrix[..., 2, 0], matrix[..., 2, 1] = z, -y, x
    return matrix


def inverse_right_jacobian(rotvec: Floats) -> Floats:
    """Return d log(exp(a) exp(δ)) / dδ at δ = 0, (..., 3, 3), for rotation vectors a (..., 3).

    The inverse left Jacobian is the same function of −a. Source: Chirikjian, Stochastic Models,
    Information Theory, and Lie Groups, volume 2, equation 10.86. Angles near 2π, where it is
    singular, do not come out of :func:`rotmat_to_rotvec`.
    """
    angle2 = np.sum(rotvec**2, axis=-1)
    angle = np.sqrt(angle2)
    small = angle < 1e-3
    safe = np.where(small, 1.0, angle)
    # 1/θ² − cot(θ/2)/(2θ), with its series near zero.
    factor = np.where(small, 1 / 12 + angle2 / 720, 1 / safe**2 - 1 / (2 * safe * np.tan(safe / 2)))
    hat = skew(rotvec)
    return np.eye(3) + 0.5 * hat + factor[..., None, None] * (hat @ hat)
