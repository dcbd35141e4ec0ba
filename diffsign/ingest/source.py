"""What a source video is, read from ffmpeg's own description of it (its static builds carry no ffprobe)."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import ffmpeg

from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.records.ffmpeg import ffmpeg_binary, last_complaint

#: What ffmpeg makes of a text file: pictures of a terminal.
TEXT_AS_VIDEO = "Input #0, tty"

_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", re.MULTILINE)
_STREAM = re.compile(r"^  Stream #0:\d+.*?: (Video|Audio): (.*)$", re.MULTILINE)
_SIZE = re.compile(r"(?:^|, )(\d+)x(\d+)(?=[ ,]|$)")
_PIXEL_ASPECT = re.compile(r"SAR (\d+):(\d+)")
_ROTATION = re.compile(r"rotation of (-?\d+(?:\.\d+)?) degrees", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A source video as a player shows it.

    Attributes:
        path: where it is.
        width: pixels of the upright picture (rotation metadata applied), as stored.
        height: pixels of the upright picture, as stored.
        pixel_aspect: width of an upright pixel divided by its height.
        seconds: length; None where the container does not say.
        interlaced: fields are stored instead of whole pictures.
        has_audio: there is at least one sound stream.
    """

    path: Path
    width: int
    height: int
    pixel_aspect: Fraction
    seconds: float | None
    interlaced: bool
    has_audio: bool


def _describe(path: Path) -> str:
    command = ffmpeg.input(str(path.absolute())).output("unused").compile(cmd=ffmpeg_binary())
    # Without an output ffmpeg describes its input and stops, so the output is dropped from the command again.
    finished = subprocess.run([*command[:-1], "-hide_banner"], capture_output=True, check=False)
    return finished.stderr.decode(errors="replace")


def _rotation(description: str, stream_end: int) -> int:
    """Return quarter turns that the stream's metadata asks for (the metadata follows its stream's line)."""
    following = _STREAM.search(description, stream_end)
    found = _ROTATION.search(description, stream_end, following.start() if following else len(description))
    return round(float(found[1]) / 90) if found else 0


def probe_source(path: str | Path) -> Source:
    """Describe a source video without decoding it.

    Raises:
        DiffSignError: if there is no such file, it is a folder or empty, is no video, holds only sound, or its
            codec is unknown.
    """
    path = require_file(path, "video")
    description = _describe(path)
    if "Input #0" not in description or TEXT_AS_VIDEO in description:
        complaints = [
            line
            for line in description.splitlines()
            if "Error opening" not in line and "misdetection" not in line and "At least one" not in line
        ]
        reason = "it holds text" if TEXT_AS_VIDEO in description else last_complaint("\n".join(complaints))
        raise DiffSignError(
            f"video '{path}' is not a video that ffmpeg can read ({reason}); if it is one, it is damaged or was not "
            "copied to its end: copy or export it again."
        )
    streams = list(_STREAM.finditer(description))
    video = next((s for s in streams if s[1] == "Video" and "(attached pic)" not in s[2]), None)
    has_audio = any(s[1] == "Audio" for s in streams)
    if video is None:
        holds = "only sound" if has_audio else "no video stream"
        raise DiffSignError(f"video '{path}' holds {holds}; give a file with pictures.")
    size = _SIZE.search(video[2])
    if video[2].startswith("none") or size is None:
        raise DiffSignError(
            f"video '{path}' has a codec that ffmpeg cannot decode ({video[2].split(', ')[0]}); convert it to H.264."
        )
    aspect = _PIXEL_ASPECT.search(video[2])
    pixel_aspect = (
        Fraction(int(aspect[1]), int(aspect[2])) if aspect and int(aspect[1]) and int(aspect[2]) else Fraction(1)
    )
    width, height = int(size[1]), int(size[2])
    if _rotation(description, video.end()) % 2:
        width, height, pixel_aspect = height, width, 1 / pixel_aspect
    duration = _DURATION.search(description)
    seconds = int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else None
    return Source(
        path=path,
        width=width,
        height=height,
        pixel_aspect=pixel_aspect,
        seconds=seconds,
        interlaced=bool(re.search(r"(top|bottom) first|top coded|bottom coded", video[2])),
        has_audio=has_audio,
    )
