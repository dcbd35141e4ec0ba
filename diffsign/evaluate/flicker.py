"""Flicker: what changes from frame to frame that movement does not explain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

#: Longer side in pixels at which flow is estimated and errors are measured.
FLOW_SIZE = 256


@dataclass(frozen=True)
class Warp:
    """Where each pixel of a frame was one frame before.

    Attributes:
        map: (H, W, 2) float32, x and y in the frame before.
        reliable: (H, W) bool, False where the pixel was hidden or left the picture.
    """

    map: np.ndarray
    reliable: np.ndarray


def shrink(frame: np.ndarray) -> np.ndarray:
    """Return a picture scaled down so that its longer side is at most :data:`FLOW_SIZE`."""
    height, width = frame.shape[:2]
    scale = FLOW_SIZE / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def _flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    start = np.zeros((*first.shape, 2), np.float32)
    return cv2.calcOpticalFlowFarneback(first, second, start, 0.5, 4, 15, 3, 7, 1.5, 0)


def estimate_warp(before: np.ndarray, after: np.ndarray) -> Warp:
    """Follow every pixel of ``after`` back to ``before`` with Farneback's flow (2003).

    A pixel is reliable when the flow forth and back cancel: |f + b|² < 0.01 (|f|² + |b|²) + 0.5 px²
    (Sundaram et al. 2010).

    Args:
        before: (H, W) uint8 grey.
        after: (H, W) uint8 grey.
    """
    forward, backward = _flow(before, after), _flow(after, before)
    height, width = after.shape
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    target = (np.stack([columns, rows], axis=-1) + backward).astype(np.float32)
    forth = cv2.remap(forward, target[..., 0], target[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mismatch = ((forth + backward) ** 2).sum(-1)
    allowed = 0.01 * ((forth**2).sum(-1) + (backward**2).sum(-1)) + 0.5
    inside = ((target >= 0) & (target <= [width - 1, height - 1])).all(-1)
    return Warp(target, (mismatch < allowed) & inside)


def warping_error(before: np.ndarray, after: np.ndarray, warp: Warp, region: np.ndarray) -> float:
    """Mean squared difference in [0, 1] between a frame and the warped frame before (Lai et al. 2018).

    Args:
        before: (H, W, 3) uint8.
        after: (H, W, 3) uint8.
        warp: from ``after`` to ``before``.
        region: (H, W) bool, where to measure; of it only the reliable pixels count.

    Returns:
        The error, NaN if no pixel counts.
    """
    counted = region & warp.reliable
    if not counted.any():
        return float("nan")
    source = before.astype(np.float32)
    moved = cv2.remap(source, warp.map[..., 0], warp.map[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float((((moved - after.astype(np.float32)) / 255) ** 2).mean(-1)[counted].mean())
