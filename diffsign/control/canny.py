"""Edges of the avatar's colour pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffsign.config.control import CannyControlSettings
from diffsign.models.control_pictures import canny_picture
from diffsign.progress import track
from diffsign.records.clip import iter_clip, probe_clip, write_clip


@dataclass(frozen=True)
class Inputs:
    """What is read: the colour pass."""

    color: Path


@dataclass(frozen=True)
class Outputs:
    """What is written: the clip, and the same to look at (``.mp4``)."""

    clip: Path
    preview: Path | None = None


def run(inputs: Inputs, outputs: Outputs, settings: CannyControlSettings, *, threads: int = 1) -> str:
    """Find the edges of every frame; return the line that the command prints."""
    info = probe_clip(inputs.color)
    frames = (canny_picture(frame, settings.low, settings.high) for frame in iter_clip(inputs.color))
    written = write_clip(outputs.clip, track(frames, "edges", info.frames), info.fps, preview=outputs.preview)
    return f"edges of {written} frames in '{outputs.clip}'"
