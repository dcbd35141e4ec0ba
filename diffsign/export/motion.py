"""A motion for other tools: AMASS-like ``.npz``, ``.bvh``, ``.glb``, ``.blend``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.body.model import load_body
from diffsign.config.export import ExportMotionSettings
from diffsign.errors import DiffSignError
from diffsign.export.amass import amass_arrays
from diffsign.export.bvh import bvh_text
from diffsign.export.rig import write_rig
from diffsign.files import atomic
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.records.motion import load_motion

#: What a motion is written as, by the suffix of the file.
FORMATS = {
    ".npz": "SMPL-X parameters as AMASS lays them out",
    ".bvh": "skeleton and animation",
    ".glb": "avatar with skeleton and animation",
    ".blend": "avatar with skeleton and animation",
}


@dataclass(frozen=True)
class Inputs:
    """What is read: a motion, and the body file that it belongs to."""

    motion: Path
    body: Path


@dataclass(frozen=True)
class Outputs:
    """What is written: a file with a suffix of :data:`FORMATS`."""

    file: Path


def run(inputs: Inputs, outputs: Outputs, settings: ExportMotionSettings, *, threads: int = 1) -> str:
    """Write the motion in the format of the file's suffix; return the line that the command prints.

    Raises:
        DiffSignError: if the suffix is of no format, a file is missing, the motion belongs to another body, or Blender
            (for ``.glb`` and ``.blend``) is missing or fails.
    """
    suffix = outputs.file.suffix.lower()
    if suffix not in FORMATS:
        raise DiffSignError(
            f"'{outputs.file}': a motion is exported as {', '.join(FORMATS)}; give one of these suffixes."
        )
    motion, body = load_motion(inputs.motion), load_body(inputs.body)
    motion.require_body(body.sha256)
    with atomic(outputs.file) as temporary:
        if suffix == ".npz":
            with temporary.open("wb") as stream:
                np.savez_compressed(stream, **amass_arrays(motion, body))
        elif suffix == ".bvh":
            local, rest = rotvec_to_rotmat(motion.full_pose), body.rest_joints(motion.betas)
            temporary.write_text(bvh_text(local, rest, motion.transl, motion.fps), encoding="ascii")
        else:
            write_rig(motion, body, settings, temporary)
    return f"{len(motion)} frames as {FORMATS[suffix]} in '{outputs.file}'"
