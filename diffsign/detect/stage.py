"""Find the points of body, hands and face in every picture of a clip."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from diffsign.config.detect import DetectSettings
from diffsign.detect.cuts import find_cuts
from diffsign.detect.openpose import choose_person, read_folder
from diffsign.detect.process import limited_threads, quiet_natives
from diffsign.errors import DiffSignError
from diffsign.progress import track
from diffsign.records.clip import iter_clip, probe_clip
from diffsign.records.keypoints import BODY, FACE, LEFT_HAND, RIGHT_HAND, Keypoints
from diffsign.records.shots import mark_cuts

log = logging.getLogger(__name__)

__all__ = ["PARTS", "detect_clip", "frames_with", "read_openpose", "summarise"]

PARTS = {"body": BODY, "left hand": LEFT_HAND, "right hand": RIGHT_HAND, "face": FACE}


def frames_with(keypoints: Keypoints) -> dict[str, int]:
    """Return in how many frames each part has a point."""
    return {name: int((keypoints.confidence[:, part] > 0).any(axis=1).sum()) for name, part in PARTS.items()}


def summarise(keypoints: Keypoints) -> str:
    """Say in one line in how many frames each part was found."""
    found = ", ".join(f"{name} {count}" for name, count in frames_with(keypoints).items())
    return f"found in {len(keypoints)} frames: {found}"


def check_found(keypoints: Keypoints, clip: str | Path) -> None:
    """Raise a sentence if nobody was found in ``clip``; warn of hands that never were."""
    found = frames_with(keypoints)
    if not found["body"]:
        raise DiffSignError(
            f"nobody was found in any of the {len(keypoints)} frames of '{clip}'; does it show a person?"
        )
    for name in ("left hand", "right hand"):
        if not found[name]:
            log.warning("The %s was never found in '%s'; it will stay at rest.", name, clip)


def detect_clip(clip: str | Path, settings: DetectSettings, threads: int | None = None) -> Keypoints:
    """Run MediaPipe Holistic over a clip.

    Args:
        clip: the clip.
        settings: size of the network and its thresholds.
        threads: processors to use; None for all.

    Raises:
        DiffSignError: if the clip cannot be read, or nobody is in it and ``settings.require_person``.
    """
    info = probe_clip(clip)
    cuts = find_cuts(iter_clip(clip), info.fps)
    with limited_threads(threads), quiet_natives():
        from diffsign.detect.holistic import detect_frames

        rows = list(detect_frames(track(iter_clip(clip), "detect", info.frames), settings, str(clip), cuts))
    if not rows:
        raise DiffSignError(f"clip '{clip}' holds no frames; make it again.")
    points, world = (np.stack(column).astype(np.float32) for column in zip(*rows, strict=True))
    keypoints = Keypoints(points, info.fps, info.width, info.height, world=world, detector="mediapipe holistic 0.10.21")
    if settings.require_person:
        check_found(keypoints, clip)
    return replace(keypoints, changes=mark_cuts(keypoints.changes, cuts))


def read_openpose(folder: str | Path, clip: str | Path) -> Keypoints:
    """Read OpenPose's JSON of a clip, one file a frame; of several people the largest over all frames is followed.

    Args:
        folder: where OpenPose wrote its JSON (``--write_json``), BODY_25 with hands and face.
        clip: the clip that OpenPose saw: same size, same frames.

    Raises:
        DiffSignError: if a file is not OpenPose's, the number of files is not the clip's number of frames, points lie
            outside the clip's picture, or nobody is in any file.
    """
    info = probe_clip(clip)
    frames = read_folder(folder)
    if len(frames.people) != info.frames:
        raise DiffSignError(
            f"the OpenPose folder '{folder}' has {len(frames.people)} frames, but the clip '{clip}' has {info.frames}; "
            "run OpenPose on the clip itself."
        )
    points = choose_person(frames.people)
    keypoints = Keypoints(points.astype(np.float32), info.fps, info.width, info.height, detector="openpose")
    check_found(keypoints, folder)
    seen = points[points[..., 2] > 0, :2]
    if (seen.max(axis=0) > 1.5 * np.array([info.width, info.height])).any():
        raise DiffSignError(
            f"points of '{folder}' reach to {seen.max(axis=0).round().tolist()}, but the clip '{clip}' is {info.width}x"
            f"{info.height} pixels; run OpenPose on the clip itself, with --keypoint_scale 0."
        )
    return replace(keypoints, changes=mark_cuts(keypoints.changes, find_cuts(iter_clip(clip), info.fps)))
