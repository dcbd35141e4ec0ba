"""Keypoints for other tools: a ``.pose`` file, or OpenPose's JSON, a file for every frame."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.records.keypoints import BODY, FACE, LEFT_HAND, RIGHT_HAND, load_keypoints
from diffsign.records.pose_file import save_pose_file

#: OpenPose's names of our parts.
JSON_LISTS = {
    "pose_keypoints_2d": BODY,
    "face_keypoints_2d": FACE,
    "hand_left_keypoints_2d": LEFT_HAND,
    "hand_right_keypoints_2d": RIGHT_HAND,
}


@dataclass(frozen=True)
class Inputs:
    """What is read: keypoints."""

    keypoints: Path


@dataclass(frozen=True)
class Outputs:
    """What is written: a ``.pose`` file, or a folder of OpenPose JSON where the path has no suffix."""

    path: Path


def run(inputs: Inputs, outputs: Outputs, *, threads: int = 1) -> str:
    """Write the keypoints; return the line that the command prints.

    Raises:
        DiffSignError: if the keypoints are missing or damaged, or the path has another suffix.
    """
    keypoints = load_keypoints(inputs.keypoints)
    if outputs.path.suffix == ".pose":
        save_pose_file(outputs.path, keypoints)
        return f"{len(keypoints)} frames as .pose in '{outputs.path}'"
    if outputs.path.suffix:
        raise DiffSignError(
            f"'{outputs.path}': keypoints are exported as a .pose file or as a folder (a path without suffix) of "
            "OpenPose JSON."
        )
    for frame, points in enumerate(keypoints.points):
        with atomic(outputs.path / f"{frame:012d}_keypoints.json") as temporary:
            temporary.write_text(json.dumps(openpose_frame(points)), encoding="utf-8")
    return f"{len(keypoints)} frames as OpenPose JSON in '{outputs.path}'"


def openpose_frame(points: np.ndarray) -> dict[str, object]:
    """Return one frame, (137, 3), as OpenPose 1.3 writes it: one person, zeros for what is missing."""
    kept = np.where(points[:, 2:] > 0, points, 0.0)
    person = {name: [round(float(value), 4) for value in kept[part].ravel()] for name, part in JSON_LISTS.items()}
    return {"version": 1.3, "people": [{"person_id": [-1], **person}] if kept[:, 2].any() else []}
