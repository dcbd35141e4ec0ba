"""Rigid alignment of point sets (Kabsch, Acta Cryst. A32, 1976)."""

from __future__ import annotations

from typing import cast

import numpy as np

from diffsign.geometry.arrays import Floats


def best_rotation(source: Floats, target: Floats) -> Floats:
    """Return the rotations (..., 3, 3) that bring ``source`` nearest to ``target``, both about their means.

    Args:
        source: (..., N, 3).
        target: (..., N, 3); leading axes are broadcast.
    """
    from_mean = source - source.mean(axis=-2, keepdims=True)
    to_mean = target - target.mean(axis=-2, keepdims=True)
    covariance = np.swapaxes(to_mean, -1, -2) @ from_mean
    u, _, v = cast("tuple[Floats, Floats, Floats]", np.linalg.svd(covariance))
    # Without this a flat set could be mirrored.
    u[..., -1] *= np.sign(np.linalg.det(u @ v))[..., None]
    return u @ v


def align(source: Floats, target: Floats, rotation: bool = True) -> Floats:
    """Return ``source`` (..., N, 3) moved onto ``target`` (..., N, 3) by least squares, without scale.

    Args:
        source: points.
        target: where they should be.
        rotation: whether the alignment rotates; it always translates.
    """
    centred = source - source.mean(axis=-2, keepdims=True)
    if rotation:
        centred = centred @ np.swapaxes(best_rotation(source, target), -1, -2)
    return centred + target.mean(axis=-2, keepdims=True)
