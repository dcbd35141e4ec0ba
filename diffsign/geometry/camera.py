"""The pinhole camera that every stage uses.

World: metres, y up, the axes of SMPL-X. Camera: x right, y down, z forward; a world point ``X`` is
seen at ``R @ X + t``. Pixels: x right, y down, the centre of the top left pixel at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.geometry.arrays import Floats

#: Rotation of a camera that looks along the world's −z with the world's y up.
LOOK_ALONG_MINUS_Z = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Camera:
    """One pinhole camera without distortion.

    Attributes:
        K: (3, 3) float64, intrinsics in pixels.
        R: (3, 3) float64, world to camera rotation.
        t: (3,) float64, world to camera translation in metres.
        width: picture width in pixels.
        height: picture height in pixels.
    """

    K: Floats
    R: Floats
    t: Floats
    width: int
    height: int

    @classmethod
    def facing(cls, width: int, height: int, focal: float) -> Camera:
        """Return a camera at the world's origin looking along −z, y up, principal point in the middle."""
        K = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
        return cls(K=K, R=LOOK_ALONG_MINUS_Z.copy(), t=np.zeros(3), width=width, height=height)

    @property
    def position(self) -> Floats:
        """(3,) the camera's centre in the world, in metres."""
        return -self.R.T @ self.t

    def to_camera(self, points: Floats) -> Floats:
        """Map world points (..., 3) in metres to camera coordinates (..., 3)."""
        return points @ self.R.T + self.t

    def project(self, points: Floats) -> Floats:
        """Map world points (..., 3) in metres to pixels (..., 2); points behind the camera become NaN."""
        seen = self.to_camera(np.asarray(points, dtype=np.float64)) @ self.K.T
        depth = seen[..., 2:]
        return seen[..., :2] / np.where(depth > 0, depth, np.nan)

    def resized(self, width: int, height: int) -> Camera:
        """Return the camera whose picture is this one's scaled to ``width`` × ``height``."""
        scale = np.array([width / self.width, height / self.height, 1.0])
        return Camera(K=self.K * scale[:, None], R=self.R, t=self.t, width=width, height=height)

    def arrays(self) -> dict[str, Floats]:
        """Return the camera as the arrays that archives store."""
        return {
            "K": np.asarray(self.K, dtype=np.float64),
            "R": np.asarray(self.R, dtype=np.float64),
            "t": np.asarray(self.t, dtype=np.float64),
            "image_size": np.array([self.width, self.height]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, Floats]) -> Camera:
        """Inverse of :meth:`arrays`; takes the keys it needs out of ``arrays``."""
        width, height = (int(v) for v in arrays.pop("image_size"))
        return cls(K=arrays.pop("K"), R=arrays.pop("R"), t=arrays.pop("t"), width=width, height=height)
