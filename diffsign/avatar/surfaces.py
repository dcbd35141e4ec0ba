"""Surfaces that follow a body: pieces cut from it and laid over it, and solid things fixed to it.

Everything is numpy on vertices; nothing here knows what a shirt is. Cutting and subdividing return matrices, not
meshes (as trimesh's do): the same surface is made again from the body's vertices in every frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from trimesh.creation import revolve

from diffsign.geometry.alignment import best_rotation
from diffsign.geometry.meshes import vertex_normals


def smoothing(faces: np.ndarray, count: int, rounds: int) -> sparse.csr_matrix:
    """Return the (V, V) matrix that moves every vertex ``rounds`` times half-way to the mean of its neighbours."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    near = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    near.data[:] = 1
    degree = np.asarray(near.sum(axis=1)).ravel()
    step = sparse.diags(np.where(degree > 0, 0.5, 1.0)) + sparse.diags(0.5 / np.maximum(degree, 1)) @ near
    total = sparse.identity(count, format="csr")
    for _ in range(rounds):
        total = step @ total
    return sparse.csr_matrix(total)


def subdivide(faces: np.ndarray, count: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Split every triangle into four; return the (N, V) matrix that makes the vertices, and the faces (4F, 3)."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, index = np.unique(edges, axis=0, return_inverse=True)
    ab, bc, ca = count + index.reshape(3, -1)
    a, b, c = faces.T
    rows = np.repeat(np.arange(len(edges)), 2)
    middles = sparse.csr_matrix((np.full(edges.size, 0.5), (rows, edges.ravel())), shape=(len(edges), count))
    matrix = sparse.vstack([sparse.identity(count), middles], format="csr")
    corners = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return sparse.csr_matrix(matrix), np.concatenate([np.stack(corner, axis=-1) for corner in corners])


def cut_surface(faces: np.ndarray, field: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Cut a surface along the zero line of a field and keep where the field is positive.

    Args:
        faces: (F, 3) triangles.
        field: (V,) a value at each vertex.

    Returns:
        The (N, V) matrix that makes the kept surface's vertices out of the old ones (old vertices, and points
        on edges), and its faces (M, 3).
    """
    inside = field > 0
    rows: dict[tuple[int, int], int] = {}
    entries: list[tuple[int, int, float]] = []

    def vertex(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in rows:
            rows[key] = len(rows)
            share = 0.0 if a == b else float(field[key[0]] / (field[key[0]] - field[key[1]]))
            entries.append((rows[key], key[0], 1 - share))
            if share:
                entries.append((rows[key], key[1], share))
        return rows[key]

    kept = []
    for face in faces[inside[faces].any(axis=1)].tolist():
        polygon = []
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            if inside[a]:
                polygon.append(vertex(a, a))
            if inside[a] != inside[b]:
                polygon.append(vertex(a, b))
        kept += [(polygon[0], polygon[i], polygon[i + 1]) for i in range(1, len(polygon) - 1)]
    row, column, value = zip(*entries, strict=True) if entries else ((), (), ())
    matrix = sparse.csr_matrix((value, (row, column)), shape=(len(rows), len(field)), dtype=np.float32)
    return matrix, np.array(kept, dtype=np.int64).reshape(-1, 3)


@dataclass(frozen=True)
class Shell:
    """A surface at a distance from the body: ``matrix @ vertices + offset * normal``.

    Attributes:
        matrix: (N, V) what each vertex is made of.
        faces: (M, 3) of the shell, which also give its normals.
        offset: (N,) metres along the normal.
    """

    matrix: sparse.csr_matrix
    faces: np.ndarray
    offset: np.ndarray

    def positions(self, vertices: np.ndarray) -> np.ndarray:
        """Return (T, N, 3) float32 for body vertices (T, V, 3)."""
        frames, count, _ = vertices.shape
        flat = np.moveaxis(vertices, 1, 0).reshape(count, -1)
        base = np.moveaxis((self.matrix @ flat).reshape(-1, frames, 3), 0, 1).astype(np.float32)
        if not self.offset.any():
            return base
        return (base + self.offset[:, None] * vertex_normals(base, self.faces)).astype(np.float32)


@dataclass(frozen=True)
class Solid:
    """A rigid thing that moves with a patch of the body (Kabsch's rotation, 1976, for every frame).

    Attributes:
        anchors: (A,) vertex numbers of the patch.
        rest: (A, 3) where they are while the thing is at ``points``.
        points: (N, 3) the thing.
    """

    anchors: np.ndarray
    rest: np.ndarray
    points: np.ndarray

    def positions(self, vertices: np.ndarray) -> np.ndarray:
        """Return (T, N, 3) float32 for body vertices (T, V, 3)."""
        patch = vertices[:, self.anchors].astype(np.float64)
        turned = (self.points - self.rest.mean(axis=0)) @ np.swapaxes(best_rotation(self.rest, patch), 1, 2)
        return (turned + patch.mean(axis=1, keepdims=True)).astype(np.float32)


def ball(polar: np.ndarray, segments: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a unit ball around +z, points (N, 3) and faces (F, 3), with rings at the angles ``polar`` from +z."""
    # The profile runs from the lower pole up, so that the surface faces outwards.
    profile = np.stack([np.sin(polar), np.cos(polar)], axis=-1)[::-1]
    mesh = revolve(profile, sections=segments)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def grid_faces(rows: int, columns: int) -> np.ndarray:
    """Return the triangles (F, 3) of a grid of ``rows`` × ``columns`` points, row by row."""
    row, column = (index.ravel() for index in np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij"))
    a, c = row * columns + column, (row + 1) * columns + column
    return np.concatenate([np.stack([a, c, c + 1], -1), np.stack([a, c + 1, a + 1], -1)])
