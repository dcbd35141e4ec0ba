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


def _upper(lengths: np.ndarray) -> float:
    lengths = lengths[np.isfinite(lengths)]
    return float(np.percentile(lengths, UPPER)) if len(lengths) else np.nan


def measure(xy: np.ndarray) -> Scale:
    """Measure the signer of (T, 137, 2) pixels, NaN where missing; a part that is not seen takes another's scale."""
    body = _upper(_length(xy, NUMBER["left_shoulder"], NUMBER["right_shoulder"])) / SHOULDERS_M
    palms = [_length(xy, part.start, part.start + 9) for part in (LEFT_HAND, RIGHT_HAND)]
    hand = _upper(np.concatenate(palms)) / PALM_M
    face = _upper(_length(xy, FACE.start + 36, FACE.start + 45)) / EYES_M
    known = [value for value in (body, face, hand) if np.isfinite(value) and value > 0]
    return Scale(
        *(value if np.isfinite(value) and value > 0 else (known or [np.nan])[0] for value in (body, hand, face))
    )
