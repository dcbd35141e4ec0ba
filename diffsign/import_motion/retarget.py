"""Putting the hands of one body where those of another are, by the arms alone."""

from __future__ import annotations

import numpy as np

from diffsign.geometry.kinematics import forward
from diffsign.geometry.skeleton import JOINTS

SHOULDERS = [JOINTS.index("left_shoulder"), JOINTS.index("right_shoulder")]
ARMS = [
    [JOINTS.index(f"{side}_{part}") for part in ("collar", "shoulder", "elbow", "wrist")] for side in ("left", "right")
]
HEAD = JOINTS.index("head")


def retarget_arms(local: np.ndarray, rest: np.ndarray, source_rest: np.ndarray) -> np.ndarray:
    """Bend the arms so that the wrists are relative to shoulders and head as they were on the source's body.

    Each wrist keeps its rotation in the world and the elbow the plane that it bends in; fingers and everything else
    keep their rotations. Distances scale with the arms' length.

    Args:
        local: (T, 55, 3, 3) rotations relative to the parent joint.
        rest: (55, 3) joints at rest of the body that is posed.
        source_rest: (55, 3) those of the body that the rotations belong to.

    Returns:
        (T, 55, 3, 3).
    """
    world, joints = forward(local, rest[None])
    _, source = forward(local, source_rest[None])
    scale = _arm_length(rest) / _arm_length(source_rest)
    result = local.copy()
    for collar, shoulder, elbow, wrist in ARMS:
        target = _target(source, joints, wrist, scale)
        upper, lower = bend(joints[:, [shoulder, elbow, wrist]], target)
        turned_shoulder = upper @ world[:, shoulder]
        turned_elbow = lower @ world[:, elbow]
        result[:, shoulder] = np.swapaxes(world[:, collar], 1, 2) @ turned_shoulder
        result[:, elbow] = np.swapaxes(turned_shoulder, 1, 2) @ turned_elbow
        result[:, wrist] = np.swapaxes(turned_elbow, 1, 2) @ world[:, wrist]
    return result


def _arm_length(rest: np.ndarray) -> float:
    return float(
        np.mean(
            [
                np.linalg.norm(rest[elbow] - rest[shoulder]) + np.linalg.norm(rest[wrist] - rest[elbow])
                for _, shoulder, elbow, wrist in ARMS
            ]
        )
    )


def _target(source: np.ndarray, joints: np.ndarray, wrist: int, scale: float) -> np.ndarray:
    """Return where a wrist belongs (T, 3): relative to chest and head, whichever is nearer counting more."""
    chest = source[:, SHOULDERS].mean(axis=1), joints[:, SHOULDERS].mean(axis=1)
    anchors = [chest, (source[:, HEAD], joints[:, HEAD])]
    places, weights = [], []
    for theirs, ours in anchors:
        offset = source[:, wrist] - theirs
        places.append(ours + scale * offset)
        weights.append(1 / np.maximum((offset**2).sum(axis=-1), 1e-4))
    return (places[0] * weights[0][:, None] + places[1] * weights[1][:, None]) / (weights[0] + weights[1])[:, None]


def bend(arm: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotations (T, 3, 3) of upper arm and forearm in the world that bring a wrist to a target.

    Args:
        arm: (T, 3, 3) shoulder, elbow and wrist as they are.
        target: (T, 3) where the wrist should be; beyond reach the arm stretches towards it.
    """
    shoulder, elbow, wrist = np.moveaxis(arm, 1, 0)
    upper, lower = (np.linalg.norm(v, axis=-1, keepdims=True) for v in (elbow - shoulder, wrist - elbow))
    reach = target - shoulder
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    along = reach / np.maximum(distance, 1e-9)
    distance = np.clip(distance, np.abs(upper - lower) + 1e-4, upper + lower - 1e-4)
    # The elbow stays on the side where it is, seen along the line from the shoulder to the target.
    side = elbow - shoulder
    side -= (side * along).sum(axis=-1, keepdims=True) * along
    length = np.linalg.norm(side, axis=-1, keepdims=True)
    fallback = np.cross(along, [1.0, 0.0, 0.0])
    fallback /= np.maximum(np.linalg.norm(fallback, axis=-1, keepdims=True), 1e-9)
    side = np.where(length > 1e-6, side / np.maximum(length, 1e-9), fallback)
    forwards = (upper**2 - lower**2 + distance**2) / (2 * distance)
    sideways = np.sqrt(np.maximum(upper**2 - forwards**2, 0))
    new_elbow = shoulder + forwards * along + sideways * side
    new_wrist = shoulder + distance * along
    return (
        shortest_rotation(elbow - shoulder, new_elbow - shoulder),
        shortest_rotation(wrist - elbow, new_wrist - new_elbow),
    )


def shortest_rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the shortest rotations (T, 3, 3) from directions (T, 3) to directions (T, 3) that are not opposite."""
    a, b = (v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12) for v in (source, target))
    cross = np.cross(a, b)
    cosine = np.maximum((a * b).sum(axis=-1), -1 + 1e-9)
    skew = np.zeros((len(a), 3, 3))
    skew[:, 0, 1], skew[:, 0, 2], skew[:, 1, 2] = -cross[:, 2], cross[:, 1], -cross[:, 0]
    skew -= np.swapaxes(skew, 1, 2)
    return np.eye(3) + skew + skew @ skew / (1 + cosine)[:, None, None]
