"""How far a fitted motion is from the truth, in millimetres and degrees.

Errors of vertices follow SGNify (Forte et al., CVPR 2023): the mean distance over the vertices of a part
(upper body without hands, each hand, the face) after the part has been aligned to the truth in each frame, by
translation and rotation (TR-V2V) or by translation only (T-V2V); never by scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffsign.geometry.alignment import align
from diffsign.geometry.hand import finger_angles
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND


def vertex_error(found: np.ndarray, truth: np.ndarray, rotation: bool = True) -> np.ndarray:
    """Return (T,) mean distance of points in millimetres after alignment: TR-V2V, or T-V2V without ``rotation``.

    Args:
        found: (T, N, 3) metres.
        truth: (T, N, 3) metres.
        rotation: whether the alignment turns.
    """
    found, truth = np.asarray(found, np.float64), np.asarray(truth, np.float64)
    return 1000 * np.linalg.norm(align(found, truth, rotation) - truth, axis=-1).mean(1)


def finger_error(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (T,) mean difference of the finger joints' bends in degrees, from keypoints (T, 137, 3) of both."""
    differences = [finger_angles(found[:, hand]) - finger_angles(truth[:, hand]) for hand in (LEFT_HAND, RIGHT_HAND)]
    return np.degrees(np.abs(np.concatenate(differences, axis=1)).mean(1))


def acceleration_error(found: np.ndarray, truth: np.ndarray, fps: float) -> float:
    """Return the mean difference of accelerations (T, N, 3 in metres) in mm/s²; NaN for fewer than three frames."""
    if len(found) < 3:
        return float("nan")
    difference = np.diff(np.asarray(found, np.float64) - np.asarray(truth, np.float64), n=2, axis=0)
    return float(1000 * fps**2 * np.linalg.norm(difference, axis=-1).mean())


def joint_error(found: np.ndarray, truth: np.ndarray, joints: Sequence[int]) -> np.ndarray:
    """Return (T,) MPJPE in millimetres of the chosen joints after alignment; joints the truth lacks are left out."""
    known = [j for j in joints if np.isfinite(truth[:, j]).all()]
    if len(known) < 3:
        return np.full(len(truth), np.nan)
    return vertex_error(found[:, known], truth[:, known])
