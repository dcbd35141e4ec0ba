"""Errors of each parameter of a sign, frame by frame, from keypoints of two clips.

Both clips are seen by the same detector, so what it does to every hand alike (MediaPipe opens folded fingers, for one)
cancels. The comparisons themselves are those of :mod:`diffsign.evaluate.parameters`. What depends on whose face and
hands they are, and not on what they do, is taken out: lengths are in palms or eye distances of the clip itself, and
brows and head are compared by how far they are from where they are in most frames of their own clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from diffsign.evaluate.legibility import PART_POINTS, found, handshape_error, has_world
from diffsign.evaluate.parameters import (
    RIGID_FACE,
    angle_between,
    brow_height,
    eye_distance,
    mouth_opening,
    palm_normal,
    palm_width,
    pointing,
)
from diffsign.records.keypoints import FACE, Keypoints

SIDES = ("left", "right")
#: Wrist and the knuckles: where a hand is, whatever its fingers do.
_PALM = [0, 1, 5, 9, 13, 17]
#: Closer than this, in palms, hands and face touch in the picture; farther than the second, they do not.
TOUCH, APART = 0.25, 0.6


@dataclass(frozen=True)
class Seen:
    """What one clip shows, in units of the signer's own.

    Attributes:
        keypoints: as detected.
        hands: by side, the frames (T,) in which the hand is found.
        face: the frames (T,) in which the face is found.
        palm: width of a palm that is seen from the front, in pixels.
        anchor: (T, 2) where the head is, in pixels: the middle between the eyes, or where it mostly is.
    """

    keypoints: Keypoints
    hands: dict[str, np.ndarray]
    face: np.ndarray
    palm: float
    anchor: np.ndarray

    def hand(self, side: str) -> np.ndarray:
        """(T, 21, 2) pixels of a hand."""
        return self.keypoints.xy[:, PART_POINTS[f"{side}_hand"]].astype(np.float64)

    def face_points(self) -> np.ndarray:
        """(T, 70, 2) pixels of the face, NaN where it is not found."""
        points = self.keypoints.xy[:, FACE].astype(np.float64)
        return np.where(self.face[:, None, None], points, np.nan)

    def place(self, side: str) -> np.ndarray:
        """(T, 2) where a hand is, seen from the head, in palms; NaN where it is not found."""
        place = (self.hand(side)[:, _PALM].mean(1) - self.anchor) / self.palm
        return np.where(self.hands[side][:, None], place, np.nan)


def look(keypoints: Keypoints, min_confidence: float = 0.0) -> Seen:
    """Return what a clip shows."""
    hands = {side: found(keypoints, f"{side}_hand", min_confidence) for side in SIDES}
    face = found(keypoints, "face", min_confidence)
    points = keypoints.xy.astype(np.float64)
    widths = [palm_width(points[hands[side]][:, PART_POINTS[f"{side}_hand"]]) for side in SIDES]
    widths = np.concatenate(widths)
    eyes = points[:, FACE][:, list(range(36, 48))].mean(1)
    nose = points[:, 0]
    usual = np.median(eyes[face], axis=0) if face.any() else np.median(nose, axis=0)
    palm = float(np.percentile(widths, 90)) if len(widths) else float("nan")
    anchor = np.where(face[:, None], eyes, usual)
    return Seen(keypoints, hands, face, palm if palm > 0 else float("nan"), anchor)


def shapes(reference: Seen, result: Seen, side: str, min_confidence: float = 0.0) -> np.ndarray:
    """Return the mean difference of the finger joints' angles, (T,) degrees."""
    return handshape_error(reference.keypoints, result.keypoints, f"{side}_hand", min_confidence)


def orientations(reference: Seen, result: Seen, side: str) -> np.ndarray:
    """Return by how much palm or pointing direction is turned, whichever is more: (T,) degrees.

    Without 3D it is the pointing direction in the picture.
    """
    part = f"{side}_hand"
    both = reference.hands[side] & result.hands[side]
    worlds = [seen.keypoints.world for seen in (reference, result)]
    if all(has_world(seen.keypoints, part) for seen in (reference, result)):
        first, second = (world[:, PART_POINTS[part], :3].astype(np.float64) for world in worlds if world is not None)
        palms = angle_between(palm_normal(first, side), palm_normal(second, side))
        error = np.fmax(palms, angle_between(pointing(first), pointing(second)))
    else:
        error = angle_between(pointing(reference.hand(side)), pointing(result.hand(side)))
    return np.where(both, error, np.nan)


def locations(reference: Seen, result: Seen, side: str) -> np.ndarray:
    """Return how far a hand is from where it should be, seen from the head: (T,) palms."""
    return np.linalg.norm(result.place(side) - reference.place(side), axis=-1)


def touching(seen: Seen, side: str) -> np.ndarray:
    """Return how near a hand comes to the face or the other hand in the picture: (T,) palms, 0 before the face."""
    points = seen.hand(side)
    other = "left" if side == "right" else "right"
    gaps = np.full((len(points), 2), np.nan)
    both = seen.hands[side] & seen.hands[other]
    apart = np.linalg.norm(points[both][:, :, None] - seen.hand(other)[both][:, None], axis=-1)
    gaps[both, 0] = apart.min((1, 2)) if both.any() else np.nan
    faces = seen.face_points()
    for t in np.flatnonzero(seen.hands[side] & seen.face):
        hull = cv2.convexHull(faces[t].astype(np.float32))
        inside = max(cv2.pointPolygonTest(hull, (float(x), float(y)), True) for x, y in points[t])
        gaps[t, 1] = max(0.0, -inside)
    return np.fmin(gaps[:, 0], gaps[:, 1]) / seen.palm


def contacts(reference: Seen, result: Seen, side: str) -> np.ndarray:
    """Tell where a touch is lost or invented: (T,) 1 there, 0 where it is kept, NaN where neither clip touches."""
    before, after = touching(reference, side), touching(result, side)
    touches = (before < TOUCH) | (after < TOUCH)
    broken = ((before < TOUCH) & (after > APART)) | ((after < TOUCH) & (before > APART))
    return np.where(touches & np.isfinite(before) & np.isfinite(after), broken.astype(float), np.nan)


def mouths(reference: Seen, result: Seen) -> np.ndarray:
    """Return the difference of the mouths' openings: (T,) eye distances."""
    return np.abs(mouth_opening(result.face_points()) - mouth_opening(reference.face_points()))


def _from_usual(values: np.ndarray) -> np.ndarray:
    """Return how far values (T, …) are from their median over the clip."""
    return values - np.nanmedian(values, axis=0) if np.isfinite(values).any() else values


def brows(reference: Seen, result: Seen) -> np.ndarray:
    """Return the difference of how far the brows are from where they mostly are: (T,) eye distances."""
    lifts = [_from_usual(brow_height(seen.face_points())) for seen in (reference, result)]
    return np.abs(lifts[1] - lifts[0])


def heads(reference: Seen, result: Seen) -> np.ndarray:
    """Return the difference of how far the head is turned, tilted or nodded from how it mostly is: (T,) eye distances.

    The mean distance of the points of the face that no expression moves, after the face is centred and brought to a
    distance of 1 between the eyes of the clip.
    """
    turned = []
    for seen in (reference, result):
        face = seen.face_points()
        rigid = face[:, RIGID_FACE] - face[:, RIGID_FACE].mean(1, keepdims=True)
        scale = np.nanmedian(eye_distance(face)) if seen.face.any() else np.nan
        turned.append(_from_usual(rigid / scale))
    return np.linalg.norm(turned[1] - turned[0], axis=-1).mean(-1)


def movements(reference: Seen, result: Seen, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the velocities of a hand in reference and result, (T, 2) palms a frame each; NaN at the first frame."""
    velocities = []
    for seen in (reference, result):
        place = seen.place(side)
        velocities.append(np.concatenate([np.full((1, 2), np.nan), np.diff(place, axis=0)]))
    return velocities[0], velocities[1]
