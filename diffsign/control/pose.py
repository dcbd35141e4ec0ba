"""Skeleton pictures of a clip, from a fitted motion or from detected keypoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.body.model import Body, load_body
from diffsign.config.control import PoseControlSettings
from diffsign.control.occlusion import Occluders
from diffsign.control.pose_picture import pose_picture
from diffsign.errors import DiffSignError
from diffsign.progress import track
from diffsign.records.clip import write_clip
from diffsign.records.keypoints import COUNT, Keypoints, load_keypoints
from diffsign.records.motion import Motion, load_motion


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        points: a motion, or with ``source: detect`` keypoints.
        body: the body file of the motion; not needed for keypoints.
    """

    points: Path
    body: Path | None = None


@dataclass(frozen=True)
class Outputs:
    """What is written: the clip, and the same to look at (``.mp4``)."""

    clip: Path
    preview: Path | None = None


def run(inputs: Inputs, outputs: Outputs, settings: PoseControlSettings, *, threads: int = 1) -> str:
    """Draw the skeleton of every frame; return the line that the command prints.

    Raises:
        DiffSignError: if a file is missing or of another kind, or a motion comes without its body.
    """
    if settings.source == "detect":
        keypoints = load_keypoints(inputs.points)
        frames, fps, count = skeletons_of_keypoints(keypoints, settings), keypoints.fps, len(keypoints)
    elif inputs.body is None:
        raise DiffSignError(
            "diffsign control pose: name the body file with --body (or draw keypoints: --source detect)."
        )
    else:
        motion = load_motion(inputs.points)
        frames, fps, count = skeletons_of_motion(motion, load_body(inputs.body), settings), motion.fps, len(motion)
    written = write_clip(outputs.clip, track(frames, "skeletons", count), fps, preview=outputs.preview)
    return f"{written} skeletons in '{outputs.clip}'"


def skeletons_of_motion(motion: Motion, body: Body, settings: PoseControlSettings) -> Iterator[np.ndarray]:
    """Draw the joints of a fit as the motion's camera sees them.

    Args:
        motion: T frames.
        body: the body that the motion's parameters belong to.
        settings: what is drawn.

    Yields:
        (H, W, 3) uint8 RGB, T times, of the camera's size.
    """
    camera = motion.camera
    points = body.keypoints(motion)
    vertices = body.vertices(motion)
    occluders = Occluders(body.faces, body.parts, vertices.shape[1]) if settings.occlusion else None
    for world, mesh in zip(points, vertices, strict=True):
        picture = np.zeros((COUNT, 3))
        picture[:, :2] = camera.project(world)
        picture[:, 2] = np.isfinite(picture[:, 0])
        left_hand_first = True
        if occluders is not None:
            visibility = occluders.visibility(mesh, world, camera)
            picture[:, 2] *= visibility.visible
            left_hand_first = visibility.left_hand_first
        yield pose_picture(
            np.nan_to_num(picture), camera.width, camera.height, settings, left_hand_first=left_hand_first
        )


def skeletons_of_keypoints(keypoints: Keypoints, settings: PoseControlSettings) -> Iterator[np.ndarray]:
    """Draw detected keypoints, the paper's way: (H, W, 3) uint8 RGB for each of T frames."""
    for points in keypoints.points:
        kept = np.where(points[:, 2:] >= settings.min_confidence, points, 0.0)
        yield pose_picture(kept, keypoints.width, keypoints.height, settings)
