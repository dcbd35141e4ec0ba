"""The noise that frames start from: each its own, one for all, or one that moves with the signer's surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch

from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.geometry.meshes import face_normals
from diffsign.geometry.visibility import nearest_depth
from diffsign.models.sizing import Sizing

#: Draws of noise for a pixel's area of surface, seen from the front at the signer's distance. More make the noise
#: move more evenly, at more time.
DENSITY = 16
#: How far behind the nearest surface of its pixel a point is hidden, in metres.
HIDDEN_BEHIND = 0.03


def generators_of(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return random generators on the CPU, so that a GPU starts from the same numbers."""
    return [torch.Generator("cpu").manual_seed(seed % 2**63) for seed in seeds]


def normal_noise(generators: Sequence[torch.Generator], shape: tuple[int, int, int]) -> torch.Tensor:
    """Return (N, C, h, w) float32 standard normal noise, one draw from each generator."""
    return torch.cat([torch.randn((1, *shape), generator=generator) for generator in generators])


@dataclass(frozen=True)
class LatentGrid:
    """The grid of latents over a camera's picture.

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

    @classmethod
    def over(cls, camera: Camera, sizing: Sizing, factor: int) -> LatentGrid:
        """Return the grid of a result of ``sizing``, where a latent is ``factor`` pixels wide."""
        left, top, width, height = sizing.place(camera.width, camera.height)
        scale = (width / camera.width, height / camera.height)
        return cls(camera, left, top, scale, factor, sizing.padded_width // factor, sizing.padded_height // factor)

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

    Independent normal draws are sampled on the surface once, evenly by area, and stay where they are on their
    triangles. In each frame the visible ones are projected, and a latent's noise is the sum of the draws that fall into
    it, divided by the root of their number. No draw falls into two latents, so the latents of a frame are independent
    standard normals whatever the surface does; where the same draws are seen again a latent keeps its noise, and it
    passes to its neighbour by and by as the surface moves on. The same idea as the integral noise of Chang et al.
    ("How I Warped Your Noise", ICLR 2024), with the mesh in place of optical flow.

    Args:
        faces: (F, 3) int, triangles.
        vertices: (V, 3) metres in the world, of any one frame; they say how large the triangles are.
        grid: of latents.
        channels: of a latent.
        seed: of the draws.
    """

    def __init__(self, faces: np.ndarray, vertices: np.ndarray, grid: LatentGrid, channels: int, seed: int) -> None:
        self.grid = grid
        areas = np.linalg.norm(face_normals(vertices.astype(np.float64), faces), axis=1) / 2
        depth = float(np.median(grid.camera.to_camera(vertices.astype(np.float64))[:, 2]))
        K, (across, down) = grid.camera.K, grid.scale
        cell = (depth * grid.factor) ** 2 / (K[0, 0] * across * K[1, 1] * down)
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
        in_camera = self.grid.camera.to_camera(vertices.astype(np.float64))
        corners, normals = in_camera[self.faces], face_normals(in_camera, self.faces)
        facing = ((normals * corners[:, 0]).sum(1) < 0) & (corners[..., 2].min(1) > 0.01)
        kept = np.flatnonzero(facing[self.triangles])
        points = np.einsum("nk,nkc->nc", self.weights[kept], corners[self.triangles[kept]])
        cells = self.grid.cells(points)
        kept, points, cells = kept[cells >= 0], points[cells >= 0], cells[cells >= 0]
        nearest = nearest_depth(cells, points[:, 2], self.grid.width * self.grid.height)
        front = points[:, 2] <= nearest[cells] + HIDDEN_BEHIND
        return kept[front], cells[front]

    def over(self, background: torch.Tensor, vertices: np.ndarray) -> torch.Tensor:
        """Return noise (C, h, w): the surface's where it is visible, ``background`` (C, h, w) elsewhere."""
        visible, cells = self.visible(vertices)
        size = self.grid.width * self.grid.height
        count = np.bincount(cells, minlength=size)
        sums = np.stack([np.bincount(cells, draws[visible], minlength=size) for draws in self.draws])
        noise = background.reshape(len(sums), -1).clone()
        covered = count > 0
        noise[:, torch.from_numpy(covered)] = torch.from_numpy(sums[:, covered] / np.sqrt(count[covered])).to(noise)
        return noise.reshape(background.shape)


class MovingSurface(Protocol):
    """What surface noise needs of an avatar."""

    @property
    def faces(self) -> np.ndarray:
        """(F, 3) triangles."""
        ...

    @property
    def camera(self) -> Camera:
        """The clip's camera."""
        ...

    def vertices(self, frame: int) -> np.ndarray:
        """Return (V, 3) metres in the world."""
        ...


class StartingNoise:
    """Where the denoising of every frame starts.

    Args:
        kind: the same noise for all frames (``shared``), each its own (``frame``), or on the surface (``mesh``).
        seed: of all of it.
        channels: of a latent.
        factor: pixels of the generated picture a latent.
        avatar: whose surface carries the noise, for ``mesh``.
    """

    def __init__(
        self,
        kind: Literal["shared", "mesh", "frame"],
        seed: int,
        channels: int,
        factor: int,
        avatar: MovingSurface | None = None,
    ) -> None:
        if kind == "mesh" and avatar is None:
            raise DiffSignError("noise mesh moves with the signer's surface: give --motion and --body.")
        self.kind, self.seed, self.channels, self.factor = kind, seed, channels, factor
        self.avatar = avatar
        self._surface: SurfaceNoise | None = None

    def of(self, frames: Sequence[int], sizing: Sizing) -> tuple[torch.Tensor, list[torch.Generator]]:
        """Return the noise of frames (N, C, h, w), and the generators that schedulers draw more noise from.

        Args:
            frames: their numbers in the clip.
            sizing: of the result.
        """
        generators = generators_of([self.seed + (frame if self.kind == "frame" else 0) for frame in frames])
        shape = (self.channels, sizing.padded_height // self.factor, sizing.padded_width // self.factor)
        noise = normal_noise(generators, shape)
        if self.kind == "mesh" and self.avatar is not None:
            if self._surface is None:
                grid = LatentGrid.over(self.avatar.camera, sizing, self.factor)
                first = self.avatar.vertices(0)
                self._surface = SurfaceNoise(self.avatar.faces, first, grid, self.channels, self.seed)
            vertices = [self.avatar.vertices(frame) for frame in frames]
            noise = torch.stack([self._surface.over(*pair) for pair in zip(noise, vertices, strict=True)])
        return noise, generators
