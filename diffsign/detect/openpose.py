"""Keypoints from a folder of OpenPose's JSON, one file a frame."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.records.clip import probe_clip
from diffsign.records.keypoints import BODY, COUNT, FACE, LEFT_HAND, RIGHT_HAND, Keypoints

#: The points of each list of OpenPose's JSON, which holds x, y, confidence by turns.
LISTS = {
    "pose_keypoints_2d": BODY,
    "hand_left_keypoints_2d": LEFT_HAND,
    "hand_right_keypoints_2d": RIGHT_HAND,
    "face_keypoints_2d": FACE,
}

#: A person is followed from frame to frame if the jump is less than this many times the person's size.
MAX_JUMP = 1.0
#: Below this confidence OpenPose's points do not say where a person is.
MIN_CONFIDENCE = 0.05


def _person(person: Any, path: Path) -> np.ndarray:
    if not isinstance(person, dict):
        raise DiffSignError(f"'{path}' is not OpenPose JSON: an entry of 'people' is no table.")
    points = np.zeros((COUNT, 3))
    for name, part in LISTS.items():
        values = person.get(name) or []
        if values == []:
            continue
        expected = 3 * (part.stop - part.start)
        if not isinstance(values, list) or len(values) != expected:
            length = f"{len(values)} numbers" if isinstance(values, list) else "no list"
            hint = " (run OpenPose with --model_pose BODY_25)" if name == "pose_keypoints_2d" else ""
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


def read_openpose(folder: str | Path, clip: str | Path) -> Keypoints:
    """Read OpenPose's JSON of a clip, one file a frame; of several people the largest over all frames is followed.

    Args:
        folder: where OpenPose wrote its JSON (``--write_json``), BODY_25 with hands and face.
        clip: the clip that OpenPose saw: same size, same frames.

    Raises:
        DiffSignError: if a file is not OpenPose's, the number of files is not the clip's number of frames, or points
            lie outside the clip's picture.
    """
    info = probe_clip(clip)
    people = read_folder(folder)
    if len(people) != info.frames:
        raise DiffSignError(
            f"the OpenPose folder '{folder}' has {len(people)} frames, but the clip '{clip}' has {info.frames}; "
            "run OpenPose on the clip itself."
        )
    points = choose_person(people)
    xy = points[points[..., 2] > 0, :2]
    if len(xy) and (xy.max(axis=0) > 1.5 * np.array([info.width, info.height])).any():
        raise DiffSignError(
            f"points of '{folder}' reach to {xy.max(axis=0).round().tolist()}, but the clip '{clip}' is {info.width}x"
            f"{info.height} pixels; run OpenPose on the clip itself, with --keypoint_scale 0."
        )
    return Keypoints(points.astype(np.float32), info.fps, info.width, info.height, detector="openpose")
