"""A z-buffer in numpy: tens of milliseconds a frame, where a renderer takes half a second.

Training wants thousands of frames of which only labels, depth and normals are kept; the pictures are coloured later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.geometry.camera import Camera

#: Triangles are grouped by the size of their bounding box, in pixels, and each group is filled in one go.
BOX_SIZES = (2, 3, 5, 9, 17, 33, 65, 129)


@dataclass(frozen=True)
class Raster:
    """What the camera sees.

    Attributes:
        face: (H, W) int32, the nearest face, −1 for none.
        weights: (H, W, 3) float32, barycentric coordinates in it (perspective-correct).
        depth: (H, W) float32, metres along the optical axis, 0 for none.
    """

    face: np.ndarray
    weights: np.ndarray
    depth: np.ndarray

    def interpolate(self, values: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Spread values of vertices, (V, C), over the picture, (H, W, C); zero where there is no face."""
        corners = values[faces[np.maximum(self.face, 0)]]
        return np.einsum("hwk,hwkc->hwc", self.weights, corners).astype(np.float32)


def rasterise(vertices: np.ndarray, faces: np.ndarray, camera: Camera) -> Raster:
    """Find the nearest face of every pixel.

    Args:
        vertices: (V, 3) world, metres.
        faces: (F, 3) int, counter-clockwise from outside; only that side is seen.
        camera: the camera; pixel centres lie at half-integers.
    """
    height, width = camera.height, camera.width
    in_camera = camera.to_camera(np.asarray(vertices, np.float64))
    z = np.maximum(in_camera[:, 2], 1e-3)
    xy = (in_camera @ camera.K.T)[:, :2] / z[:, None]
    corners = xy[faces]
    # With y down, a face seen from outside runs clockwise in the picture: its area by this formula is negative.
    (ax, ay), (bx, by), (cx, cy) = corners.transpose(1, 2, 0)
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    low = np.ceil(corners.min(axis=1) - 0.5).astype(np.int64)
    high = np.floor(corners.max(axis=1) - 0.5).astype(np.int64)
    low, high = np.maximum(low, 0), np.minimum(high, [width - 1, height - 1])
    box = high - low + 1
    seen = (in_camera[:, 2][faces].min(axis=1) > 0.05) & (area < -1e-9) & (box > 0).all(axis=1)
    nearness = (1.0 / z)[faces]
    # Barycentric coordinates are linear in the pixel: value at the box's corner, and slopes.
    origin = low + 0.5
    slope_x = np.stack([by - cy, cy - ay, ay - by], axis=1) / area[:, None].clip(max=-1e-9)
    slope_y = np.stack([cx - bx, ax - cx, bx - ax], axis=1) / area[:, None].clip(max=-1e-9)
    starts = np.stack([bx, cx, ax], axis=1), np.stack([by, cy, ay], axis=1)
    corner = slope_x * (origin[:, :1] - starts[0]) + slope_y * (origin[:, 1:] - starts[1])
    # Nearness in the high 32 bits, the face in the low ones: the largest number wins the pixel.
    buffer = np.zeros(height * width, dtype=np.uint64)
    longest = np.where(seen, box.max(axis=1), 0)
    sizes = [size for size in BOX_SIZES if size < longest.max(initial=0)] + [int(longest.max(initial=0))]
    for smaller, size in zip([0, *sizes], sizes, strict=False):
        group = np.flatnonzero((longest > smaller) & (longest <= size))
        step = np.arange(size)
        dx, dy = (grid.ravel() for grid in np.meshgrid(step, step))
        for part in np.array_split(group, max(1, len(group) * size * size // 500_000)):
            _fill(part, dx, dy, corner, slope_x, slope_y, nearness, low, box, width, buffer)
    found = np.flatnonzero(buffer)
    won = (buffer[found] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    away = np.stack([found % width, found // width], axis=1) - low[won]
    flat = (corner[won] + slope_x[won] * away[:, :1] + slope_y[won] * away[:, 1:]) * nearness[won]
    face = np.full(height * width, -1, dtype=np.int32)
    weights = np.zeros((height * width, 3), dtype=np.float32)
    depth = np.zeros(height * width, dtype=np.float32)
    face[found] = won
    depth[found] = 1.0 / flat.sum(axis=1)
    weights[found] = flat * depth[found, None]
    shape = (height, width)
    return Raster(face.reshape(shape), weights.reshape(*shape, 3), depth.reshape(shape))


def _fill(
    part: np.ndarray,
    dx: np.ndarray,
    dy: np.ndarray,
    corner: np.ndarray,
    slope_x: np.ndarray,
    slope_y: np.ndarray,
    nearness: np.ndarray,
    low: np.ndarray,
    box: np.ndarray,
    width: int,
    buffer: np.ndarray,
) -> None:
    """Write the faces ``part`` into ``buffer``; ``dx`` and ``dy`` run over the pixels of their boxes."""
    inside = (dx < box[part, :1]) & (dy < box[part, 1:])
    near = np.zeros(inside.shape, np.float32)
    x, y = dx.astype(np.float32), dy.astype(np.float32)
    for k in range(3):
        first, right, down, inverse = (
            values[part, k, None].astype(np.float32) for values in (corner, slope_x, slope_y, nearness)
        )
        weight = first + right * x + down * y
        inside &= weight >= 0
        near += weight * inverse
    row, pixel = np.nonzero(inside)
    which = part[row]
    key = ((near[row, pixel].astype(np.float64) * 2**26).astype(np.uint64) << np.uint64(32)) | which.astype(np.uint64)
    np.maximum.at(buffer, (low[which, 1] + dy[pixel]) * width + low[which, 0] + dx[pixel], key)
