"""The worst moments of a result as one picture: source, avatar and result side by side, a row for each moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from diffsign.evaluate.frames import ROLES
from diffsign.files import atomic
from diffsign.records.metrics import Break

#: Height of a frame and of the words above it, and the space between, in pixels.
HEIGHT, LINE, SPACE = 240, 22, 6
PAPER, INK = "#fbfbf9", "#1c1f23"


def draw_moments(moments: list[Break], frames: Mapping[int, Mapping[str, np.ndarray]], fps: float) -> Image.Image:
    """Draw the moments.

    Args:
        moments: one row each.
        frames: by number, the frames (H, W, 3) uint8 of source, avatar and result.
        fps: frames per second.
    """
    font = ImageFont.load_default(14)
    first = frames[moments[0].worst]["source"]
    width = max(1, round(HEIGHT * first.shape[1] / first.shape[0]))
    row = HEIGHT + LINE + SPACE
    sheet = Image.new("RGB", (len(ROLES) * (width + SPACE) - SPACE, row * len(moments)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, moment in enumerate(moments):
        top = row * number
        against = "source" if moment.against == "source" else "motion"
        words = f"{moment.worst / fps:.2f} s  {moment.parameter} (against the {against}): {moment.what}"
        draw.text((2, top + 3), words, fill=INK, font=font)
        for column, role in enumerate(ROLES):
            picture = Image.fromarray(frames[moment.worst][role]).resize((width, HEIGHT), Image.Resampling.LANCZOS)
            sheet.paste(picture, (column * (width + SPACE), top + LINE))
    return sheet


def save_moments(path: Path, picture: Image.Image | None) -> None:
    """Write the picture as JPEG; without one an empty file says that nothing broke."""
    with atomic(path) as temporary:
        if picture is None:
            temporary.write_bytes(b"")
        else:
            picture.save(temporary, format="JPEG", quality=88)
