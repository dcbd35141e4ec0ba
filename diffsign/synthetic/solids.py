"""The head and the torso as stacks of ellipses, for keeping hands and arms out of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Column:
    """A stack of ellipses along y, fixed to a joint's rest position and moved by that joint.

    Attributes:
        heights: (N,) metres, y of the ellipses, rising.
        centres: (N, 2) metres, x and z.
        radii: (N, 2) metres, along x and z.
        orientation: (T, 3, 3) or (3, 3), turns the column.
        origin: (T, 3) or (3,) metres, where the joint is.
    """

    heights: np.ndarray
    centres: np.ndarray
    radii: np.ndarray
    orientation: np.ndarray
    origin: np.ndarray

    @classmethod
    def around(cls, points: np.ndarray, slices: int = 24) -> Column:
        """Fit a column to ``points`` (V, 3) in metres, given from the joint that will move it."""
        heights = np.linspace(points[:, 1].min(), points[:, 1].max(), slices)
        half = (heights[1] - heights[0]) * 0.8
        centres, radii = [], []
        for height in heights:
            near = points[np.abs(points[:, 1] - height) <= half][:, [0, 2]]
            low, high = near.min(axis=0), near.max(axis=0)
            centres.append((low + high) / 2)
            radii.append(np.maximum((high - low) / 2, 0.005))
        return cls(heights, np.array(centres), np.array(radii), np.eye(3), np.zeros(3))

    def placed(self, orientation: np.ndarray, origin: np.ndarray) -> Column:
        """Return the column on a moving joint: orientations (T, 3, 3) and positions (T, 3)."""
        return Column(self.heights, self.centres, self.radii, orientation, origin)

    def at(self, frames: slice) -> Column:
        """Return the column at some of its frames."""
        return self.placed(self.orientation[frames], self.origin[frames])

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Return about how far points (T, P, 3) are outside, in metres; negative inside."""
        local = np.einsum("tji,tpj->tpi", self.orientation, points - self.origin[:, None])
        centre = np.stack([np.interp(local[..., 1], self.heights, c) for c in self.centres.T], axis=-1)
        radius = np.stack([np.interp(local[..., 1], self.heights, r) for r in self.radii.T], axis=-1)
        flat = local[..., [0, 2]] - centre
        share = np.linalg.norm(flat / radius, axis=-1)
        around = np.linalg.norm(flat, axis=-1) * (1 - 1 / np.maximum(share, 1e-6))
        beyond = np.maximum(local[..., 1] - self.heights[-1], self.heights[0] - local[..., 1])
        return np.where(beyond > 0, np.hypot(beyond, np.maximum(around, 0)), around)

    def front(self, height: float, x: float = 0.0) -> np.ndarray:
        """Return the point (3,) of the front surface at a height and an x, from the joint at rest."""
        centre = [np.interp(height, self.heights, c) for c in self.centres.T]
        radius = [np.interp(height, self.heights, r) for r in self.radii.T]
        share = np.clip((x - centre[0]) / radius[0], -0.95, 0.95)
        return np.array([x, height, centre[1] + radius[1] * np.sqrt(1 - share**2)])
