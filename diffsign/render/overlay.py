"""Lay the avatar over the source, to look at."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.progress import track
from diffsign.records.clip import ClipWriter, iter_clip, probe_clip

#: How much of the avatar is seen.
OPACITY = 0.6


@dataclass(frozen=True)
class Inputs:
    """What is read: the source clip, and the colour and mask passes of its avatar."""

    clip: Path
    color: Path
    mask: Path


@dataclass(frozen=True)
class Outputs:
    """What is written: source, and source under a half transparent avatar, side by side."""

    overlay: Path


def run(inputs: Inputs, outputs: Outputs, *, threads: int = 1) -> str:
    """Write the overlay; return the line that the command prints.

    Raises:
        DiffSignError: if the clips differ in size or length, or cannot be read.
    """
    paths = [getattr(inputs, field.name) for field in fields(inputs)]
    source, *passes = (probe_clip(path) for path in paths)
    for path, info in zip(paths[1:], passes, strict=True):
        if (info.width, info.height) != (source.width, source.height):
            raise DiffSignError(
                f"'{path}' is {info.width}x{info.height}, but the clip '{inputs.clip}' is "
                f"{source.width}x{source.height}; render the motion of this clip."
            )
    clip, color, mask = (iter_clip(path) for path in paths)
    with ClipWriter(outputs.overlay, 2 * source.width, source.height, source.fps) as writer:
        for frame in track(clip, "overlaying", total=source.frames):
            avatar, coverage = next(color, None), next(mask, None)
            if avatar is None or coverage is None:
                raise DiffSignError(
                    f"'{inputs.color}' ends after {writer.frames} frames, before the clip '{inputs.clip}'; "
                    "render the motion of this clip."
                )
            writer.write(np.hstack([frame, blend(frame, avatar, coverage)]))
        if next(color, None) is not None:
            raise DiffSignError(
                f"'{inputs.color}' goes on after the {writer.frames} frames of the clip '{inputs.clip}'; "
                "render the motion of this clip."
            )
    return f"{writer.frames} frames in '{outputs.overlay}'"


def blend(frame: np.ndarray, avatar: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """Return a frame under a half transparent avatar, all (H, W, 3) uint8, where ``coverage`` has it."""
    share = OPACITY * coverage.astype(np.float32) / 255
    return np.rint(frame + share * (avatar.astype(np.float32) - frame)).astype(np.uint8)
