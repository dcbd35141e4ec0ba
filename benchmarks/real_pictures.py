"""Pictures of retargeted videos to judge by eye: source, avatar over it, avatar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from diffsign.files import atomic
from diffsign.records.clip import iter_clip

#: Share of the avatar in an overlay.
OPACITY = 0.6
#: Height of a panel and of the line of text above it, pixels.
PANEL, TEXT = 224, 18


def _label(width: int, text: str) -> np.ndarray:
    line = np.full((TEXT, width, 3), 255, np.uint8)
    cv2.putText(line, text, (3, TEXT - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return line


def _panel(picture: np.ndarray, width: int) -> np.ndarray:
    return cv2.resize(picture, (width, PANEL), interpolation=cv2.INTER_AREA)


def panels(source: np.ndarray, color: np.ndarray, mask: np.ndarray, text: str) -> np.ndarray:
    """Return source, overlay and avatar of one frame side by side under a line of text."""
    width = round(source.shape[1] * PANEL / source.shape[0])
    source, color, mask = (_panel(picture, width) for picture in (source, color, mask))
    share = OPACITY * mask.astype(np.float32) / 255
    mixed = np.rint(source + share * (color.astype(np.float32) - source)).astype(np.uint8)
    row = np.hstack([source, mixed, color])
    return np.vstack([_label(row.shape[1], text), row])


def frames_of(path: Path, wanted: Sequence[int]) -> dict[int, np.ndarray]:
    """Return the frames ``wanted`` of a clip by number."""
    numbers, last = set(wanted), max(wanted, default=-1)
    out = {}
    for number, frame in enumerate(iter_clip(path)):
        if number in numbers:
            out[number] = frame
        if number >= last:
            break
    return out


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write an RGB picture as PNG."""
    with atomic(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def write_sheet(path: Path, cells: list[np.ndarray]) -> None:
    """Write cells of one size in columns: two of wide pictures, three of narrow ones."""
    columns = 3 if cells[0].shape[1] < 560 else 2
    blank = np.full_like(cells[0], 255)
    cells = cells + [blank] * (-len(cells) % columns)
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    write_picture(path, np.vstack(rows))
