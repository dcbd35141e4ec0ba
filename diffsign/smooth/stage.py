"""The stage ``smooth``: a fitted motion filtered in time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffsign.body.model import load_body
from diffsign.config.smooth import SmoothSettings
from diffsign.errors import DiffSignError
from diffsign.records.motion import load_motion, save_motion
from diffsign.smooth.motion import smooth_motion


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        motion: as fitted.
        body: SMPL-X body file that it was fitted with.
    """

    motion: Path
    body: Path


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        motion: smoothed.
    """

    motion: Path


def run(inputs: Inputs, outputs: Outputs, settings: SmoothSettings, *, threads: int = 1) -> str:
    """Filter a motion in time, on rotations; flag and interpolate frames that fit badly.

    Returns:
        How many shots there are, and which frames were interpolated.

    Raises:
        DiffSignError: if a file cannot be read, or the motion was fitted with another body.
    """
    del threads
    fitted = load_motion(inputs.motion)
    if fitted.body != load_body(inputs.body).sha256:
        raise DiffSignError(
            f"'{inputs.motion}' was fitted with another body file than '{inputs.body}'; "
            "give the one it was fitted with, or fit again."
        )
    smoothed, report = smooth_motion(fitted, settings)
    save_motion(outputs.motion, smoothed)
    return report.summary()
