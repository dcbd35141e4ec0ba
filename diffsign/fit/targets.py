"""What the fit is drawn to: keypoints in pixels and 3D directions, each with a weight."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from scipy.ndimage import binary_closing, binary_dilation, binary_opening

from diffsign.fit.bends import corrected
from diffsign.fit.detectors import Detector
from diffsign.records import keypoints as kp
from diffsign.records.keypoints import NAMES, Keypoints

#: BODY_25 joints that SMPLify-X ignores: neck and hips are guesses of the detector more than points of a body.
IGNORED = ("neck", "mid_hip", "right_hip", "left_hip")
#: The contour slides over the face as the head turns, so it is no fixed point of the mesh.
CONTOUR = slice(kp.FACE.start, kp.FACE.start + 17)
#: Joints of the arms that pull from outside the picture as well: an arm that leaves the picture goes somewhere.
ARMS = np.isin(NAMES, [f"{side}_{joint}" for side in ("left", "right") for joint in ("elbow", "wrist")])
#: Most confidence of a point outside the picture, where a detector guesses.
OUTSIDE = 0.3
#: A wrist nearer to an edge than this, in heights of the picture, may have its hand beyond it.
EDGE = 0.04
#: From the wrist to the knuckles, in widths of the shoulders.
REACH = 0.25
#: Frames around a found hand in which it may be in the picture, blurred.
ENTRY = 2
#: A wrist in the picture that is less sure than this is a guess, where no hand was found for so many seconds.
SURE_WRIST, LATELY = 0.5, 0.5
#: In widths of the shoulders: a hand so far from its arm's wrist may be another's, two hands so near may be one.
OFF_ARM, SAME_HAND = 0.7, 0.2
#: A hand less sure than this share of what is usual, with its arm's wrist at an edge or beyond it, is beyond it too.
SURE_HAND = 0.7
#: A hand that is found in so many frames in a row, and not before or after, was there for a moment.
MOMENT = 2
#: What may touch, a hand first; points so near in the picture lie over each other, in palm lengths.
TOUCHING = ((kp.LEFT_HAND, kp.FACE), (kp.RIGHT_HAND, kp.FACE), (kp.LEFT_HAND, kp.RIGHT_HAND))
OVER, KNUCKLE = 0.25, 9
#: How far outside, in sides of the picture, a guess is worth anything.
FARTHEST = 0.5
HANDS = (kp.LEFT_HAND, kp.RIGHT_HAND)
WRISTS = [NAMES.index("left_wrist"), NAMES.index("right_wrist")]
ELBOWS = [NAMES.index("left_elbow"), NAMES.index("right_elbow")]
SHOULDERS = [NAMES.index("left_shoulder"), NAMES.index("right_shoulder")]
TORSO = [NAMES.index(name) for name in ("right_shoulder", "left_shoulder", "nose", "right_ear", "left_ear")]

#: Metres beyond which no point of a body lies from its part's origin.
FAR = 100.0

_ARMS = [("shoulder", "elbow"), ("elbow", "wrist")]
#: (parent, child) of every bone whose direction a detector guesses in 3D.
BONES: list[tuple[int, int]] = [
    (NAMES.index("right_shoulder"), NAMES.index("left_shoulder")),
    *((NAMES.index(f"{side}_{a}"), NAMES.index(f"{side}_{b}")) for side in ("left", "right") for a, b in _ARMS),
]
ARM_BONES = len(BONES)
for _hand in HANDS:
    _w = _hand.start
    for _finger in range(5):
        _first = _w + 1 + 4 * _finger
        BONES += [(_w, _first), (_first, _first + 1), (_first + 1, _first + 2), (_first + 2, _first + 3)]
    BONES.append((_w + 5, _w + 17))
#: (8, 4) bones of index, middle, ring and little finger of each hand: to the knuckle, and the finger's three.
FINGERS = np.array([hand + 4 * finger + np.arange(4) for hand in (ARM_BONES, ARM_BONES + 21) for finger in range(1, 5)])
#: Their own bones pull so much harder than those of palm and thumb: they say the handshape, of which the picture says
#: least. The thumb's are guessed worse: pulled harder, it bent where it is straight.
FINGERS_PULL = 4 / 3


@dataclass(frozen=True)
class Targets:
    """Targets of T frames.

    Attributes:
        xy: (T, 137, 2) pixels; 0 where the weight is 0.
        weight: (T, 137) confidence times trust in the detector, 0 where a point does not pull.
        direction: (T, M, 3) unit vectors in world axes along :data:`BONES`.
        direction_weight: (T, M) confidence, times :data:`FINGERS_PULL` where a bone is a finger's.
        hidden: (T, 2) bool, left and right hands that are not in the picture, as far as anybody can tell.
        starts: (T,) bool, frames that have nothing to do with the one before them: a shot begins.
        touching: (T, 3) bool, which of :data:`TOUCHING` touch; none until they are fitted near each other.
    """

    xy: np.ndarray
    weight: np.ndarray
    direction: np.ndarray
    direction_weight: np.ndarray
    hidden: np.ndarray
    starts: np.ndarray
    touching: np.ndarray

    def __len__(self) -> int:
        return len(self.xy)

    @property
    def joined(self) -> np.ndarray:
        """(T − 2,) float, 0 where the three frames from t on span a cut."""
        return 1.0 - (self.starts[1:-1] | self.starts[2:]).astype(float) if len(self) > 2 else np.zeros(0)

    @cached_property
    def overlaps(self) -> tuple[np.ndarray, ...]:
        """(T, n, m) bool for each pair of :data:`TOUCHING`, which detected points lie over each other."""
        out = []
        for first, second in TOUCHING:
            hand, other = self.xy[:, first], self.xy[:, second]
            palm = np.linalg.norm(hand[:, KNUCKLE] - hand[:, 0], axis=-1)
            near = np.linalg.norm(hand[:, :, None] - other[:, None], axis=-1) < OVER * palm[:, None, None]
            out.append(near & (self.weight[:, first] > 0)[:, :, None] & other.any(-1)[:, None])
        return tuple(out)

    def window(self, start: int, stop: int) -> Targets:
        """Return the targets of frames ``start`` to ``stop``."""
        return self._rows(slice(start, stop))

    def frames(self, chosen: np.ndarray) -> Targets:
        """Return the targets of single frames (n,), no longer joined in time."""
        return replace(self._rows(chosen), starts=np.ones(len(chosen), dtype=bool))

    def _rows(self, rows: slice | np.ndarray) -> Targets:
        return Targets(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def find_targets(
    keypoints: Keypoints, camera_rotation: np.ndarray, min_confidence: float, starts: np.ndarray, detector: Detector
) -> Targets:
    """Turn keypoints into targets: what is unsure, outside the picture or no point of the body gets weight 0.

    Args:
        keypoints: the clip's.
        camera_rotation: (3, 3) world to camera.
        min_confidence: points below it do not pull.
        starts: (T,) bool, frames that begin a shot.
        detector: what is known of it.
    """
    xy = keypoints.xy.astype(np.float64)
    confidence = keypoints.confidence.astype(np.float64)
    finite = np.isfinite(xy).all(-1) & np.isfinite(confidence)
    margin = 0.02 * max(keypoints.width, keypoints.height)
    size = np.array([keypoints.width, keypoints.height])
    inside = np.all((xy >= -margin) & (xy <= size + margin), axis=-1)
    near = np.all((xy >= -FARTHEST * size) & (xy <= (1 + FARTHEST) * size), axis=-1)
    seen = finite & (inside | (ARMS & near)) & (confidence >= max(min_confidence, 1e-6))
    xy = np.where(seen[..., None], xy, 0.0)
    confidence = np.where(inside, np.clip(confidence, 0, 1), np.clip(confidence, 0, OUTSIDE))
    weight = np.where(seen, confidence * detector.trust, 0.0)
    for name in IGNORED:
        weight[:, NAMES.index(name)] = 0
    weight[:, CONTOUR] = 0
    direction = np.zeros((len(xy), len(BONES), 3))
    direction_weight = np.zeros((len(xy), len(BONES)))
    ends = np.array(BONES)
    if keypoints.world is not None:
        world = keypoints.world.astype(np.float64)
        known = np.isfinite(world).all(-1) & (np.abs(world) < FAR).all(-1)
        world = np.where(known[..., None], world, 0.0)
        bone = (world[:, ends[:, 1], :3] - world[:, ends[:, 0], :3]) @ camera_rotation
        length = np.linalg.norm(bone, axis=-1)
        sure = np.minimum(world[:, ends[:, 0], 3], world[:, ends[:, 1], 3])
        direction = bone / np.maximum(length, 1e-9)[..., None]
        # A hand's own 3D is kept only where the hand is seen in the picture.
        shown = np.minimum(seen[:, ends[:, 0]], seen[:, ends[:, 1]])
        direction_weight = np.where((length > 1e-4) & shown & (sure >= min_confidence), np.clip(sure, 0, 1), 0.0)
    direction_weight[:, FINGERS[:, 1:].ravel()] *= FINGERS_PULL
    if detector.bends is not None:
        for finger in FINGERS:
            known = (direction_weight[:, finger] > 0).all(1)
            direction[np.ix_(known, finger)] = corrected(direction[known][:, finger], detector.bends)
    phantoms = phantom_hands(xy, weight) | cut_hands(xy, keypoints.confidence, size)
    for hand, part in enumerate(HANDS):
        weight[phantoms[:, hand], part] = 0
        direction_weight[np.ix_(phantoms[:, hand], ((part.start <= ends) & (ends < part.stop)).all(1))] = 0
    weight[:, WRISTS] *= ~(inside[:, WRISTS] & guessed_wrists(confidence, weight, keypoints.fps))
    hidden = hidden_hands(xy, weight, size)
    touching = np.zeros((len(xy), len(TOUCHING)), dtype=bool)
    return Targets(xy, weight, direction, direction_weight, hidden, starts, touching)


def guessed_wrists(confidence: np.ndarray, weight: np.ndarray, fps: float) -> np.ndarray:
    """Return (T, 2) bool, left and right wrists that are guesses: unsure, and no hand of theirs before or after.

    A detector that sees no wrist puts it where wrists are, often into the picture. Keypoints without any hand say
    nothing of that.

    Args:
        confidence: (T, 137) of the points.
        weight: (T, 137) of the points that pull.
        fps: frames a second.
    """
    found = np.stack([(weight[:, hand] > 0).any(1) for hand in HANDS], axis=1)
    lately = binary_dilation(found, np.ones((3, 1)), iterations=max(1, round(LATELY * fps)))
    return (confidence[:, WRISTS] < SURE_WRIST) & ~np.asarray(lately, dtype=bool) & found.any()


def shoulder_width(xy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the distance (T,) of the shoulders in pixels, where one is missing the usual one; infinite without any."""
    width = np.linalg.norm(xy[:, SHOULDERS[0]] - xy[:, SHOULDERS[1]], axis=-1)
    both = (weight[:, SHOULDERS] > 0).all(1)
    return np.where(both, width, np.median(width[both]) if both.any() else np.inf)


def well_inside(xy: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return (...,) bool, which points (..., 2) are in a picture of a size (2,) and not at its edge."""
    margin = EDGE * size[1]
    return np.all((xy >= margin) & (xy <= size - margin), axis=-1)


def hidden_hands(xy: np.ndarray, weight: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return (T, 2) bool, which hands are not in the picture, as far as anybody can tell.

    A hand that was not found is beyond an edge, unless the wrist of its arm is seen well inside and the forearm does
    not point the hand out of the picture: then it is blurred, or body or other hand are before it.

    Args:
        xy: (T, 137, 2) pixels.
        weight: (T, 137) of the points that pull.
        size: (2,) of the picture.
    """
    out = []
    reach = REACH * shoulder_width(xy, weight)
    for elbow, wrist, hand in zip(ELBOWS, WRISTS, HANDS, strict=True):
        inside = well_inside(xy[:, wrist], size)
        forearm = np.where(weight[:, [elbow]] > 0, xy[:, wrist] - xy[:, elbow], 0.0)
        along = forearm / np.maximum(np.linalg.norm(forearm, axis=-1), 1e-6)[:, None]
        knuckles = xy[:, wrist] + np.nan_to_num(reach, posinf=0.0)[:, None] * along
        inside &= np.all((knuckles >= 0) & (knuckles <= size), axis=-1)
        found = np.asarray(binary_dilation((weight[:, hand] > 0).any(1), iterations=ENTRY), dtype=bool)
        hidden = np.pad(~found & ~(inside & (weight[:, wrist] > 0)), ENTRY, mode="edge")
        # What is out before and after a moment is out meanwhile.
        closed = np.asarray(binary_closing(hidden, np.ones(2 * ENTRY + 1)), dtype=bool)
        out.append(~found & closed[ENTRY:-ENTRY])
    return np.stack(out, axis=1)


def phantom_hands(xy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return (T, 2) bool, detected hands that are none: off their arm, and on the other hand or there for a moment.

    A body network may miss a fast wrist that the hand network finds, so being off the arm alone proves nothing.

    Args:
        xy: (T, 137, 2) pixels.
        weight: (T, 137) of the points that pull.
    """
    width = shoulder_width(xy, weight)
    shown = [weight[:, part] > 0 for part in HANDS]
    middles = [
        np.sum(xy[:, part] * there[..., None], 1) / np.maximum(there.sum(1), 1)[:, None]
        for part, there in zip(HANDS, shown, strict=True)
    ]
    found = [there.any(1) for there in shown]
    together = found[0] & found[1] & (np.linalg.norm(middles[0] - middles[1], axis=-1) < SAME_HAND * width)
    out = []
    for hand, wrist in enumerate(WRISTS):
        apart = np.linalg.norm(xy[:, wrist] - middles[hand], axis=-1)
        off = found[hand] & (weight[:, wrist] > 0) & (apart > OFF_ARM * width)
        lasting = np.asarray(binary_opening(found[hand], np.ones(MOMENT + 1)), dtype=bool)
        out.append(off & (together | ~lasting))
    return np.stack(out, axis=1)


def cut_hands(xy: np.ndarray, confidence: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return (T, 2) bool, detected hands that are guesses at what lies beyond an edge of the picture.

    A detector squeezes a hand that the edge cuts off into the forearm, and is unsure of it.

    Args:
        xy: (T, 137, 2) pixels; 0 where a point does not pull.
        confidence: (T, 137) of the points, as detected.
        size: (2,) of the picture.
    """
    sure = np.stack([np.median(confidence[:, part], axis=1) for part in HANDS], axis=1)
    usual = np.median(sure[sure > 0]) if (sure > 0).any() else 0.0
    wrists = xy[:, WRISTS]
    return wrists.any(-1) & ~well_inside(wrists, size) & (sure < SURE_HAND * usual)
