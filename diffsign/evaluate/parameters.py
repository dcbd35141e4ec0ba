"""The parameters of a sign, compared: location, contact, movement, orientation, handshape, presence, non-manuals.

Sign phonology takes a sign apart into these (Stokoe 1960; Battison 1978; Brentari 1998). Errors after alignment of each
part (TR-V2V) cannot see a hand in the wrong place, nor one that is not there. Here nothing is aligned but the origin:
points are compared in the axes of each one's own camera, in metres from the signer's head or shoulders.

Points are the 137 of :mod:`diffsign.records.keypoints`, in 3D where a function says ``(T, N, 3)``; hands are their 21
in OpenPose's order. A frame in which something cannot be told is NaN, and left out of means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from diffsign.evaluate.peaks import find_peaks
from diffsign.geometry.alignment import best_rotation
from diffsign.geometry.hand import finger_angles
from diffsign.records.keypoints import BODY_NAMES

Array = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]

#: Rows of a hand: wrist, knuckles of index, middle and little finger, the five tips.
WRIST, INDEX, MIDDLE, LITTLE, TIPS = 0, 5, 9, 17, (4, 8, 12, 16, 20)
EARS = [BODY_NAMES.index("right_ear"), BODY_NAMES.index("left_ear")]
NECK = BODY_NAMES.index("neck")

#: A finger whose three joints bend by less than the first, in sum, is extended, by more than the second folded:
#: degrees. Straight fingers of real hands sum to about 40, folded ones to about 230.
EXTENDED_BELOW, FOLDED_ABOVE = 95.0, 120.0
#: Where only the two are told apart, the first is the limit for fingers, in degrees, and the second for the thumb: the
#: distance of its tip from the index finger's knuckle, in palm lengths.
RATHER_EXTENDED_BELOW, THUMB_RATHER_ABOVE = 126.0, 0.45
#: A thumb whose tip is farther from the little finger's knuckle than the first, in palm lengths, is extended, nearer
#: than the second folded across the palm; in between it lies beside the index finger.
THUMB_EXTENDED_ABOVE, THUMB_FOLDED_BELOW = 1.0, 0.7

#: Surfaces that are nearer than this touch: metres.
TOUCH = 0.012
#: Speeds of a wrist below this are no stroke: metres a second.
SLOWEST_STROKE = 0.4
#: A stroke's counterpart is looked for this long before and after it: seconds.
STROKE_WINDOW = 0.15
#: The longest delay that is looked for: seconds.
LONGEST_DELAY = 0.3

# iBUG 68: corners of the eyes; what no expression moves much; inner lips; brows and the eyes below them.
OUTER_EYES = (36, 45)
RIGID_FACE = [27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45]
INNER_LIPS = (62, 66)
BROWS_AND_EYES = ((slice(17, 22), slice(36, 42)), (slice(22, 27), slice(42, 48)))


class Rates(NamedTuple):
    """How well events of a truth are found again; NaN where there are none to judge by."""

    precision: float
    recall: float


def rates(result: Flags, truth: Flags) -> Rates:
    """Return precision and recall of flags of any one shape."""
    both = float((result & truth).sum())

    def share(count: int) -> float:
        return both / count if count else float("nan")

    return Rates(share(int(result.sum())), share(int(truth.sum())))


# Location


def head(points: Array) -> Array:
    """Return the head's place (T, 3), the middle between the ears, of the 137 points (T, 137, 3)."""
    return points[:, EARS].mean(1)


def shoulders(points: Array) -> Array:
    """Return the middle between the shoulders (T, 3) of the 137 points (T, 137, 3)."""
    return points[:, NECK]


def location_error(result: Array, truth: Array, result_origin: Array, truth_origin: Array) -> Array:
    """Return how far points lie from where they should, (T, N) millimetres, each seen from its own origin.

    Args:
        result: (T, N, 3) metres in the axes of its camera, such as wrist and fingertips.
        truth: (T, N, 3) likewise.
        result_origin: (T, 3), such as :func:`head`.
        truth_origin: (T, 3) likewise.
    """
    return 1000 * np.linalg.norm((result - result_origin[:, None]) - (truth - truth_origin[:, None]), axis=-1)


def palm_width(hand: Array) -> Array:
    """Return the distance (...,) between the knuckles of index and little finger of hands (..., 21, D)."""
    return np.linalg.norm(hand[..., INDEX, :] - hand[..., LITTLE, :], axis=-1)


def picture_error(result: Array, truth: Array, palm: Array) -> Array:
    """Return how far points (T, N, 2) in pixels lie from where they should, (T, N) in palm widths.

    Args:
        result: pixels.
        truth: pixels.
        palm: (T,) width of the palm in pixels, seen from the front.
    """
    return np.linalg.norm(result - truth, axis=-1) / palm[:, None]


# Contact


def gap(first: Sequence[Array] | Array, second: Sequence[Array] | Array) -> Array:
    """Return the smallest distance (T,) in metres between two surfaces, given as points (N, 3) and (M, 3) by frame."""
    pairs = zip(first, second, strict=True)
    return np.array([KDTree(b).query(a)[0].min() if np.isfinite(a).all() else np.nan for a, b in pairs])


@dataclass(frozen=True)
class ContactAgreement:
    """How well touches are kept.

    Attributes:
        precision: share of the result's touching frames that touch in the truth.
        recall: share of the truth's touching frames that touch in the result.
        distance_mm: median distance in the result while the truth touches.
        frames: touching frames of the truth.
    """

    precision: float
    recall: float
    distance_mm: float
    frames: int


def contact(result: Array, truth: Array, threshold: float = TOUCH, result_threshold: float = 0.02) -> ContactAgreement:
    """Compare touches by the gaps (T,) of two surfaces in metres.

    Args:
        result: gaps of the result.
        truth: gaps of the truth.
        threshold: gap below which the truth touches.
        result_threshold: gap below which the result touches; wider, as a fit is off by more than a truth.
    """
    touching, shown = truth < threshold, result < result_threshold
    # what is nearly a touch in the truth is no false alarm
    nearly = truth < max(threshold, 2 * result_threshold)
    distance = 1000 * float(np.median(result[touching])) if touching.any() else float("nan")
    precision, recall = rates(shown, nearly).precision, rates(shown, touching).recall
    return ContactAgreement(precision, recall, distance, int(touching.sum()))


# Movement


def velocity(track: Array, fps: float) -> Array:
    """Return the velocity (T − 1, D) of a point's track (T, D), a second."""
    return np.diff(track, axis=0) * fps


def peak_speed_ratio(result: Array, truth: Array, fps: float, slowest: float = SLOWEST_STROKE) -> float:
    """Return how much of the truth's peak speeds a result keeps, the median over the strokes; NaN if there is none.

    Args:
        result: (T, D) track of a wrist.
        truth: (T, D) likewise.
        fps: frames a second.
        slowest: peaks below this speed, in the track's unit a second, are no strokes.
    """
    speed, true_speed = (np.linalg.norm(velocity(track, fps), axis=-1) for track in (result, truth))
    usable = np.isfinite(true_speed) & np.isfinite(speed)
    padded = np.pad(np.where(usable, true_speed, 0.0), 1)
    peaks = find_peaks(padded, height=slowest, prominence=slowest / 2) - 1
    reach = round(STROKE_WINDOW * fps)
    ratios = []
    for peak in peaks:
        near = slice(max(0, peak - reach), peak + reach + 1)
        if usable[near].all():
            ratios.append(speed[near].max() / true_speed[peak])
    return float(np.median(ratios)) if ratios else float("nan")


def velocity_correlation(result: Array, truth: Array, fps: float) -> float:
    """Return the correlation of two tracks' velocities (T, D), over all axes; NaN if the truth stands still."""
    first, second = velocity(result, fps), velocity(truth, fps)
    usable = np.isfinite(first).all(-1) & np.isfinite(second).all(-1)
    return _cosine(first[usable], second[usable])


def _cosine(first: Array, second: Array) -> float:
    size = np.linalg.norm(first) * np.linalg.norm(second)
    return float((first * second).sum() / size) if size > 0 else float("nan")


def delay(result: Array, truth: Array, fps: float) -> float:
    """Return by how many frames a result comes late, from its velocities; negative if early, NaN without movement.

    The lag with the highest correlation, refined by the parabola through its neighbours.
    """
    first, second = velocity(result, fps), velocity(truth, fps)
    first, second = np.nan_to_num(first), np.nan_to_num(second)
    reach = min(round(LONGEST_DELAY * fps), len(first) - 2)
    if reach < 1 or not np.any(first) or not np.any(second):
        return float("nan")
    lags = np.arange(-reach, reach + 1)
    scores = []
    for lag in lags:
        late, early = (first[lag:], second[: len(second) - lag]) if lag >= 0 else (first[:lag], second[-lag:])
        scores.append(_cosine(late, early))
    scores = np.nan_to_num(np.array(scores), nan=-1.0)
    best = int(scores.argmax())
    if 0 < best < len(lags) - 1:
        left, middle, right = scores[best - 1 : best + 2]
        bend = left - 2 * middle + right
        return float(lags[best] + (0.5 * (left - right) / bend if bend < 0 else 0.0))
    return float(lags[best])


# Orientation


def palm_normal(hand: Array, side: str) -> Array:
    """Return the direction (..., 3) that the palm faces, of hands (..., 21, 3); ``side`` is the signer's own."""
    across = np.cross(hand[..., INDEX, :] - hand[..., WRIST, :], hand[..., LITTLE, :] - hand[..., WRIST, :])
    return _unit(across if side == "right" else -across)


def pointing(hand: Array) -> Array:
    """Return the direction (..., 3) from the wrist to the middle finger's knuckle of hands (..., 21, D)."""
    return _unit(hand[..., MIDDLE, :] - hand[..., WRIST, :])


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, np.nan)


def angle_between(first: Array, second: Array) -> Array:
    """Return the angle (...,) in degrees between unit vectors (..., D)."""
    return np.degrees(2 * np.arctan2(np.linalg.norm(first - second, axis=-1), np.linalg.norm(first + second, axis=-1)))


# Handshape


def handshape_error(result: Array, truth: Array) -> Array:
    """Return the mean difference of the 15 finger joints' bends, (...,) degrees, of hands (..., 21, 3)."""
    return np.degrees(np.abs(finger_angles(result) - finger_angles(truth)).mean(-1))


def extended(hand: Array) -> npt.NDArray[np.int8]:
    """Tell which fingers are extended.

    Args:
        hand: (..., 21, 3).

    Returns:
        (..., 5) thumb to little finger: 1 extended, −1 folded, 0 in between (curved, bent at the knuckle alone).
    """
    bends = _bends(hand)
    state = np.where(bends < EXTENDED_BELOW, 1, np.where(bends > FOLDED_ABOVE, -1, 0))
    away = np.linalg.norm(hand[..., TIPS[0], :] - hand[..., LITTLE, :], axis=-1) / _palm_length(hand)
    thumb = np.where(away > THUMB_EXTENDED_ABOVE, 1, np.where(away < THUMB_FOLDED_BELOW, -1, 0))
    state[..., 0] = thumb
    return state.astype(np.int8)


def rather_extended(hand: Array) -> Flags:
    """Tell which fingers (..., 5) of hands (..., 21, 3) are extended rather than folded, for labels of the two."""
    away = np.linalg.norm(hand[..., TIPS[0], :] - hand[..., INDEX, :], axis=-1) / _palm_length(hand)
    fingers = _bends(hand) < RATHER_EXTENDED_BELOW
    fingers[..., 0] = away > THUMB_RATHER_ABOVE
    return fingers


def _bends(hand: Array) -> Array:
    """Return by how much the three joints of each finger bend in sum, (..., 5) degrees."""
    return np.degrees(finger_angles(hand)).reshape(*hand.shape[:-2], 5, 3).sum(-1)


def _palm_length(hand: Array) -> Array:
    palm = np.linalg.norm(hand[..., MIDDLE, :] - hand[..., WRIST, :], axis=-1)
    return np.where(palm > 0, palm, np.nan)


def fingers_kept(result: npt.NDArray[np.int8], truth: npt.NDArray[np.int8]) -> float:
    """Return the share of the fingers clearly extended or folded in the truth that are so in the result as well."""
    clear = truth != 0
    return float((result[clear] == truth[clear]).mean()) if clear.any() else float("nan")


# Presence


def in_picture(pixels: Array, width: int, height: int, share: float = 0.5) -> Flags:
    """Tell in which frames (T,) at least ``share`` of points (T, N, 2) fall into the picture."""
    inside = ((pixels >= 0) & (pixels <= [width, height])).all(-1)
    return inside.mean(-1) >= share


# Non-manuals


def eye_distance(face: Array) -> Array:
    """Return the distance (T,) between the outer corners of the eyes of faces (T, 68 or more, D)."""
    return np.linalg.norm(face[:, OUTER_EYES[0]] - face[:, OUTER_EYES[1]], axis=-1)


def mouth_opening(face: Array) -> Array:
    """Return how far the inner lips are apart, (T,) in eye distances."""
    upper, lower = INNER_LIPS
    return np.linalg.norm(face[:, upper] - face[:, lower], axis=-1) / eye_distance(face)


def brow_height(face: Array) -> Array:
    """Return how high the brows stand above the eyes, (T,) in eye distances."""
    lifts = [np.linalg.norm(face[:, brow].mean(1) - face[:, eye].mean(1), axis=-1) for brow, eye in BROWS_AND_EYES]
    return np.mean(lifts, axis=0) / eye_distance(face)


def head_rotation_error(result: Array, truth: Array) -> Array:
    """Return by how much the head is turned from where it should be, (T,) degrees, from faces (T, 68 or more, 3).

    The rotation is that of the points that no expression moves much.
    """
    rotation = best_rotation(result[:, RIGID_FACE], truth[:, RIGID_FACE])
    trace = np.trace(rotation, axis1=-2, axis2=-1)
    # of the skew part, exact for small angles as well
    skew = np.stack([rotation[:, i, j] - rotation[:, j, i] for i, j in ((2, 1), (0, 2), (1, 0))], axis=-1)
    return np.degrees(np.arctan2(np.linalg.norm(skew, axis=-1), trace - 1))
