"""Keypoints from a ``.pose`` file, the format of sign language processing (pose-format 0.1 and 0.2).

Points of MediaPipe Holistic (all 586, or any subset such as the reduced 178) and of OpenPose (BODY_25, hands, face) are
read by their names.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffsign.errors import DiffSignError, nearest
from diffsign.files import require_file
from diffsign.records.keypoints import BODY, BODY_NAMES, COUNT, FACE, LEFT_HAND, RIGHT_HAND, Keypoints
from diffsign.records.landmarks import BODY_LANDMARKS, FACE_LANDMARKS, MIDWAY

if TYPE_CHECKING:
    from pose_format import Pose

log = logging.getLogger(__name__)

#: Number of each point of the body.
NUMBER: dict[str, int] = {name: number for number, name in enumerate(BODY_NAMES)}

HOLISTIC = ("POSE_LANDMARKS", "FACE_LANDMARKS", "LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS")
OPENPOSE = ("pose_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "face_keypoints_2d")

#: MediaPipe's names of its 33 body landmarks, by number.
MEDIAPIPE_BODY = (
    "NOSE LEFT_EYE_INNER LEFT_EYE LEFT_EYE_OUTER RIGHT_EYE_INNER RIGHT_EYE RIGHT_EYE_OUTER LEFT_EAR RIGHT_EAR "
    "MOUTH_LEFT MOUTH_RIGHT LEFT_SHOULDER RIGHT_SHOULDER LEFT_ELBOW RIGHT_ELBOW LEFT_WRIST RIGHT_WRIST LEFT_PINKY "
    "RIGHT_PINKY LEFT_INDEX RIGHT_INDEX LEFT_THUMB RIGHT_THUMB LEFT_HIP RIGHT_HIP LEFT_KNEE RIGHT_KNEE LEFT_ANKLE "
    "RIGHT_ANKLE LEFT_HEEL RIGHT_HEEL LEFT_FOOT_INDEX RIGHT_FOOT_INDEX"
).split()

#: Points of the head that the face mesh has too: the mean of these landmarks of the mesh.
HEAD_FROM_MESH = {"right_eye": (33, 133), "left_eye": (362, 263), "right_ear": (127,), "left_ear": (356,)}

#: Bones of a hand whose lengths do not change: the palm's, then the fingers'.
HAND_BONES = [(0, 5), (0, 9), (0, 17), (5, 9), (9, 13), (13, 17), *((i, i + 1) for i in range(1, 20) if i % 4)]

#: Metres from the wrist to the middle finger's knuckle: the scale of a hand's 3D, of which only directions are used.
PALM = 0.09
#: Shoulders of a person are this far apart, in metres; world landmarks outside of it are in other units.
SHOULDERS = (0.2, 0.6)
#: Share of the picture's width that the shoulders take where the file does not say how large the picture was.
SHOULDER_SHARE = 0.25


@dataclass(frozen=True)
class PoseFile:
    """One person of a ``.pose`` file.

    Attributes:
        points: component by component (T, N, 3) x, y, z as in the file; z is 0 where the file has none.
        confidence: component by component (T, N), 0 where a point is missing.
        names: component by component, the points' names.
        fps: frames per second.
        width: of the picture, in the points' unit; 0 if the file does not say.
        height: likewise.
        path: the file.
    """

    points: dict[str, np.ndarray]
    confidence: dict[str, np.ndarray]
    names: dict[str, list[str]]
    fps: float
    width: float
    height: float
    path: Path

    @property
    def holistic(self) -> bool:
        """Whether the points are MediaPipe's; otherwise OpenPose's."""
        return any(name in self.points for name in HOLISTIC)

    def column(self, component: str, name: str) -> np.ndarray | None:
        """Return (T, 4) x, y, z and confidence of a point, None if the file does not have it."""
        if component not in self.points or name not in self.names[component]:
            return None
        index = self.names[component].index(name)
        return np.column_stack([self.points[component][:, index], self.confidence[component][:, index]])


def _load(path: Path) -> Pose:
    from pose_format import Pose

    data = path.read_bytes()
    try:
        return Pose.read(data)
    except Exception as error:  # pose-format raises whatever its parser met
        raise DiffSignError(
            f"'{path}' ({len(data)} bytes) is not a .pose file of version 0.1 or 0.2, or it is cut short "
            f"({type(error).__name__}); write it again with pose-format."
        ) from error


def read_pose_file(path: str | Path, person: int | None = None) -> PoseFile:
    """Read one person of a ``.pose`` file.

    Args:
        path: the file.
        person: number of the person, from 0; by default the one who fills most of the picture over all frames.

    Raises:
        DiffSignError: if the file is missing or damaged, has no frames, no such person, no rate, or points of
            neither MediaPipe Holistic nor OpenPose.
    """
    path = require_file(path, "pose file")
    pose = _load(path)
    header, body = pose.header, pose.body
    data = np.ma.filled(np.ma.asarray(body.data, dtype=np.float64), 0.0)
    confidence = np.where(np.ma.getmaskarray(body.data).any(-1), 0.0, np.asarray(body.confidence, dtype=np.float64))
    confidence = np.where(np.isfinite(data).all(-1) & np.isfinite(confidence), confidence, 0.0).clip(0, 1)
    data = np.nan_to_num(data, nan=0.0, posinf=0.0, neginf=0.0)
    if data.shape[-1] == 2:
        data = np.concatenate([data, np.zeros_like(data[..., :1])], -1)
    frames, people = data.shape[:2]
    if not frames or not people:
        raise DiffSignError(f"'{path}' holds {frames} frames of {people} people; nothing is signed in it.")
    if not np.isfinite(body.fps) or not 0 < body.fps <= 1000:
        raise DiffSignError(f"'{path}' says {body.fps} frames per second; a rate between 0 and 1000 was expected.")
    if person is not None and not 0 <= person < people:
        raise DiffSignError(f"'{path}' has {people} people, numbered from 0; there is no person {person}.")
    known = [component.name for component in header.components]
    if not set(known) & {HOLISTIC[0], OPENPOSE[0]}:
        raise DiffSignError(
            f"'{path}' has the components {', '.join(known)}{nearest(known[0], [HOLISTIC[0], OPENPOSE[0]])}; MediaPipe "
            f"Holistic's ({HOLISTIC[0]}, …) or OpenPose's ({OPENPOSE[0]}, …) are read."
        )
    if person is None:
        person = _largest(data, confidence)
        if people > 1:
            log.info("'%s' shows %d people; number %d, the largest, is taken.", path, people, person)
    points, sure, names, start = {}, {}, {}, 0
    for component in header.components:
        stop = start + len(component.points)
        points[component.name] = data[:, person, start:stop]
        sure[component.name] = confidence[:, person, start:stop]
        names[component.name] = [str(name) for name in component.points]
        start = stop
    size = header.dimensions
    return PoseFile(points, sure, names, float(body.fps), float(size.width), float(size.height), path)


def _largest(data: np.ndarray, confidence: np.ndarray) -> int:
    """Return the person whose points are spread widest, summed over frames; ``data`` is (T, P, N, 3)."""
    known = np.where(confidence[..., None] > 0, data[..., :2], np.nan)
    with np.errstate(invalid="ignore"):
        spread = np.nan_to_num(np.nanstd(np.where(np.isnan(known), np.nan, known), axis=2)).sum((0, -1))
    return int(np.argmax(spread))


def keypoints_of_pose(pose: PoseFile, height: int, width: int | None = None, fps: float | None = None) -> Keypoints:
    """Return the 137 keypoints of a ``.pose`` file in a picture of the size that is asked for.

    Args:
        pose: the file.
        height: of the picture in pixels.
        width: of the picture in pixels; by default as the file's picture asks, to a multiple of 8.
        fps: rate of the keypoints; by default the file's.

    Raises:
        DiffSignError: if the shoulders are in no frame.
    """
    points = _holistic_points(pose) if pose.holistic else _openpose_points(pose)
    world = _hand_depth(pose, points) if pose.holistic else None
    if world is not None:
        _body_depth(pose, points, world)
    shoulders = points[:, [NUMBER["left_shoulder"], NUMBER["right_shoulder"]]]
    if not (shoulders[..., 3] > 0).all(1).any():
        raise DiffSignError(f"'{pose.path}' shows both shoulders in no frame; a signer's upper body was expected.")
    flat, width = _placed(pose, points, height, width)
    keypoints = Keypoints(
        flat.astype(np.float32),
        pose.fps,
        width,
        height,
        world=None if world is None else world.astype(np.float32),
        detector="mediapipe holistic, from .pose" if pose.holistic else "openpose, from .pose",
    )
    return keypoints if fps is None or abs(fps - pose.fps) < 1e-3 else resampled(keypoints, fps)


def _holistic_points(pose: PoseFile) -> np.ndarray:
    """Return (T, 137, 4) x, y, z, confidence of MediaPipe's points."""
    frames = len(pose.points[HOLISTIC[0]])
    points = np.zeros((frames, COUNT, 4))
    for name, number in BODY_LANDMARKS.items():
        column = pose.column("POSE_LANDMARKS", MEDIAPIPE_BODY[number])
        if column is not None:
            points[:, NUMBER[name]] = column
    mesh = [pose.column("FACE_LANDMARKS", str(number)) for number in FACE_LANDMARKS]
    for index, column in enumerate(mesh):
        if column is not None:
            points[:, FACE.start + index] = column
    for name, numbers in HEAD_FROM_MESH.items():
        columns = [pose.column("FACE_LANDMARKS", str(number)) for number in numbers]
        target = points[:, NUMBER[name]]
        if all(column is not None for column in columns):
            middle = np.mean([column for column in columns if column is not None], axis=0)
            target[target[:, 3] == 0] = middle[target[:, 3] == 0]
    for name, ends in MIDWAY.items():
        pair = points[:, [NUMBER[end] for end in ends]]
        points[:, NUMBER[name]] = np.concatenate([pair[..., :3].mean(1), pair[..., 3:].min(1)], -1)
    for component, part in (("LEFT_HAND_LANDMARKS", LEFT_HAND), ("RIGHT_HAND_LANDMARKS", RIGHT_HAND)):
        if component in pose.points:
            _require_count(pose, component, 21)
            points[:, part] = np.concatenate([pose.points[component], pose.confidence[component][..., None]], -1)
    return points


def _openpose_points(pose: PoseFile) -> np.ndarray:
    """Return (T, 137, 4) x, y, z, confidence of OpenPose's points, which stand in our order."""
    points = np.zeros((len(next(iter(pose.points.values()))), COUNT, 4))
    for component, part in zip(OPENPOSE, (BODY, LEFT_HAND, RIGHT_HAND, FACE), strict=True):
        if component in pose.points:
            _require_count(pose, component, part.stop - part.start)
            points[:, part] = np.concatenate([pose.points[component], pose.confidence[component][..., None]], -1)
    return points


def _require_count(pose: PoseFile, component: str, expected: int) -> None:
    count = len(pose.names[component])
    if count != expected:
        raise DiffSignError(f"'{pose.path}' has {count} points in {component}; {expected} were expected.")


def depth_scale(hands: list[np.ndarray], assumed: float) -> float:
    """Return the factor from a hand's z to the unit of its x and y.

    MediaPipe's z is in widths of the picture, and files that were normalised do not say how wide that was. Bones do not
    change their length, so the factor is the one that changes it least over all frames, held near ``assumed`` where
    the hands hardly turn.

    Args:
        hands: (T, 21, 3) x, y, z of each hand, frames in which it was found.
        assumed: the width that the file states.
    """
    factors = assumed * np.geomspace(0.2, 5.0, 81)
    change = np.zeros(len(factors))
    for hand in hands:
        bones = np.stack([hand[:, b] - hand[:, a] for a, b in HAND_BONES], 1)
        lengths = np.linalg.norm(bones * np.stack([np.array([1, 1, f]) for f in factors])[:, None, None], axis=-1)
        change += np.log(np.maximum(lengths, 1e-9)).std(1).mean(-1) * len(hand)
    count = sum(len(hand) for hand in hands)
    held = 0.02 * np.log(factors / assumed) ** 2
    return float(factors[np.argmin(change / max(count, 1) + held)])


def _hand_depth(pose: PoseFile, points: np.ndarray) -> np.ndarray:
    """Return the world points (T, 137, 4) with the hands' x, y, z in metres from their wrists."""
    world = np.zeros((len(points), COUNT, 4))
    hands = {}
    for part in (LEFT_HAND, RIGHT_HAND):
        known = (points[:, part, 3] > 0).all(1)
        if known.any() and np.ptp(points[known][:, part, 2]) > 0:
            hands[part.start] = (part, known)
    if hands:
        assumed = pose.width if pose.width > 1 else 1.0
        factor = depth_scale([points[known][:, part, :3] for part, known in hands.values()], assumed)
        for part, known in hands.values():
            hand = (points[:, part, :3] - points[:, part.start, None, :3]) * [1.0, 1.0, factor]
            palm = np.median(np.linalg.norm(hand[known, 9], axis=-1))
            world[:, part, :3] = hand * (PALM / max(palm, 1e-9))
            world[:, part, 3] = np.where(known[:, None], points[:, part, 3], 0.0)
    return world


def _body_depth(pose: PoseFile, points: np.ndarray, world: np.ndarray) -> None:
    """Write the body's world landmarks into ``world``, where the file has them in metres."""
    if "POSE_WORLD_LANDMARKS" not in pose.points:
        return
    body = np.zeros((len(points), len(BODY_NAMES), 4))
    for name, number in BODY_LANDMARKS.items():
        column = pose.column("POSE_WORLD_LANDMARKS", MEDIAPIPE_BODY[number])
        if column is not None:
            body[:, NUMBER[name]] = column
    # pose-format multiplies x and y by the size of the picture, also where they are metres.
    for unit in (np.ones(3), np.array([max(pose.width, 1), max(pose.height, 1), 1.0])):
        metres = body[..., :3] / unit
        apart = np.linalg.norm(metres[:, NUMBER["left_shoulder"]] - metres[:, NUMBER["right_shoulder"]], axis=-1)
        if SHOULDERS[0] < np.median(apart) < SHOULDERS[1] and np.abs(np.median(metres[..., :2])) < 1:
            for name, ends in MIDWAY.items():
                pair = metres[:, [NUMBER[end] for end in ends]]
                metres[:, NUMBER[name]] = pair.mean(1)
            world[:, BODY, :3], world[:, BODY, 3] = metres, points[:, BODY, 3]
            return
    log.info("The world landmarks of '%s' are not in metres; depths of arms are left to the fit.", pose.path)


def _placed(pose: PoseFile, points: np.ndarray, height: int, width: int | None) -> tuple[np.ndarray, int]:
    """Return (T, 137, 3) pixels and confidence in a picture of the asked height, and its width."""
    known = points[..., 3] > 0
    xy = points[..., :2].copy()
    body = xy[:, BODY][known[:, BODY]]
    size = np.array([pose.width, pose.height])
    low, high = np.percentile(body, 5, axis=0), np.percentile(body, 95, axis=0)
    stated = bool((size > 2).all())
    if stated and (low > -0.02).all() and (high < 1.5).all():
        xy *= size  # shares of the picture
    elif not (stated and (low > -0.15 * size).all() and (high < 2 * size).all() and (high - low > 0.02 * size).all()):
        xy, size = _framed(xy, points)  # any other unit: the picture is chosen around the signer
    scale = height / size[1]
    wide = size[0] * scale
    out_width = width or max(64, 8 * round(wide / 8))
    xy = xy * scale + [(out_width - wide) / 2, 0.0]
    return np.concatenate([xy, points[..., 3:]], -1) * np.where(known, 1.0, 0.0)[..., None], out_width


def _framed(xy: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place points of any unit in a square picture of side 1 with the head and the hands in view."""
    left, right = NUMBER["left_shoulder"], NUMBER["right_shoulder"]
    both = (points[:, [left, right], 3] > 0).all(1)
    apart = np.median(np.linalg.norm(xy[both, left] - xy[both, right], axis=-1))
    middle = np.median((xy[both, left] + xy[both, right]) / 2, axis=0)
    if apart <= 0:
        raise DiffSignError("the shoulders lie on one point; coordinates of a signer's body were expected.")
    return (xy - middle) * (SHOULDER_SHARE / apart) + [0.5, 0.42], np.ones(2)


def resampled(keypoints: Keypoints, fps: float) -> Keypoints:
    """Return keypoints at another rate, linearly between frames; a point missing in either of both is missing."""
    duration = len(keypoints) / keypoints.fps
    count = max(1, round(duration * fps))
    at = np.clip((np.arange(count) + 0.5) / fps * keypoints.fps - 0.5, 0, len(keypoints) - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(keypoints) - 1)
    part = (at - before)[:, None, None]

    def between(values: np.ndarray) -> np.ndarray:
        a, b = values[before], values[after]
        mixed = a * (1 - part) + b * part
        needed_a, needed_b = part[..., 0] < 1 - 1e-6, part[..., 0] > 1e-6
        lost = (needed_a & (a[..., -1] == 0)) | (needed_b & (b[..., -1] == 0))
        mixed[lost] = 0
        return mixed

    world = keypoints.world
    return Keypoints(
        between(keypoints.points).astype(np.float32),
        fps,
        keypoints.width,
        keypoints.height,
        world=None if world is None else between(world).astype(np.float32),
        detector=keypoints.detector,
    )
