"""What a camera sees of a mesh: an exact z-buffer, and a coarse one for points.

The exact one takes tens of milliseconds a frame in numpy, where a renderer takes half a second; it is for labels,
depth and normals. The coarse one keeps the nearest depth of each cell of a grid, and tells which points lie behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffsign.geometry.arrays import Floats, Integers
from diffsign.geometry.camera import Camera

#: Triangles are grouped by the size of their bounding box, in pixels, and each group is filled in one go.
BOX_SIZES = (2, 3, 5, 9, 17, 33, 65, 129)
#: Pixels of bounding boxes that are filled at once.
FILLED_AT_ONCE = 500_000


@dataclass(frozen=True)
class Raster:
    """What the camera sees.

    Attributes:
        face: (H, W) int32, the nearest face, −1 for none.
        weights: (H, W, 3) float32, barycentric coordinates in it (perspective-correct).
        depth: (H, W) float32, metres along the optical axis, 0 for none.
    """

    face: Integers
    weights: Floats
    depth: Floats


@dataclass(frozen=True)
class _Triangles:
    """Projected faces, ready to be filled: barycentric coordinates are linear in the pixel.

    Attributes:
        low: (F, 2) int, first pixel of the bounding box; x, y.
        box: (F, 2) int, its width and height.
        seen: (F,) bool, before the camera, inside the picture and facing the camera.
        corner: (F, 3) coordinates at the first pixel.
        slope_x: (F, 3) their change for a pixel to the right.
        slope_y: (F, 3) their change for a pixel down.
        nearness: (F, 3) one over the depth of the corners.
    """

    low: Integers
    box: Integers
    seen: NDArray[np.bool_]
    corner: Floats
    slope_x: Floats
    slope_y: Floats
    nearness: Floats

    @classmethod
    def project(cls, vertices: Floats, faces: Integers, camera: Camera) -> _Triangles:
        """Project vertices (V, 3) in the world and set up the faces (F, 3)."""
        in_camera = camera.to_camera(np.asarray(vertices, np.float64))
        z = np.maximum(in_camera[:, 2], 1e-3)
        xy = (in_camera @ camera.K.T)[:, :2] / z[:, None]
        corners = xy[faces]
        # With y down, a face seen from outside runs clockwise in the picture: its area by this formula is negative.
        (ax, ay), (bx, by), (cx, cy) = corners.transpose(1, 2, 0)
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        low = np.maximum(np.ceil(corners.min(axis=1) - 0.5).astype(np.int64), 0)
        high = np.floor(corners.max(axis=1) - 0.5).astype(np.int64)
        box = np.minimum(high, [camera.width - 1, camera.height - 1]) - low + 1
        seen = (in_camera[:, 2][faces].min(axis=1) > 0.05) & (area < -1e-9) & (box > 0).all(axis=1)
        origin = low + 0.5
        slope_x = np.stack([by - cy, cy - ay, ay - by], axis=1) / area[:, None].clip(max=-1e-9)
        slope_y = np.stack([cx - bx, ax - cx, bx - ax], axis=1) / area[:, None].clip(max=-1e-9)
        starts = np.stack([bx, cx, ax], axis=1), np.stack([by, cy, ay], axis=1)
        corner = slope_x * (origin[:, :1] - starts[0]) + slope_y * (origin[:, 1:] - starts[1])
        return cls(low, box, seen, corner, slope_x, slope_y, (1.0 / z)[faces])

    def fill(self, part: Integers, size: int, width: int, buffer: NDArray[np.uint64]) -> None:
        """Write the faces ``part``, whose boxes are at most ``size`` pixels wide and high, into ``buffer``.

        Nearness stands in the high 32 bits, the face in the low ones: the largest number wins the pixel.
        """
        dx, dy = (grid.ravel() for grid in np.meshgrid(np.arange(size), np.arange(size)))
        inside = (dx < self.box[part, :1]) & (dy < self.box[part, 1:])
        near = np.zeros(inside.shape, np.float32)
        x, y = dx.astype(np.float32), dy.astype(np.float32)
        for k in range(3):
            first, right, down, inverse = (
                values[part, k, None].astype(np.float32)
                for values in (self.corner, self.slope_x, self.slope_y, self.nearness)
            )
            weight = first + right * x + down * y
            inside &= weight >= 0
            near += weight * inverse
        row, pixel = np.nonzero(inside)
        which = part[row]
        key = (near[row, pixel].astype(np.float64) * 2**26).astype(np.uint64) << np.uint64(32)
        pixels = (self.low[which, 1] + dy[pixel]) * width + self.low[which, 0] + dx[pixel]
        np.maximum.at(buffer, pixels, key | which.astype(np.uint64))

    def weights(self, face: Integers, pixel: Integers) -> Floats:
        """Return the coordinates (N, 3) of pixels (N, 2), each in its face (N,), times the corners' nearness."""
        away = pixel - self.low[face]
        flat = self.corner[face] + self.slope_x[face] * away[:, :1] + self.slope_y[face] * away[:, 1:]
        return flat * self.nearness[face]


def rasterise(vertices: Floats, faces: Integers, camera: Camera) -> Raster:
    """Find the nearest face of every pixel.

    Args:
        vertices: (V, 3) world, metres.
        faces: (F, 3) int, counter-clockwise from outside; only that side is seen.
        camera: the camera; pixel centres lie at half-integers.
    """
    height, width = camera.height, camera.width
    triangles = _Triangles.project(vertices, faces, camera)
    buffer = np.zeros(height * width, dtype=np.uint64)
    longest = np.where(triangles.seen, triangles.box.max(axis=1), 0)
    sizes = [size for size in BOX_SIZES if size < longest.max(initial=0)] + [int(longest.max(initial=0))]
    for smaller, size in zip([0, *sizes], sizes, strict=False):
        group = np.flatnonzero((longest > smaller) & (longest <= size))
        for part in np.array_split(group, max(1, len(group) * size * size // FILLED_AT_ONCE)):
            triangles.fill(part, size, width, buffer)
    covered = np.flatnonzero(buffer)
    nearest = (buffer[covered] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    flat = triangles.weights(nearest, np.stack([covered % width, covered // width], axis=1))
    face = np.full(height * width, -1, dtype=np.int32)
    weights = np.zeros((height * width, 3), dtype=np.float32)
    depth = np.zeros(height * width, dtype=np.float32)
    face[covered] = nearest
    depth[covered] = 1.0 / flat.sum(axis=1)
    weights[covered] = flat * depth[covered, None]
    shape = (height, width)
    return Raster(face.reshape(shape), weights.reshape(*shape, 3), depth.reshape(shape))


def nearest_depth(cells: Integers, depth: Floats, count: int) -> Floats:
    """Return the nearest depth in each of ``count`` cells, infinite where nothing falls.

    Args:
        cells: (N,) int, the cell that each point falls into.
        depth: (N,) metres from the camera.
        count: cells of the grid.
    """
    nearest = np.full(count, np.inf)
    np.minimum.at(nearest, cells, depth)
    return nearest
