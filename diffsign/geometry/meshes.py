"""Normals of triangle meshes whose vertices move, for all frames at once (trimesh holds one pose of a mesh)."""

from __future__ import annotations

import numpy as np
from scipy import sparse  # pyright: ignore[reportMissingTypeStubs]

from diffsign.geometry.arrays import Floats, Integers


def face_normals(vertices: Floats, faces: Integers) -> Floats:
    """Return the normals (..., F, 3) of triangles, each as long as twice the triangle's area.

    Args:
        vertices: (..., V, 3).
        faces: (F, 3).
    """
    corners = vertices[..., faces, :]
    return np.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])


def vertex_normals(vertices: Floats, faces: Integers) -> Floats:
    """Return unit normals (..., V, 3), weighted by area, of vertices (..., V, 3) and faces (F, 3)."""
    across = face_normals(vertices, faces)
    count = vertices.shape[-2]
    gather = sparse.csr_array(
        (np.ones(faces.size, across.dtype), (faces.ravel(), np.repeat(np.arange(len(faces)), 3))),
        shape=(count, len(faces)),
    )
    flat = np.moveaxis(across, -2, 0).reshape(len(faces), -1)
    total = np.asarray(gather @ flat, dtype=across.dtype)
    normals = np.moveaxis(total.reshape(count, *across.shape[:-2], 3), 0, -2)
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
