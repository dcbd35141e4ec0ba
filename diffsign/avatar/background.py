"""What stands behind the signer: a colour or a picture."""

from __future__ import annotations

import cv2
import numpy as np

from diffsign.config.colour import parse_colour
from diffsign.records.picture import read_picture


def load_background(background: str, width: int, height: int) -> str | np.ndarray | None:
    """Return what the ``background`` setting stands for: a colour, None for transparent, or a picture cut to size.

    Raises:
        DiffSignError: if it is no colour and no picture that can be read.
    """
    if background == "transparent":
        return None
    if background.startswith("#"):
        parse_colour(background, "background")
        return background
    picture = np.asarray(read_picture(background, "background picture"))
    scale = max(width / picture.shape[1], height / picture.shape[0])
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])
