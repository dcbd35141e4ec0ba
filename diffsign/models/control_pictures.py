"""Edges and depth as the ControlNets expect them; training and generation draw them with the same code."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def canny_picture(frame: Array, low: int = 100, high: int = 200) -> Array:
    """Return the Canny edges of a picture, white on black.

    Args:
        frame: (H, W, 3) uint8 RGB; of the three channels the steepest counts.
        low: threshold below which no edge goes on.
        high: threshold above which an edge begins.

    Returns:
        (H, W, 3) uint8, 0 or 255.
    """
    return np.repeat(cv2.Canny(frame, low, high)[..., None], 3, axis=2)


def depth_range(depth: Array) -> tuple[float, float] | None:
    """Return the nearest and farthest finite depth of (…, H, W) metres, or None where there is only background."""
    body = depth[np.isfinite(depth) & (depth > 0)]
    return (float(body.min()), float(body.max())) if body.size else None


def depth_picture(depth: Array, near: float, far: float, floor: float = 0.2) -> Array:
    """Return inverse depth the way depth ControlNets were shown it: near white, background black.

    MiDaS, which made their training pictures, gives inverse depth stretched to the whole range. The
    body takes the range from ``floor`` (at ``far``) to 1 (at ``near``), so that it stands out from the
    background and keeps most of the range for its own relief.

    Args:
        depth: (H, W) float, metres along the camera's axis; 0 or infinite for background.
        near: metres that become white.
        far: metres that become ``floor``.
        floor: brightness in [0, 1) of the farthest part of the body.

    Returns:
        (H, W, 3) uint8, three equal channels.
    """
    if not 0 < near <= far:
        raise ValueError(f"near {near} and far {far} must be positive and in this order")
    body = np.isfinite(depth) & (depth > 0)
    inverse = np.divide(1.0, depth, out=np.zeros(depth.shape), where=body)
    span = 1 / near - 1 / far
    relief = np.clip((inverse - 1 / far) / span, 0, 1) if span > 0 else np.ones(depth.shape)
    grey = np.where(body, floor + (1 - floor) * relief, 0.0)
    return np.repeat(np.round(grey * 255).astype(np.uint8)[..., None], 3, axis=2)
