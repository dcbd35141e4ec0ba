"""How large the signer is in the picture: the unit in which movements are judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.records.keypoints import BODY_NAMES, FACE, LEFT_HAND, RIGHT_HAND

NUMBER = {name: number for number, name in enumerate(BODY_NAMES)}

#: Points that a signer moves slowly, apart from the hands.
STEADY = [
    *(NUMBER[name] for name in ("nose", "neck", "left_shoulder", "right_shoulder", "left_ear", "right_ear")),
    *range(FACE.start, FACE.stop, 5),
]
#: An adult's shoulder width, palm (wrist to middle knuckle) and distance of the outer corners of the eyes, in metres.
SHOULDERS_M, PALM_M, EYES_M = 0.36, 0.09, 0.09
#: Part of a length's observations that are shorter because it is turned away from the picture's plane.
UPPER = 90.0

#: A hand this near the edge of the picture, in palms, may be cut by it.
EDGE = 0.1
#: Least and most that hands and face are larger in the picture than shoulders make them: a hand may be near the camera.
HAND_OF_BODY, FACE_OF_BODY = (0.7, 2.5), (0.6, 1.7)


@dataclass(frozen=True)
class Scale:
    """Pixels that a metre takes at each part of the signer, over the whole clip; NaN where nothing says.

    Attributes:
        body: from the width of the shoulders.
        hand: from the palms.
        face: from the eyes.
    """

    body: float
    hand: float
    face: float


def _length(xy: np.ndarray, a: int, b: int) -> np.ndarray:
    return np.linalg.norm(xy[:, a] - xy[:, b], axis=-1)


def _known(value: float) -> bool:
    return bool(np.isfinite(value)) and value > 0


def _between(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _upper(lengths: np.ndarray) -> float:
    lengths = lengths[np.isfinite(lengths)]
    return float(np.percentile(lengths, UPPER)) if len(lengths) else np.nan


def measure(xy: np.ndarray, width: float = np.inf, height: float = np.inf) -> Scale:
    """Measure the signer of a shot.

    Args:
        xy: (T, 137, 2) pixels, NaN where missing.
        width: of the picture in pixels.
        height: of the picture in pixels.

    Hands that the picture's edge cuts do not count, since of their palms only a part is measured. The parts of one body
    have about one size: a hand or face that seems far smaller than the body makes it, or larger than it can be even
    close to the camera, takes the nearest size that is possible, and a part that is not seen takes another's.
    """
    body = _upper(_length(xy, NUMBER["left_shoulder"], NUMBER["right_shoulder"])) / SHOULDERS_M
    palms = []
    for part in (LEFT_HAND, RIGHT_HAND):
        whole = np.isfinite(xy[:, part, 0]).all(axis=1)
        palm = _length(xy, part.start, part.start + 9)
        edge = EDGE * np.nan_to_num(palm)[:, None, None]
        whole &= ((xy[:, part] > edge) & (xy[:, part] < np.array([width, height]) - edge)).all(axis=(1, 2))
        palms.append(np.where(whole, palm, np.nan))
    hand = _upper(np.concatenate(palms)) / PALM_M
    face = _upper(_length(xy, FACE.start + 36, FACE.start + 45)) / EYES_M
    trunk = body if _known(body) else face
    if _known(trunk):
        hand = _between(hand, *(factor * trunk for factor in HAND_OF_BODY)) if _known(hand) else trunk
        face = _between(face, *(factor * trunk for factor in FACE_OF_BODY)) if _known(face) else trunk
    elif _known(hand):
        face = hand
    known = [value for value in (body, face, hand) if _known(value)]
    return Scale(*(value if _known(value) else (known or [np.nan])[0] for value in (body, hand, face)))
