"""How much of the signing can still be read: hands and face found again, in place and in shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.evaluate.parameters import brow_height, eye_distance, mouth_opening
from diffsign.geometry.hand import FINGER_JOINTS, finger_angles
from diffsign.records.keypoints import BODY, FACE, LEFT_HAND, RIGHT_HAND, Keypoints

#: Keypoints of each part.
PART_POINTS = {"left_hand": LEFT_HAND, "right_hand": RIGHT_HAND, "face": FACE, "body": BODY}
#: Nose, neck, shoulders, elbows, wrists, eyes and ears of BODY_25: what a signing video shows.
UPPER_BODY = [*range(8), 15, 16, 17, 18]
#: Movement of mouth or brows below this many eye distances (standard deviation) is noise of the detector.
STILL = 0.005


@dataclass(frozen=True)
class Presence:
    """How often a part that a reference shows is shown by the result, and the other way round.

    Attributes:
        recall: share of the reference's frames with the part in which the result shows it too; NaN if there are none.
        precision: share of the result's frames with the part in which the reference shows it too; NaN likewise.
        in_reference: frames in which the reference shows it.
        in_result: frames in which the result shows it.
    """

    recall: float
    precision: float
    in_reference: int
    in_result: int


@dataclass(frozen=True)
class PartAgreement:
    """How well one part of the result lies on that of a reference, per frame.

    Attributes:
        correct: (T,) share of the points found in both within the tolerance, NaN where the part is not found in both.
        strict: (T,) share of the reference's points within the tolerance, a lost one being wrong; NaN where the
            reference does not show the part.
        error: (T,) mean distance in sizes of the part, NaN where the part is not found in both.
    """

    correct: np.ndarray
    strict: np.ndarray
    error: np.ndarray


def scale_to(keypoints: Keypoints, width: int, height: int) -> Keypoints:
    """Return keypoints in pixels of a picture of another size."""
    points = keypoints.points * np.array([width / keypoints.width, height / keypoints.height, 1.0])
    return keypoints.with_points(points, width=width, height=height)


def found(keypoints: Keypoints, part: str, min_confidence: float = 0.0) -> np.ndarray:
    """Tell in which frames a part is found: (T,) bool, at least half of its points above ``min_confidence``."""
    return (keypoints.confidence[:, PART_POINTS[part]] > min_confidence).mean(1) >= 0.5


def presence(reference: np.ndarray, result: np.ndarray) -> Presence:
    """Compare the frames (bool) in which a part is found.

    >>> presence(np.array([True, True, False, False]), np.array([True, False, True, True]))
    Presence(recall=0.5, precision=0.3333333333333333, in_reference=2, in_result=3)
    """
    both, before, after = (int(np.sum(where)) for where in (reference & result, reference, result))
    nan = float("nan")
    return Presence(both / before if before else nan, both / after if after else nan, before, after)


def _size(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(T,) longer side of the box around the seen points (T, K, 2)."""
    low = np.where(seen[..., None], points, np.inf).min(1)
    high = np.where(seen[..., None], points, -np.inf).max(1)
    return (high - low).max(-1)


def part_agreement(
    reference: Keypoints, result: Keypoints, part: str, alpha: float = 0.1, min_confidence: float = 0.0
) -> PartAgreement:
    """Compare one part's points.

    Correct is a point within ``alpha`` times the part's size (PCK, Yang and Ramanan 2013). The size is
    that of the reference in the same frame: the longer side of the box around a hand or the upper body,
    the distance between the outer corners of the eyes for the face (300-W).
    """
    index = np.arange(len(reference.points[0]))[PART_POINTS[part]]
    if part == "body":
        index = index[UPPER_BODY]
    elif part == "face":
        index = index[:68]
    points, others = reference.xy[:, index].astype(np.float64), result.xy[:, index].astype(np.float64)
    seen = reference.confidence[:, index] > min_confidence
    both = seen & (result.confidence[:, index] > min_confidence)
    size = eye_distance(points) if part == "face" else _size(points, seen)
    known = np.isfinite(size) & (size > 0) & seen.any(1)
    shown = known & both.any(1)
    if part != "body":
        known &= found(reference, part, min_confidence)
        shown &= known & found(result, part, min_confidence)
    distance = np.linalg.norm(points - others, axis=-1) / np.where(known, size, 1.0)[:, None]
    close = (distance <= alpha) & both
    count = np.maximum(both.sum(1), 1)
    return PartAgreement(
        correct=np.where(shown, close.sum(1) / count, np.nan),
        strict=np.where(known, (close.sum(1) * shown) / np.maximum(seen.sum(1), 1), np.nan),
        error=np.where(shown, np.where(both, distance, 0.0).sum(1) / count, np.nan),
    )


def has_world(keypoints: Keypoints, part: str) -> bool:
    """Tell whether the detector gave 3D positions of a hand."""
    return keypoints.world is not None and bool((keypoints.world[:, PART_POINTS[part], 3] > 0).any())


def handshape_error(reference: Keypoints, result: Keypoints, part: str, min_confidence: float = 0.0) -> np.ndarray:
    """Mean difference of the finger-joint angles of a hand: (T,) degrees, NaN where it is not found in both.

    In 3D, which does not depend on how the hand is turned, if both detectors give it; else in the picture.
    Joints of which a point is missing are left out, as are frames where fewer than half the joints remain.
    """
    usable = found(reference, part, min_confidence) & found(result, part, min_confidence)
    where = PART_POINTS[part]
    worlds = reference.world, result.world
    if has_world(reference, part) and has_world(result, part) and worlds[0] is not None and worlds[1] is not None:
        hands = [worlds[0][:, where, :3], worlds[1][:, where, :3]]
        seen = (worlds[0][:, where, 3] > 0) & (worlds[1][:, where, 3] > 0)
    else:
        hands = [k.xy[:, where] for k in (reference, result)]
        seen = (reference.confidence[:, where] > min_confidence) & (result.confidence[:, where] > min_confidence)
    first, second = (finger_angles(hand.astype(np.float64)) for hand in hands)
    joints = seen[:, FINGER_JOINTS].all(-1)
    count = joints.sum(1)
    usable &= count >= len(FINGER_JOINTS) / 2
    difference = np.where(joints, np.degrees(np.abs(first - second)), 0.0).sum(-1) / np.maximum(count, 1)
    return np.where(usable, difference, np.nan)


def face_signals(keypoints: Keypoints, min_confidence: float = 0.0) -> dict[str, np.ndarray]:
    """Opening of the mouth and height of the brows: (T,) each, in eye distances, NaN where no face is found."""
    face = keypoints.xy[:, FACE].astype(np.float64)
    usable = found(keypoints, "face", min_confidence) & (eye_distance(face) > 0)
    face = np.where(usable[:, None, None], face, np.nan)
    return {"mouth": mouth_opening(face), "brow": brow_height(face)}


def correlation(first: np.ndarray, second: np.ndarray) -> tuple[float, int, str]:
    """Pearson correlation of two signals over the frames where both exist.

    Returns:
        The correlation, the number of frames, and why there is none (then the first is NaN).
    """
    both = np.isfinite(first) & np.isfinite(second)
    count = int(both.sum())
    if count < 3:
        return float("nan"), count, "the face is found in both clips in fewer than 3 frames"
    first, second = first[both], second[both]
    if first.std() < STILL:
        return float("nan"), count, "it does not move in the clip compared with"
    if second.std() == 0:
        return 0.0, count, ""
    return float(np.corrcoef(first, second)[0, 1]), count, ""
