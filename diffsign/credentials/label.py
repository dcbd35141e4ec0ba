"""Words in the picture: a label that says to everybody that a film is synthetic."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def labelled(frames: Iterator[np.ndarray], label: str) -> Iterator[np.ndarray]:
    """Yield frames (H, W, 3) or (H, W, 4) uint8 with words on a dark band in the lower left corner."""
    band: tuple[np.ndarray, np.ndarray] | None = None
    for frame in frames:
        if band is None:
            band = _band(label, frame.shape[0], frame.shape[1])
        words, cover = band
        height, width = cover.shape[:2]
        labelled_frame = frame.copy()
        corner = labelled_frame[-height:, :width]
        behind = (1 - cover) * (corner[..., 3:] / 255.0 if frame.shape[2] == 4 else 1.0)
        corner[..., :3] = ((corner[..., :3] * behind + words * cover) / (behind + cover)).round()
        if frame.shape[2] == 4:
            corner[..., 3:] = (255 * (behind + cover)).round()
        yield labelled_frame


def _band(label: str, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return colours (h, w, 3) and opacity (h, w, 1) of a label for pictures of a size."""
    size = max(9.0, height / 28)
    while True:
        font = ImageFont.load_default(size)
        left, top, right, bottom = font.getbbox(label)
        if right - left + size <= width or size <= 6:
            break
        size *= 0.9
    margin = round(size / 2)
    shape = min(width, round(right - left) + 2 * margin), round(bottom - top) + 2 * margin
    picture = Image.new("L", shape, 0)
    ImageDraw.Draw(picture).text((margin - left, margin - top), label, fill=255, font=font)
    ink = np.asarray(picture, dtype=np.float64)[..., None] / 255
    return np.repeat(255.0 * ink, 3, axis=2), 0.55 + 0.45 * ink
