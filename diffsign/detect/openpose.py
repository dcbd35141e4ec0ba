"""Keypoints from a folder of OpenPose's JSON, one file a frame."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.records.clip import probe_clip
from diffsign.records.keypoints import BODY, BODY_NAMES, COUNT, FACE, LEFT_HAND, RIGHT_HAND, Keypoints
from diffsign.records.placement import Placement

#: The points of each list of OpenPose's JSON, which holds x, y, confidence by turns.
LISTS = {
    "pose_keypoints_2d": BODY,
    "hand_left_keypoints_2d": LEFT_HAND,
    "hand_right_keypoints_2d": RIGHT_HAND,
    "face_keypoints_2d": FACE,
}

#: The points of OpenPose's older model, in its order.
COCO_18 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
).split()

#: A person is followed from frame to frame if the jump is less than this many times the person's size.
MAX_JUMP = 1.0
#: Below this confidence OpenPose's points do not say where a person is.
MIN_CONFIDENCE = 0.05


def _coco_as_body25(values: list[Any], path: Path) -> list[float]:
    """Return OpenPose's COCO-18 as BODY_25, the middle of the hips between them."""
    try:
        coco = np.array(values, dtype=np.float64).reshape(-1, 3)
    except (TypeError, ValueError) as error:
        raise DiffSignError(f"'{path}' has something else than numbers in 'pose_keypoints_2d'.") from error
    body = np.zeros((len(BODY_NAMES), 3))
    body[[BODY_NAMES.index(name) for name in COCO_18]] = coco
    hips = body[[BODY_NAMES.index(name) for name in ("left_hip", "right_hip")]]
    body[BODY_NAMES.index("mid_hip")] = [*hips[:, :2].mean(axis=0), hips[:, 2].min()]
    return body.ravel().tolist()


def _person(person: Any, path: Path) -> np.ndarray:
    if not isinstance(person, dict):
        raise DiffSignError(f"'{path}' is not OpenPose JSON: an entry of 'people' is no table.")
    points = np.zeros((COUNT, 3))
    for name, part in LISTS.items():
        values = person.get(name) or person.get(name.removesuffix("_2d")) or []
        if values == []:
            continue
        if name == "pose_keypoints_2d" and isinstance(values, list) and len(values) == 3 * len(COCO_18):
            values = _coco_as_body25(values, path)
        expected = 3 * (part.stop - part.start)
        if not isinstance(values, list) or len(values) != expected:
            length = f"{len(values)} numbers" if isinstance(values, list) else "no list"
            hint = " (run OpenPose with --model_pose BODY_25 or COCO)" if name == "pose_keypoints_2d" else ""
            raise DiffSignError(f"'{path}' has {length} in '{name}', {expected} were expected{hint}.")
        try:
            points[part] = np.array(values, dtype=np.float64).reshape(-1, 3)
        except (TypeError, ValueError) as error:
            raise DiffSignError(f"'{path}' has something else than numbers in '{name}'.") from error
    points[~np.isfinite(points).all(axis=1)] = 0
    # OpenPose's confidences of heat maps exceed 1 by a little.
    points[:, 2] = points[:, 2].clip(0, 1)
    return points


def _read(path: Path) -> np.ndarray:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DiffSignError(f"'{path}' is not OpenPose JSON: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("people"), list):
        raise DiffSignError(f"'{path}' is not OpenPose JSON: it has no list 'people'.")
    people = [_person(person, path) for person in content["people"]]
    return np.stack(people) if people else np.zeros((0, COUNT, 3))


def _number(path: Path) -> int:
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else -1


def read_folder(folder: str | Path) -> list[np.ndarray]:
    """Return the people of each frame, (P, 137, 3) in OpenPose's pixels, in the order of the files' numbers.

    Raises:
        DiffSignError: if the folder is missing, holds no such file, or a file is not what OpenPose writes.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise DiffSignError(f"the OpenPose folder '{folder}' {what}; give the folder of OpenPose's --write_json.")
    paths = sorted(folder.glob("*_keypoints.json"), key=lambda path: (_number(path), path.name))
    if not paths:
        raise DiffSignError(f"the OpenPose folder '{folder}' holds no '*_keypoints.json'; give that of --write_json.")
    return [_read(path) for path in paths]


def _extent(person: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the middle (2,) and the size in pixels of a person (137, 3); NaN and 0 for one without points."""
    xy = person[BODY][person[BODY, 2] > MIN_CONFIDENCE, :2]
    if not len(xy):
        xy = person[person[:, 2] > MIN_CONFIDENCE, :2]
    if not len(xy):
        return np.full(2, np.nan), 0.0
    return np.median(xy, axis=0), float(np.linalg.norm(np.ptp(xy, axis=0)))


def choose_person(people: list[np.ndarray]) -> np.ndarray:
    """Follow one person through a clip.

    Args:
        people: for each frame (P, 137, 3), in no particular order.

    Returns:
        (T, 137, 3); zeros where the person is missing.

    Of the people who could be followed from frame to frame, the one who is largest over all frames is taken: tracks
    are made by nearness, and judged by the sum of their sizes.
    """
    tracks: list[dict[int, np.ndarray]] = []
    places: list[tuple[np.ndarray, float]] = []
    for number, frame in enumerate(people):
        free = set(range(len(tracks)))
        measured = [(person, *_extent(person)) for person in frame]
        for person, middle, size in sorted(measured, key=lambda entry: -entry[2]):
            if size == 0.0:
                continue
            near = {t: float(np.linalg.norm(middle - places[t][0])) for t in free}
            best = min(near, key=near.__getitem__, default=None)
            if best is None or near[best] > MAX_JUMP * max(size, places[best][1]):
                best = len(tracks)
                tracks.append({})
                places.append((middle, size))
            free.discard(best)
            tracks[best][number] = person
            places[best] = (middle, size)
    chosen = np.zeros((len(people), COUNT, 3))
    if tracks:
        signer = max(tracks, key=lambda track: sum(_extent(person)[1] for person in track.values()))
        for number, person in signer.items():
            chosen[number] = person
    return chosen


def read_openpose(folder: str | Path, clip: str | Path, placement: Placement | None = None) -> Keypoints:
    """Read OpenPose's JSON of a clip or of the video that it was made from, one file a frame.

    Of several people the largest over all frames is followed.

    Args:
        folder: where OpenPose wrote its JSON (``--write_json``).
        clip: the clip.
        placement: how the clip lies in its video; None if OpenPose saw the clip itself.

    Returns:
        The points in pixels of the clip, at its rate.

    Raises:
        DiffSignError: if a file is not OpenPose's, there are not as many as the clip or its video has frames, or
            points lie outside of the picture.
    """
    info = probe_clip(clip)
    people = read_folder(folder)
    points = choose_person(people)
    of_clip = len(people) == info.frames
    if placement is not None and not (of_clip and _reaches(points, info.width, info.height)):
        _require_length(len(people), placement, folder, info.frames)
        points = _in_pixels(points, placement.width, placement.height)
        _require_inside(points, placement.width, placement.height, folder, "the video")
        points = _resampled(points, placement.source_frames(info.frames, info.fps))
        points[..., :2] = np.where(points[..., 2:] > 0, placement.points_in_clip(points[..., :2]), 0.0)
    else:
        if not of_clip:
            raise DiffSignError(
                f"the OpenPose folder '{folder}' has {len(people)} frames, but the clip '{clip}' has {info.frames}; "
                "run OpenPose on the clip itself, or name with --placement how it lies in its video."
            )
        points = _in_pixels(points, info.width, info.height)
        _require_inside(points, info.width, info.height, folder, f"the clip '{clip}'")
    return Keypoints(points.astype(np.float32), info.fps, info.width, info.height, detector="openpose")


def _reaches(points: np.ndarray, width: int, height: int) -> bool:
    """Tell whether points fill a picture of that size as if it were theirs: neither beyond it nor in a corner."""
    xy = points[points[..., 2] > MIN_CONFIDENCE, :2]
    if not len(xy):
        return True
    high = np.percentile(xy, 95, axis=0) / [width, height]
    return bool((high < 1.2).all() and high.max() > 0.5)


def _in_pixels(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return points in pixels, also where OpenPose wrote shares of the picture (``--keypoint_scale`` 3 and 4)."""
    known = points[..., 2] > 0
    xy = points[known, :2]
    if not len(xy) or np.abs(xy).max() > 1.5:
        return points
    scaled = points.copy()
    signed = (xy < -0.02).any()
    scaled[known, :2] = ((xy + 1) / 2 if signed else xy) * [width, height]
    return scaled


def _require_inside(points: np.ndarray, width: int, height: int, folder: str | Path, what: str) -> None:
    xy = points[points[..., 2] > 0, :2]
    if len(xy) and (xy.max(axis=0) > 1.5 * np.array([width, height])).any():
        raise DiffSignError(
            f"points of '{folder}' reach to {xy.max(axis=0).round().tolist()}, but {what} is {width}x{height} "
            "pixels; they are of another video or size: run OpenPose on this one, with --keypoint_scale 0."
        )


def _require_length(count: int, placement: Placement, folder: str | Path, frames: int) -> None:
    """Raise a clear error unless a folder has as many frames as the video: a few more or less are rounding."""
    expected = placement.frames
    if expected is None or abs(count - expected) <= max(2, 0.02 * expected):
        return
    raise DiffSignError(
        f"the OpenPose folder '{folder}' has {count} frames, but the video has {expected} and the clip {frames}"
        "; the folder is of another video, or OpenPose left frames out (--frame_step, --frame_first)."
    )


def _resampled(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return (T, 137, 3) points at fractional frames: linear between two frames that both have a point, else none."""
    at = np.clip(at, 0, len(points) - 1)
    before = np.floor(at + 1e-6).astype(int)
    after = np.minimum(before + 1, len(points) - 1)
    part = np.clip(at - before, 0, 1)[:, None, None]
    mixed = points[before] * (1 - part) + points[after] * part
    lost = ((points[before, :, 2] == 0) & (part[..., 0] < 0.999)) | (
        (points[after, :, 2] == 0) & (part[..., 0] > 0.001)
    )
    mixed[lost] = 0
    return mixed
