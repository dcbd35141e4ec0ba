"""Reference pictures, as the encoders take them."""

from __future__ import annotations

import logging
from pathlib import Path

from PIL import Image

from diffsign.records.picture import read_picture

log = logging.getLogger(__name__)

#: Sides that differ by more than this share are reported.
SQUARE_TOLERANCE = 0.02


def read_reference(path: str | Path) -> Image.Image:
    """Read a reference picture, and warn if CLIP, which takes the square in its middle, sees only a part of it."""
    picture = read_picture(path, "reference picture")
    width, height = picture.size
    if abs(width - height) > SQUARE_TOLERANCE * max(width, height):
        log.warning(
            "Reference picture '%s' is %d×%d, not square: CLIP sees only the square in its middle. "
            "Crop it to the face and upper body if something that matters lies outside.",
            path,
            width,
            height,
        )
    return picture
