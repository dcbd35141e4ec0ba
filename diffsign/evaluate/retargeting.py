"""How far a fitted motion is from the truth, in millimetres and degrees.

Errors of vertices follow SGNify (Forte et al., CVPR 2023): the mean distance over the vertices of a part
(upper body without hands, each hand, the face) after the part has been aligned to the truth in each frame, by
translation and rotation (TR-V2V) or by translation only (T-V2V); never by scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND

#: Rows of a hand's 21 keypoints for each bend: before, at, after the joint, palm to tip.
BENDS = np.array([((0, f, f + 1), (f, f + 1, f + 2), (f + 1, f + 2, f + 3)) for f in range(1, 21, 4)]).reshape(-1, 3)


def align(found: np.ndarray, truth: np.ndarray, rotation: bool = True) -> np.ndarray:
    """Return ``found`` (T, N, 3) moved onto ``truth`` (T, N, 3), frame by frame, without scale.

    Least squares by translation, and by rotation as well unless told otherwise (Kabsch, Acta Cryst. A32, 1976).
    """
    goal = truth.mean(1, keepdims=True)
    centred = found - found.mean(1, keepdims=True)
    if rotation:
        u, _, v = np.linalg.svd(np.swapaxes(centred, 1, 2) @ (truth - goal))
        u[..., -1] *= np.sign(np.linalg.det(u @ v))[:, None]
        centred = centred @ (u @ v)
    return centred + goal


def vertex_error(found: np.ndarray, truth: np.ndarray, rotation: bool = True) -> np.ndarray:
    """Return (T,) mean distance of points in millimetres after alignment: TR-V2V, or T-V2V without ``rotation``.

    Args:
        found: (T, N, 3) metres.
        truth: (T, N, 3) metres.
        rotation: whether the alignment turns.
    """
    found, truth = np.asarray(found, np.float64), np.asarray(truth, np.float64)
    return 1000 * np.linalg.norm(align(found, truth, rotation) - truth, axis=-1).mean(1)


def bend_angles(hand: np.ndarray) -> np.ndarray:
    """Return (T, 15) degrees between the bones that meet at each finger joint, from 21 hand keypoints (T, 21, 3)."""
    before, at, after = (hand[:, BENDS[:, i]] for i in range(3))
    first, second = at - before, after - at
    cross = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.degrees(np.arctan2(cross, np.sum(first * second, -1)))


def finger_error(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (T,) mean difference of the finger joints' bends in degrees, from keypoints (T, 137, 3) of both."""
    differences = [
        np.abs(bend_angles(found[:, hand]) - bend_angles(truth[:, hand])) for hand in (LEFT_HAND, RIGHT_HAND)
    ]
    return np.concatenate(differences, axis=1).mean(1)


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
