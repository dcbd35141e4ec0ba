"""Keypoints of a clip: found by MediaPipe, or read from what OpenPose wrote."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from diffsign.config.detect import DetectSettings
from diffsign.detect.cuts import find_cuts
from diffsign.detect.openpose import read_openpose
from diffsign.detect.preview import write_preview
from diffsign.detect.process import limited_threads, quiet_natives
from diffsign.detect.upright import how_to_turn, turn_of, turn_with_a_person
from diffsign.errors import DiffSignError
from diffsign.records.clip import ClipInfo, iter_clip, probe_clip
from diffsign.records.keypoints import BODY, BODY_NAMES, FACE, LEFT_HAND, RIGHT_HAND, Keypoints, save_keypoints
from diffsign.records.placement import load_placement
from diffsign.records.shots import mark_cuts

log = logging.getLogger(__name__)

#: Frames of a clip that are looked at to see that points which were read lie on its person.
SAMPLES = 5
#: Points this many shoulder widths from the person are of another video.
ELSEWHERE = 0.5

#: What the detector is called in the keypoints.
MEDIAPIPE = "mediapipe holistic 0.10.21"


@dataclass(frozen=True)
class Inputs:
    """The clip, and the folder of OpenPose's JSON if that takes the detector's place.

    Attributes:
        clip: the clip.
        openpose: folder of OpenPose's JSON, of the clip or of the video that the clip was made from.
        placement: how the clip lies in that video (.json, from ingest).
        detail: the same film, larger, to look at instead (``diffsign ingest --detail``); an empty file is none.
    """

    clip: Path
    openpose: Path | None = None
    placement: Path | None = None
    detail: Path | None = None


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
        keypoints = detect_clip(inputs.clip, settings, threads, inputs.detail)
    else:
        placement = load_placement(inputs.placement) if inputs.placement is not None else None
        keypoints = read_openpose(inputs.openpose, inputs.clip, placement)
        require_same_person(keypoints, inputs.openpose, inputs.clip, threads)
        check_presence(keypoints, inputs.openpose)
        keypoints = with_cuts(keypoints, inputs.clip)
    if outputs.preview:
        write_preview(inputs.clip, keypoints, outputs.preview)
    save_keypoints(outputs.keypoints, keypoints)
    return f"{outputs.keypoints}: {summarise(keypoints)}"


def detect_clip(
    clip: str | Path, settings: DetectSettings, threads: int | None = None, detail: str | Path | None = None
) -> Keypoints:
    """Run MediaPipe Holistic over a clip.

    Args:
        clip: the clip.
        settings: size of the network and its thresholds.
        threads: processors to use; None for all.
        detail: the same film, larger, that is looked at in its stead; an empty file is none.

    Returns:
        Keypoints in pixels of the clip.

    Raises:
        DiffSignError: if the clip cannot be read, nobody is in it and ``settings.require_person``, or ``detail`` is
            another film.
    """
    info, cuts = probe_clip(clip), find_cuts(iter_clip(clip), probe_clip(clip).fps)
    pictures = Path(detail) if detail is not None and Path(detail).stat().st_size else Path(clip)
    with limited_threads(threads), quiet_natives():
        from diffsign.detect.holistic import detect_pictures

        large = probe_clip(pictures)
        points, world = detect_pictures(lambda: iter_clip(pictures), large, settings, str(clip), cuts)
    if not len(points):
        raise DiffSignError(f"clip '{clip}' holds no frames; make it again.")
    if len(points) != info.frames:
        raise DiffSignError(
            f"'{detail}' has {len(points)} frames, but the clip '{clip}' has {info.frames}; make both in one ingest."
        )
    points[..., :2] *= np.array([info.width, info.height]) / [large.width, large.height]
    keypoints = Keypoints(points, info.fps, info.width, info.height, world=world, detector=MEDIAPIPE)
    if settings.require_person:
        if not frames_with(keypoints)["body"]:
            _require_upright(pictures, clip, settings, threads)
        check_presence(keypoints, clip)
        if degrees := turn_of(keypoints):
            log.warning(
                "The person in '%s' lies on the side or stands on the head. If the pixels are turned, %s.",
                clip,
                how_to_turn(degrees),
            )
    return replace(keypoints, changes=mark_cuts(keypoints.changes, cuts))


def _require_upright(pictures: Path, clip: str | Path, settings: DetectSettings, threads: int | None) -> None:
    """Raise a clear error if there is somebody in a clip that shows nobody, once it is turned."""

    def found(frames: Iterable[np.ndarray]) -> bool:
        from diffsign.detect.holistic import detect_pictures

        turned = list(frames)
        info = ClipInfo(turned[0].shape[1], turned[0].shape[0], 1.0, len(turned))
        points, _ = detect_pictures(lambda: iter(turned), info, settings, str(clip), range(1, len(turned)))
        return bool((points[..., 2] > 0).any(axis=1).mean() > 0.5)

    with limited_threads(threads), quiet_natives():
        degrees = turn_with_a_person(list(islice(iter_clip(pictures), 0, 240, 24)), found)
    if degrees:
        raise DiffSignError(f"nobody was found in '{clip}', which lies on its side: {how_to_turn(degrees)}.")


def require_same_person(keypoints: Keypoints, folder: Path, clip: Path, threads: int) -> None:
    """Raise a clear error if points that were read do not lie on the person whom MediaPipe sees in the clip.

    A few frames in which head and shoulders were read are looked at; where MediaPipe sees nobody, nothing is said.
    """
    upper = [BODY_NAMES.index(name) for name in ("nose", "neck", "left_shoulder", "right_shoulder")]
    known = np.flatnonzero((keypoints.confidence[:, upper] > 0).all(axis=1))
    if not len(known):
        return
    wanted = set(known[np.linspace(0, len(known) - 1, min(SAMPLES, len(known))).round().astype(int)].tolist())
    frames = [(number, frame) for number, frame in enumerate(iter_clip(clip)) if number in wanted]
    with limited_threads(threads), quiet_natives():
        from diffsign.detect.holistic import detect_pictures

        settings, info = DetectSettings(require_person=False), replace(probe_clip(clip), frames=len(frames))
        pictures = [frame for _, frame in frames]
        looked_at, _ = detect_pictures(lambda: iter(pictures), info, settings, str(clip), range(1, len(frames)))
    apart = []
    for (number, _), seen in zip(frames, looked_at, strict=True):
        if (seen[upper, 2] > 0).all():
            read = keypoints.points[number, upper, :2]
            shoulders = np.linalg.norm(seen[upper[2], :2] - seen[upper[3], :2])
            apart.append(np.median(np.linalg.norm(read - seen[upper, :2], axis=-1)) / max(shoulders, 1.0))
    if apart and np.median(apart) > ELSEWHERE:
        raise DiffSignError(
            f"the points of '{folder}' lie {np.median(apart):.1f} shoulder widths from the person in '{clip}' (median "
            f"of {len(apart)} frames); they are of another video or another part of it: check folder, trim and crop."
        )


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
