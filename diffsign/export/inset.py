"""A film of the source with the signer in one of its corners."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from diffsign.config.export import CutoutSettings, InsetSettings
from diffsign.export.cutout import cut_out_frames
from diffsign.export.timing import at_rate
from diffsign.progress import track
from diffsign.records.clip import iter_clip, probe_clip, write_clip


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        clip: pictures of the signer (.mkv).
        source: the source at the size of the film.
        mask: the avatar's, to cut the signer out with.
    """

    clip: Path
    source: Path
    mask: Path


@dataclass(frozen=True)
class Outputs:
    """What is written: the film's pictures without loss (.mkv), for ``diffsign mark``."""

    clip: Path


def placed(width: int, height: int, shape: tuple[int, int], settings: InsetSettings) -> tuple[int, int, int, int]:
    """Return where the signer is: left, top, width and height in a picture of ``width`` × ``height``.

    Args:
        width: pixels of the film.
        height: pixels of the film.
        shape: width and height of the signer's pictures.
        settings: which corner, and how large.
    """
    margin = round(settings.margin * height)
    below = 0 if settings.cut_out else margin  # who is cut out stands on the film's edge and does not float
    room = max(1, height - margin - below), max(1, width - 2 * margin)
    scale = min(settings.size * height / shape[1], room[0] / shape[1], room[1] / shape[0])
    inner = max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
    vertical, horizontal = settings.corner.split()
    left = margin if horizontal == "left" else width - margin - inner[0]
    top = margin if vertical == "top" else height - below - inner[1]
    return max(0, left), max(0, top), *inner


def laid_over(frame: np.ndarray, inset: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray:
    """Return a frame (H, W, 3) uint8 with a picture (h, w, 4) uint8 of straight alpha, scaled, at a place."""
    left, top, width, height = place
    smaller = width < inset.shape[1]
    # Colours and alpha are scaled apart: the colours go on beyond the edge.
    scaled = cv2.resize(inset, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    cover = scaled[..., 3:].astype(np.float32) / 255
    result = frame.copy()
    behind = result[top : top + height, left : left + width]
    behind[:] = np.rint(behind + cover * (scaled[..., :3].astype(np.float32) - behind))
    return result


def run(inputs: Inputs, outputs: Outputs, settings: InsetSettings, *, threads: int = 1) -> str:
    """Write the pictures; return the line that the command prints.

    The film has the source's rate and length: where the signer's clip is shorter by a frame, its last one stays.

    Raises:
        DiffSignError: if a clip cannot be read, or the mask belongs to another one.
    """
    signer, source = probe_clip(inputs.clip), probe_clip(inputs.source)
    place = placed(source.width, source.height, (signer.width, signer.height), settings)

    def pictures() -> Iterator[np.ndarray]:
        insets = at_rate(_insets(inputs, settings), signer.fps, source.fps)
        inset = None
        for frame in iter_clip(inputs.source):
            inset = next(insets, inset)
            assert inset is not None
            yield laid_over(frame, inset, place)

    count = write_clip(outputs.clip, track(pictures(), "Inset", source.frames), source.fps)
    return f"{outputs.clip}: {count} frames of {source.width}x{source.height}, the signer at the {settings.corner}."


def _insets(inputs: Inputs, settings: InsetSettings) -> Iterator[np.ndarray]:
    """Yield the signer's pictures, (h, w, 4) uint8: cut out, or whole."""
    if settings.cut_out:
        yield from cut_out_frames(inputs.clip, inputs.mask, CutoutSettings(edge=settings.edge, grow=settings.grow))
        return
    yield from iter_clip(inputs.clip, alpha=True)
