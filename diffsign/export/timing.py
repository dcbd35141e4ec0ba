"""Frames at another rate: those that are shown at each moment, repeated or left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diffsign.records.clip import exact_rate


def at_rate(frames: Iterator[np.ndarray], fps: float, rate: float) -> Iterator[np.ndarray]:
    """Yield what a clip of ``fps`` frames a second shows at ``rate``, as long as it lasts (to half a frame).

    >>> [int(frame) for frame in at_rate(iter(np.arange(4)), 12, 24)]
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    step = exact_rate(fps) / exact_rate(rate)
    shown, frame = 0, None
    for number, frame in enumerate(frames):
        while int(shown * step) <= number and shown < round((number + 1) / step):
            yield frame
            shown += 1
    if shown == 0 and frame is not None:
        yield frame
