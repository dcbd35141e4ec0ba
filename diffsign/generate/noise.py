"""The noise that frames start from: each its own, one for all, or one that moves with the signer's surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from diffsign.geometry.camera import Camera
from diffsign.geometry.meshes import face_normals
from diffsign.geometry.visibility import nearest_depth

#: Draws of noise for a pixel's area of surface, seen from the front at the signer's distance. More make the noise
#: move more evenly, at more time.
DENSITY = 16
#: How far behind the nearest surface of its pixel a point is hidden, in metres.
HIDDEN_BEHIND = 0.03


def generators_of(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return random generators on the CPU, so that a GPU starts from the same numbers."""
    return [torch.Generator("cpu").manual_seed(seed % 2**63) for seed in seeds]


def drawn(generators: Sequence[torch.Generator], shape: tuple[int, int, int]) -> torch.Tensor:
    """Return (N, C, h, w) float32 standard normal noise, one draw from each generator."""
    return torch.cat([torch.randn((1, *shape), generator=generator) for generator in generators])


@dataclass(frozen=True)
class View:
    """A camera whose picture is laid into a grid of latents.

    Attributes:
        camera: of the clip.
        left, top: pixels of the generated picture where the clip's begins.
        scale: pixels of the generated picture for each of the clip's, in x and y.
        factor: pixels of the generated picture a latent.
        width, height: of the grid, in latents.
    """

    camera: Camera
    left: float
    top: float
    scale: tuple[float, float]
    factor: int
    width: int
    height: int

    def cells(self, points: np.ndarray) -> np.ndarray:
        """Return the cell (N,) of the grid, row by row, that points (N, 3) in camera axes fall into; −1 outside."""
        K = self.camera.K
        x = (points[:, 0] * K[0, 0] / points[:, 2] + K[0, 2]) * self.scale[0] + self.left
        y = (points[:, 1] * K[1, 1] / points[:, 2] + K[1, 2]) * self.scale[1] + self.top
        column, row = np.floor(x / self.factor), np.floor(y / self.factor)
        inside = (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
        return np.where(inside, row * self.width + column, -1).astype(np.int64)


class SurfaceNoise:
    """Noise that sticks to a moving surface and is white in every frame.

    Independent normal draws are strewn over the mesh once, evenly by area, and stay where they are on their
    triangles. In each frame the visible ones are projected, and a latent's noise is the sum of the draws that fall into
    it, divided by the root of their number. No draw falls into two latents, so the latents of a frame are independent
    standard normals whatever the surface does; where the same draws are seen again a latent keeps its noise, and it
    passes to its neighbour by and by as the surface moves on. The same idea as the integral noise of Chang et al.
    ("How I Warped Your Noise", ICLR 2024), with the mesh in place of optical flow.

    Args:
        faces: (F, 3) int, triangles.
        vertices: (V, 3) metres in the world, of any one frame; they say how large the triangles are.
        view: camera and grid.
        channels: of a latent.
        seed: of the draws.
    """

    def __init__(self, faces: np.ndarray, vertices: np.ndarray, view: View, channels: int, seed: int) -> None:
        self.view = view
        areas = np.linalg.norm(face_normals(vertices.astype(np.float64), faces), axis=1) / 2
        depth = float(np.median(view.camera.to_camera(vertices.astype(np.float64))[:, 2]))
        K, (across, down) = view.camera.K, view.scale
        cell = (depth * view.factor) ** 2 / (K[0, 0] * across * K[1, 1] * down)
        count = max(1, int(DENSITY * areas.sum() / cell))
        random = np.random.default_rng(seed)
        self.triangles = np.sort(random.choice(len(faces), size=count, p=areas / areas.sum()))
        first, second = random.random((2, count))
        outside = first + second > 1  # fold the square's other half back onto the triangle: even by area
        first, second = np.where(outside, 1 - first, first), np.where(outside, 1 - second, second)
        self.weights = np.stack([1 - first - second, first, second], axis=1).astype(np.float32)
        self.faces = faces
        self.draws = random.standard_normal((channels, count))

    def visible(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which draws are seen in a frame, and the cell that each falls into.

        Args:
            vertices: (V, 3) metres in the world.
        """
        seen = self.view.camera.to_camera(vertices.astype(np.float64))
        corners, normals = seen[self.faces], face_normals(seen, self.faces)
        facing = ((normals * corners[:, 0]).sum(1) < 0) & (corners[..., 2].min(1) > 0.01)
        kept = np.flatnonzero(facing[self.triangles])
        points = np.einsum("nk,nkc->nc", self.weights[kept], corners[self.triangles[kept]])
        cells = self.view.cells(points)
        kept, points, cells = kept[cells >= 0], points[cells >= 0], cells[cells >= 0]
        nearest = nearest_depth(cells, points[:, 2], self.view.width * self.view.height)
        front = points[:, 2] <= nearest[cells] + HIDDEN_BEHIND
        return kept[front], cells[front]

    def lay_over(self, background: torch.Tensor, vertices: np.ndarray) -> torch.Tensor:
        """Return noise (C, h, w): the surface's where it is seen, ``background`` (C, h, w) elsewhere."""
        seen, cells = self.visible(vertices)
        size = self.view.width * self.view.height
        count = np.bincount(cells, minlength=size)
        sums = np.stack([np.bincount(cells, draws[seen], minlength=size) for draws in self.draws])
        laid = background.reshape(len(sums), -1).clone()
        covered = count > 0
        laid[:, torch.from_numpy(covered)] = torch.from_numpy(sums[:, covered] / np.sqrt(count[covered])).to(laid)
        return laid.reshape(background.shape)
