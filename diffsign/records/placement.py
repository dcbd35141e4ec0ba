"""How a clip lies in the video it was made from: which pixel and which moment of the source each of its own is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffsign.errors import DiffSignError
from diffsign.records.json_record import load_record, save_record

FORMAT, VERSION = "diffsign-placement", 1


@dataclass(frozen=True)
class Placement:
    """From a source video to its clip.

    Attributes:
        width: of the upright source in stored pixels.
        height: likewise.
        fps: frames per second of the source.
        frames: number of frames that the source says it has; None if it does not say.
        start: second of the source at which the clip begins.
        to_clip: (2, 3) numbers; pixel (x, y) of the source is ``to_clip @ (x, y, 1)`` in the clip.
    """

    width: int
    height: int
    fps: float
    frames: int | None
    start: float
    to_clip: tuple[tuple[float, float, float], tuple[float, float, float]]

    def points_in_clip(self, xy: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return (..., 2) pixels of the clip for pixels of the source."""
        matrix = np.array(self.to_clip, dtype=np.float64)
        return xy @ matrix[:, :2].T + matrix[:, 2]

    def source_frames(self, count: int, fps: float) -> NDArray[np.float64]:
        """Return (count,) the source's frame, a fraction, that each frame of a clip of that rate shows."""
        return (self.start + np.arange(count, dtype=np.float64) / fps) * self.fps


def _row(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def save_placement(path: str | Path, placement: Placement) -> None:
    """Write a placement as JSON (format ``diffsign-placement``)."""
    save_record(path, FORMAT, VERSION, asdict(placement))


def load_placement(path: str | Path) -> Placement:
    """Read a placement written by :func:`save_placement`; raises :class:`DiffSignError` on any other file."""
    values, _ = load_record(path, FORMAT, VERSION, "placement of a clip (from `diffsign ingest`)")
    try:
        matrix = np.array(values["to_clip"], dtype=np.float64).reshape(2, 3)
        placement = Placement(
            width=int(values["width"]),
            height=int(values["height"]),
            fps=float(values["fps"]),
            frames=None if values["frames"] is None else int(values["frames"]),
            start=float(values["start"]),
            to_clip=(_row(matrix[0]), _row(matrix[1])),
        )
        if not np.isfinite([*matrix.ravel(), placement.fps, placement.start]).all() or placement.fps <= 0:
            raise ValueError("numbers out of range")
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise DiffSignError(
            f"'{path}' is no placement of a clip ({error}); remove it and run diffsign ingest again."
        ) from error
    return placement
