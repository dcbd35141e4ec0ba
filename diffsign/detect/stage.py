"""Keypoints of a clip: found by MediaPipe, or read from what OpenPose wrote."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from diffsign.config.detect import DetectSettings
from diffsign.detect.cuts import find_cuts
from diffsign.detect.openpose import read_openpose
from diffsign.detect.preview import write_preview
from diffsign.detect.process import limited_threads, quiet_natives
from diffsign.errors import DiffSignError
from diffsign.records.clip import iter_clip, probe_clip
from diffsign.records.keypoints import BODY, FACE, LEFT_HAND, RIGHT_HAND, Keypoints, save_keypoints
from diffsign.records.shots import mark_cuts

log = logging.getLogger(__name__)

#: What the detector is called in the keypoints.
MEDIAPIPE = "mediapipe holistic 0.10.21"


@dataclass(frozen=True)
class Inputs:
    """The clip, and the folder of OpenPose's JSON for it if that takes the detector's place."""

    clip: Path
    openpose: Path | None = None


@dataclass(frozen=True)
class Outputs:
    """The keypoints, and the clip with them drawn on it if that is wanted."""

    keypoints: Path
    preview: Path | None = None


def run(inputs: Inputs, outputs: Outputs, settings: DetectSettings, *, threads: int = 1) -> str:
    """Find the keypoints of a clip and write them.

    Returns:
        The line that the command prints.

    Raises:
        DiffSignError: if the clip cannot be read, nobody is in it and ``settings.require_person``, or the folder is
            not what OpenPose wrote for this clip.
    """
    if settings.detector == "openpose" and inputs.openpose is None:
        raise DiffSignError("detector is openpose, so --openpose must name the folder of OpenPose's JSON.")
    if inputs.openpose is None:
        keypoints = detect_clip(inputs.clip, settings, threads)
    else:
        keypoints = read_openpose(inputs.openpose, inputs.clip)
        check_presence(keypoints, inputs.openpose)
        keypoints = with_cuts(keypoints, inputs.clip)
    if outputs.preview:
        write_preview(inputs.clip, keypoints, outputs.preview)
    save_keypoints(outputs.keypoints, keypoints)
    return f"{outputs.keypoints}: {summarise(keypoints)}"


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
        from diffsign.detect.holistic import detect_pictures

        points, world = detect_pictures(lambda: iter_clip(clip), info, settings, str(clip), cuts)
    if not len(points):
        raise DiffSignError(f"clip '{clip}' holds no frames; make it again.")
    keypoints = Keypoints(points, info.fps, info.width, info.height, world=world, detector=MEDIAPIPE)
    if settings.require_person:
        check_presence(keypoints, clip)
    return replace(keypoints, changes=mark_cuts(keypoints.changes, cuts))


def with_cuts(keypoints: Keypoints, clip: str | Path) -> Keypoints:
    """Return keypoints with the cuts marked that the pictures of their clip show."""
    return replace(keypoints, changes=mark_cuts(keypoints.changes, find_cuts(iter_clip(clip), keypoints.fps)))


def frames_with(keypoints: Keypoints) -> dict[str, int]:
    """Return in how many frames each part has a point."""
    parts = {"body": BODY, "left hand": LEFT_HAND, "right hand": RIGHT_HAND, "face": FACE}
    confidence = keypoints.in_picture().confidence
    return {name: int((confidence[:, part] > 0).any(axis=1).sum()) for name, part in parts.items()}


def summarise(keypoints: Keypoints) -> str:
    """Say in one line in how many frames each part was found."""
    counts = ", ".join(f"{name} {count}" for name, count in frames_with(keypoints).items())
    return f"found in {len(keypoints)} frames: {counts}"


def check_presence(keypoints: Keypoints, where: str | Path) -> None:
    """Raise a clear error if nobody is in the keypoints of ``where``; warn of hands that never are."""
    counts = frames_with(keypoints)
    if not counts["body"]:
        raise DiffSignError(
            f"nobody was found in any of the {len(keypoints)} frames of '{where}'; does it show a person?"
        )
    for name in ("left hand", "right hand"):
        if not counts[name]:
            log.warning("The %s was never found in '%s'; it will stay at rest.", name, where)
