"""Black bars around a picture: what lies behind one is not in the picture, but nothing after ingest would know that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffsign import processes
from diffsign.ingest.sound import trim_options
from diffsign.ingest.source import Source
from diffsign.ingest.window import Crop, Window
from diffsign.records.ffmpeg import LOCAL_FILE, ffmpeg_command, require_unhurt

Grey = NDArray[np.uint8]

#: Frames that are looked at, and seconds of a source that they are taken from.
FRAMES, SECONDS = 32, 120.0
#: Grey levels that a bar has at most, and that it changes by at most, over the frames and along itself.
BLACK, EVEN = 24, 8
#: A bar is at least so much of the picture, and all of them together at most so much: else the film is dark.
LEAST, MOST = 0.02, 0.6
#: Lines beside a bar that are mixed with it, and how much of the next line is lighter than it: a picture ends at once,
#: a person before a black wall does not.
MIXED, LIGHT = 2, 0.5


def _bars(low: Grey, high: Grey) -> tuple[int, int]:
    """Return how many of the first and of the last rows are a bar.

    Args:
        low: (height, width), the darkest that each pixel was.
        high: likewise, the lightest.
    """
    black = (high.max(1) <= BLACK) & (high.max(1).astype(int) - low.min(1) <= EVEN)
    lit = (high > BLACK + EVEN).mean(1) >= LIGHT
    picture = np.flatnonzero(~black)
    if len(picture) == 0:
        return 0, 0
    ends: list[int] = []
    for first, light in ((int(picture[0]), lit), (len(black) - 1 - int(picture[-1]), lit[::-1])):
        starts = np.flatnonzero(light[first : first + MIXED + 1])
        ends.append(first + int(starts[0]) if first >= LEAST * len(black) and len(starts) else 0)
    return (ends[0], ends[1]) if sum(ends) <= MOST * len(black) else (0, 0)


def find_bars(frames: Grey) -> tuple[int, int, int, int]:
    """Return the width of the bars at left, top, right and bottom in pixels, 0 where there is none.

    Args:
        frames: (T, height, width) uint8, grey.
    """
    low, high = frames.min(0), frames.max(0)
    left = top = right = bottom = 0
    for _ in range(2):  # bars on one pair of sides lie across those on the other
        columns = slice(left, low.shape[1] - right)
        top, bottom = _bars(low[:, columns], high[:, columns])
        rows = slice(top, len(low) - bottom)
        left, right = _bars(low[rows].T, high[rows].T)
    return left, top, right, bottom


def without_bars(source: Source, window: Window) -> Window:
    """Return the window with a crop to the picture inside black bars; as it is without them or with a crop."""
    if window.crop:
        return window
    turned = window.turn.apply(source)
    seconds = min(window.trim.seconds(source) or SECONDS, SECONDS)
    filters = [
        *window.turn.filters(),
        f"fps={FRAMES / seconds:.6f}",
        f"scale={turned.width}:{turned.height}",
        "format=gray",
    ]
    command = ffmpeg_command(
        *(*LOCAL_FILE, *trim_options(window.trim, seconds), "-i", source.path.absolute(), "-map", f"0:{source.video}"),
        *("-vf", ",".join(filters), "-frames:v", str(FRAMES), "-f", "rawvideo", "-"),
    )
    looked = processes.run(command)
    require_unhurt(looked.returncode)
    pixels = turned.width * turned.height
    frames = np.frombuffer(looked.stdout[: len(looked.stdout) // pixels * pixels], np.uint8)
    if not len(frames):  # what is wrong with the source is said by what decodes all of it
        return window
    left, top, right, bottom = find_bars(frames.reshape(-1, turned.height, turned.width))
    if not any((left, top, right, bottom)):
        return window
    return Window(window.trim, window.turn, Crop(turned.width - left - right, turned.height - top - bottom, left, top))
