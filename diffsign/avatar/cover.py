"""How much of each pixel the signer covers: the avatar's mask with a soft edge, and films cut out with it."""

from __future__ import annotations

import cv2
import numpy as np


def soft_cover(mask: np.ndarray, edge: float) -> np.ndarray:
    """Return how much of each pixel the signer covers, with a soft edge.

    The fade ends at the avatar's outline, so that nothing of the background that the model drew shines through.

    Args:
        mask: (H, W, 3) uint8, how much the avatar covers.
        edge: over how many pixels the signer fades.

    Returns:
        (H, W, 1) float32 in [0, 1].
    """
    cover = mask[..., 0].astype(np.float32) / 255
    if edge > 0:
        cover = np.clip(1.5 * cv2.GaussianBlur(cover, (0, 0), edge / 2) - 0.5, 0, 1)
    return cover[..., None]


def grown(mask: np.ndarray, by: float) -> np.ndarray:
    """Return a mask (H, W, 3) uint8 that reaches ``by`` pixels further on every side, less far if that is negative."""
    reach = round(abs(by))
    if reach == 0:
        return mask
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return (cv2.dilate if by > 0 else cv2.erode)(mask, shape)


def cut_out(frame: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Return a picture with straight alpha (colours are not multiplied with it, as editors take it by default).

    The colours of the edge go on beyond it, so that neither scaling nor an encoder with colours of half the size
    mixes the background in.

    Args:
        frame: (H, W, 3) uint8.
        cover: (H, W, 1) float32 in [0, 1].

    Returns:
        (H, W, 4) uint8, red, green, blue and alpha.
    """
    inside = (cover >= 0.999).astype(np.float32)
    colours, weight = frame.astype(np.float32) * inside, inside[..., 0]
    spread, share = np.zeros_like(colours), np.zeros_like(weight)
    for reach in (2, 8, 32):  # what is near says more than what is far
        far = cv2.GaussianBlur(weight, (0, 0), reach)
        missing = (share < 1e-3) & (far > 1e-3)
        blurred = cv2.GaussianBlur(colours, (0, 0), reach)
        spread[missing] = blurred[missing] / far[missing, None]
        share[missing] = 1
    filled = np.where(inside > 0, frame, spread)
    return np.rint(np.concatenate([filled, 255 * cover], axis=2)).clip(0, 255).astype(np.uint8)
