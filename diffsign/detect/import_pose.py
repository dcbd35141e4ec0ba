"""A ``.pose`` file in place of a video: its points as keypoints, and a film of the skeleton."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.config.import_pose import ImportPoseSettings
from diffsign.detect.pose_file import keypoints_of_pose, read_pose_file
from diffsign.detect.preview import draw_keypoints
from diffsign.records.clip import write_clip
from diffsign.records.keypoints import Keypoints, save_keypoints


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        pose: the ``.pose`` file.
    """

    pose: Path


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        keypoints: keypoints (.npz).
        clip: film of the skeleton (.mkv), where a video would stand; None for none.
        preview: the same to look at (.mp4); None for none.
    """

    keypoints: Path
    clip: Path | None = None
    preview: Path | None = None


def skeleton_picture(keypoints: Keypoints, frame: int) -> np.ndarray:
    """Return (H, W, 3) uint8: the points of a frame on black."""
    black = np.zeros((keypoints.height, keypoints.width, 3), np.uint8)
    return draw_keypoints(black, keypoints.points[frame])


def run(inputs: Inputs, outputs: Outputs, settings: ImportPoseSettings, *, threads: int = 1) -> str:
    """Import a ``.pose`` file.

    Returns:
        The line that the command prints.

    Raises:
        DiffSignError: if the file is not one, or shows no signer.
    """
    pose = read_pose_file(inputs.pose, settings.person)
    keypoints = keypoints_of_pose(pose, settings.height, settings.width, settings.fps)
    save_keypoints(outputs.keypoints, keypoints)
    if outputs.clip is not None:
        frames = (skeleton_picture(keypoints, t) for t in range(len(keypoints)))
        write_clip(outputs.clip, frames, keypoints.fps, preview=outputs.preview)
    kind = "MediaPipe Holistic" if pose.holistic else "OpenPose"
    return f"{outputs.keypoints}: {len(keypoints)} frames at {keypoints.fps:g} fps, points of {kind}."
