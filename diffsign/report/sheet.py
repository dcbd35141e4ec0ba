"""A sheet of pictures for a comparison: the source and what each signer made of it, a row of pictures for each run."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from diffsign.errors import DiffSignError
from diffsign.records.clip import iter_clip
from diffsign.records.metrics import load_metrics
from diffsign.report.methods import Run
from diffsign.report.results import find_results
from diffsign.report.videos import inside

log = logging.getLogger(__name__)

#: Height of a picture and of the words below it, the space between, and pictures in a row.
HEIGHT, LINE, SPACE, WIDE = 200, 20, 8, 6
PAPER, INK, QUIET = "#fbfbf9", "#1c1f23", "#5b626b"
#: Signers of a run that are shown at most.
SHOWN = 60


def frame_of(folder: Path, clip: str, number: int) -> np.ndarray | None:
    """Return one frame (H, W, 3) uint8 of a clip of a run, None if there is none."""
    path = inside(folder, clip)
    if path is None:
        return None
    try:
        return next(itertools.islice(iter_clip(path), number, None), None)
    except DiffSignError as error:
        log.warning("left out of the sheet of pictures: %s", error)
        return None


def pictures_of(run: Run) -> list[tuple[str, np.ndarray]]:
    """Return the middle frame of the run's first video: of the source, and of each signer."""
    if run.folder is None:
        return []
    results = find_results(run.paths)
    video = min(video for _, video in results.names)
    pairs = [(pair, path) for pair, path in zip(results.names, results.paths, strict=True) if pair[1] == video]
    number = load_metrics(pairs[0][1], series=False).frames // 2
    wanted = [("source", f"videos/{video}/clip.mkv")]
    wanted += [(signer, f"signers/{signer}/{video}/clip.mkv") for (signer, _), _ in pairs[:SHOWN]]
    frames = [(name, frame_of(run.folder, clip, number)) for name, clip in wanted]
    return [(name, frame) for name, frame in frames if frame is not None]


def draw_sheet(rows: Sequence[tuple[str, Sequence[tuple[str, np.ndarray]]]]) -> Image.Image | None:
    """Draw the pictures of each run below its name; None if there are none.

    Args:
        rows: of each run its name, and its pictures (H, W, 3) uint8 with what stands below each.
    """
    lines = [
        (name if start == 0 else "", pictures[start : start + WIDE])
        for name, pictures in rows
        for start in range(0, len(pictures), WIDE)
    ]
    if not lines:
        return None
    font = ImageFont.load_default(13)
    tiles = [[(name, _tile(frame)) for name, frame in pictures] for _, pictures in lines]
    width = max(sum(tile.width + SPACE for _, tile in line) for line in tiles)
    heads = [LINE if head else 0 for head, _ in lines]
    height = sum(heads) + len(lines) * (HEIGHT + LINE + SPACE)
    sheet = Image.new("RGB", (width + SPACE, height + SPACE), PAPER)
    draw, top = ImageDraw.Draw(sheet), SPACE
    for (head, _), above, line in zip(lines, heads, tiles, strict=True):
        draw.text((SPACE, top), head, fill=INK, font=font)
        left, top = SPACE, top + above
        for name, tile in line:
            sheet.paste(tile, (left, top))
            draw.text((left, top + HEIGHT + 2), _fitting(name, tile.width, font), fill=QUIET, font=font)
            left += tile.width + SPACE
        top += HEIGHT + LINE + SPACE
    return sheet


def _tile(frame: np.ndarray) -> Image.Image:
    width = max(1, round(HEIGHT * frame.shape[1] / frame.shape[0]))
    return Image.fromarray(frame).resize((width, HEIGHT), Image.Resampling.LANCZOS)


def _fitting(name: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return a name, its middle left out if it is wider than its picture."""
    kept = len(name)
    text = name
    while font.getlength(text) > width and kept > 4:
        kept -= 1
        text = f"{name[: kept // 2]}…{name[len(name) - (kept - kept // 2) :]}"
    return text
