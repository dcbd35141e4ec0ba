"""Where ffmpeg is, and how its complaints become sentences."""

from __future__ import annotations

import os
import shutil
from functools import cache

import imageio_ffmpeg


@cache
def ffmpeg_binary() -> str:
    """Return the ffmpeg to run: the system's if there is one, otherwise the one ``imageio-ffmpeg`` carries."""
    binary = os.environ.get("IMAGEIO_FFMPEG_EXE") or shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    os.environ["IMAGEIO_FFMPEG_EXE"] = binary
    return binary


def first_complaint(stderr: bytes | str | None) -> str:
    """Return the first line of ffmpeg's stderr, which names the cause where the last only says that it failed."""
    text = stderr.decode(errors="replace") if isinstance(stderr, bytes) else (stderr or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0].rsplit("] ", 1)[-1].rstrip(".") if lines else "no message"


def last_complaint(stderr: bytes | str | None) -> str:
    """Return the last line of ffmpeg's stderr that says something, without its memory addresses."""
    text = stderr.decode(errors="replace") if isinstance(stderr, bytes) else (stderr or "")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Conversion failed")]
    return lines[-1].split("] ", 1)[-1] if lines else "no message"
