"""What stands behind the signer: a colour or a picture."""

from __future__ import annotations

import cv2
import numpy as np

from diffsign.config.colour import parse_colour
from diffsign.errors import DiffSignError
from diffsign.files import require_file


def load_background(background: str, width: int, height: int) -> str | np.ndarray | None:
    """Return what the ``background`` setting stands for: a colour, None for transparent, or a picture cut to size."""
    if background == "transparent":
        return None
    if background.startswith("#"):
        parse_colour(background, "background")
        return background
    path = require_file(background, "background picture")
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise DiffSignError(f"background '{path}' is no picture that can be read; give a PNG or JPEG, or '#rrggbb'.")
    scale = max(width / picture.shape[1], height / picture.shape[0])
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width, ::-1])
