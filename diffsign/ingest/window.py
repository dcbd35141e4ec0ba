"""Which part of a video is taken, and how it is turned: from when to when, which rectangle, which way up."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from diffsign.errors import DiffSignError
from diffsign.ingest.source import Source

#: A trim may end this many seconds after the last frame, because containers round their length.
END_TOLERANCE = 0.1

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d*)?|\.\d+)")
_CROP = re.compile(r"(\d+):(\d+):(\d+):(\d+)")


def parse_time(text: str, name: str) -> float:
    """Return seconds for ``12.5``, ``1:02.5`` or ``0:01:02.5``; ``name`` is the flag that an error names."""
    found = _CLOCK.fullmatch(text.strip())
    if not found:
        raise DiffSignError(
            f"{name} is '{text}', but seconds (12.5) or a clock time (1:02.5 or 0:01:02.5) were expected."
        )
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


@dataclass(frozen=True)
class Trim:
    """From ``start`` to ``end``, in seconds of the source; ``end`` None means to its end."""

    start: float = 0.0
    end: float | None = None

    @property
    def is_whole(self) -> bool:
        """Nothing is cut off."""
        return self.start == 0 and self.end is None

    def seconds(self, source: Source) -> float | None:
        """Return the length after trimming; None where the source's length is unknown and no end is given."""
        end = self.end if self.end is not None else source.seconds
        return None if end is None else end - self.start

    def check(self, source: Source) -> None:
        """Raise an error if nothing would be left or the source is shorter than the trim."""
        if self.end is not None and self.end <= self.start:
            raise DiffSignError(
                f"the trim of '{source.path}' from {self.start:g} s to {self.end:g} s is empty; its end must come "
                "after its start."
            )
        if source.seconds is None:
            return
        if self.start >= source.seconds and self.start > 0:
            raise DiffSignError(
                f"the trim of '{source.path}' starts at {self.start:g} s, but the video is {source.seconds:g} s long."
            )
        if self.end is not None and self.end > source.seconds + END_TOLERANCE:
            raise DiffSignError(
                f"the trim of '{source.path}' ends at {self.end:g} s, but the video is only {source.seconds:g} s long; "
                "leave the end out to take all of it."
            )


@dataclass(frozen=True)
class Crop:
    """A rectangle of the upright picture, in stored pixels, as ffmpeg's ``crop`` filter takes it."""

    width: int
    height: int
    x: int
    y: int

    def check(self, source: Source) -> None:
        """Raise an error if the rectangle leaves the picture or is empty."""
        if self.width < 1 or self.height < 1:
            raise DiffSignError(
                f"the crop of '{source.path}' is {self.width}x{self.height} pixels; it must not be empty."
            )
        if self.x + self.width > source.width or self.y + self.height > source.height:
            raise DiffSignError(
                f"the crop {self.width}:{self.height}:{self.x}:{self.y} (width:height:x:y) leaves the picture of "
                f"'{source.path}', which is {source.width}x{source.height} pixels when upright."
            )


def parse_crop(text: str) -> Crop:
    """Return the crop for ``W:H:X:Y``."""
    found = _CROP.fullmatch(text.strip())
    if not found:
        raise DiffSignError(f"--crop is '{text}', but W:H:X:Y in pixels was expected, for example 640:720:320:0.")
    return Crop(*(int(number) for number in found.groups()))


@dataclass(frozen=True)
class Turn:
    """How the pixels of a source are to be turned, beyond what its metadata says.

    Attributes:
        degrees: clockwise, a multiple of 90.
        mirror: left and right are exchanged, after turning. A mirrored signer signs with the other hand.
    """

    degrees: int = 0
    mirror: bool = False

    def __post_init__(self) -> None:
        if self.degrees % 90:
            raise DiffSignError(f"--rotate is {self.degrees}, but 90, 180 or 270 degrees (clockwise) were expected.")

    def apply(self, source: Source) -> Source:
        """Return the source with the size that it has when turned."""
        if self.degrees % 180 == 0:
            return source
        return replace(source, width=source.height, height=source.width, pixel_aspect=1 / source.pixel_aspect)

    def matrix(self, width: int, height: int) -> NDArray[np.float64]:
        """Return (3, 3): what turning and mirroring do to pixels of a picture of that size, homogeneous."""
        turn, size = np.eye(3), (width, height)
        for _ in range(self.degrees % 360 // 90):
            turn = np.array([[0.0, -1.0, size[1]], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) @ turn
            size = size[::-1]
        flip = np.array([[-1.0, 0.0, size[0]], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) if self.mirror else np.eye(3)
        return flip @ turn

    def filters(self) -> list[str]:
        """Return ffmpeg's filters."""
        turned = {0: [], 90: ["transpose=clock"], 180: ["hflip", "vflip"], 270: ["transpose=cclock"]}[
            self.degrees % 360
        ]
        return [*turned, "hflip"] if self.mirror else turned


@dataclass(frozen=True)
class Window:
    """The part of a source that becomes the clip: turned first, then cropped."""

    trim: Trim = Trim()
    turn: Turn = Turn()
    crop: Crop | None = None

    def check(self, source: Source) -> None:
        """Raise an error if trim or crop leave the source."""
        self.trim.check(source)
        if self.crop:
            self.crop.check(self.turn.apply(source))


@dataclass(frozen=True)
class Fit:
    """Where a picture lies in the clip's: ``stored`` (width, height) scaled to ``inner``, centred in ``outer``."""

    stored: tuple[int, int]
    inner: tuple[int, int]
    outer: tuple[int, int]


def fit_inside(width: int, height: int, pixel_aspect: Fraction, clip_height: int, clip_width: int | None) -> Fit:
    """Fit a picture into the clip's without distorting it; bars of black fill what is left.

    Args:
        width: stored pixels of the (cropped, upright) picture.
        height: as ``width``.
        pixel_aspect: width of a stored pixel divided by its height.
        clip_height: pixels of the clip.
        clip_width: pixels of the clip; None takes the picture's shape, rounded up to a multiple of 8, so that the
            bars are at most 4 pixels wide on either side and nothing is cut off.
    """
    shown = width * pixel_aspect
    if clip_width is None:
        clip_width = max(8, 8 * math.ceil(round(clip_height * shown / height) / 8))
    scale = min(Fraction(clip_width) / shown, Fraction(clip_height, height))
    inner = max(1, round(shown * scale)), max(1, round(height * scale))
    return Fit(stored=(width, height), inner=inner, outer=(clip_width, clip_height))


def parse_window(
    *,
    start: str | None = None,
    end: str | None = None,
    rotate: int = 0,
    mirror: bool = False,
    crop: str | None = None,
) -> Window:
    """Return the window that the flags of ``diffsign ingest`` describe."""
    trim = Trim(parse_time(start, "--start") if start else 0.0, parse_time(end, "--end") if end else None)
    return Window(trim, Turn(rotate, mirror), parse_crop(crop) if crop else None)
