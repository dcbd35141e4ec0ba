"""The stage ``fit``: from keypoints to SMPL-X parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from diffsign.body.model import load_body
from diffsign.config.fit import FitSettings
from diffsign.fit.motion import fit_motion
from diffsign.fit.points import reduced
from diffsign.records.keypoints import load_keypoints
from diffsign.records.motion import save_motion


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        keypoints: of the clip, cleaned ones best.
        body: SMPL-X body file.
    """

    keypoints: Path
    body: Path


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        motion: SMPL-X parameters as fitted.
    """

    motion: Path


def run(inputs: Inputs, outputs: Outputs, settings: FitSettings, *, threads: int = 1) -> str:
    """Fit SMPL-X to the keypoints of a clip: one shape, one camera, a pose a frame.

    Returns:
        The mean errors and the frames that are flagged.

    Raises:
        DiffSignError: if a file cannot be read, or nobody is seen in the keypoints.
    """
    keypoints = load_keypoints(inputs.keypoints)
    body = load_body(inputs.body)
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        motion, report = fit_motion(keypoints, reduced(body), settings, body.sha256)
    save_motion(outputs.motion, motion)
    return report.summary()
