"""Where the fingers start: for each finger the cheapest of a grid of bends, given how the palm is turned.

A finger that curls towards the camera and one that curls away may cover the same pixels, and no small step leads from
one to the other, so the whole range is looked at.
"""

from __future__ import annotations

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.hinges import TENDON
from diffsign.fit.points import JOINT_COUNT
from diffsign.fit.problem import Problem
from diffsign.fit.state import State
from diffsign.fit.targets import BONES
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.geometry.skeleton import PARENTS

#: Flexions of a finger's first and second joint; the third follows the second.
GRID = np.array([(a, b, TENDON * b) for a in (-0.1, 0.3, 0.7, 1.1, 1.45) for b in (0.0, 0.45, 0.9, 1.3, 1.7)])
#: Flexions of the thumb's three joints and the sideways angle of its first.
THUMB_GRID = np.array(
    [(a, side, b, c) for a in (-0.4, 0.0, 0.4) for side in (-0.3, 0.2) for b in (0.1, 0.6) for c in (0.1, 0.7)]
)
#: SMPL-X's place of the fingers in the keypoints' order: thumb, index, middle, ring, pinky.
ORDER = (4, 0, 1, 3, 2)


def finger_poses(frames: np.ndarray) -> np.ndarray:
    """Return (5, C, 3, 3) rotation vectors of every finger's joints, thumb first; the thumb's grid is filled up.

    Args:
        frames: (15, 3, 3) hinge frames of the hand.
    """
    out = np.zeros((5, len(GRID), 3, 3))
    for finger, place in enumerate(ORDER):
        axes = frames[3 * place : 3 * place + 3]
        if finger == 0:
            rows = np.arange(len(GRID)) % len(THUMB_GRID)
            a, side, b, c = THUMB_GRID[rows].T
            out[0, :, 0] = a[:, None] * axes[0, 0] + side[:, None] * axes[0, 1]
            out[0, :, 1], out[0, :, 2] = b[:, None] * axes[1, 0], c[:, None] * axes[2, 0]
        else:
            out[finger] = GRID[..., None] * axes[:, 0]
    return out


def initialise_fingers(
    problem: Problem,
    state: State,
    part: slice,
    first: int,
    wrist: int,
    frames: np.ndarray,
    palms: np.ndarray,
    stage: StageSettings,
) -> np.ndarray:
    """Return (n, k, 15, 3, 3) the cheapest rotations of the fingers' joints for each of the palms (n, k, 3, 3)."""
    model, targets = problem.model, problem.targets
    poses = finger_poses(problem.terms.fingers.axes[0 if first == 25 else 15 :][:15])
    count = poses.shape[1]
    forearm = problem.pose(state).rotations[frames][:, PARENTS[wrist]]
    view = problem.view.rotation @ forearm[:, None] @ palms
    depth = np.maximum(-problem.pose(state).centres[frames, wrist, 2], 0.1)
    gain = (np.exp(state.log_focal) / depth / problem.view.pixel)[:, None, None, None, None]
    seen, flat = targets.weight[frames][:, part] ** 2, targets.xy[frames][:, part] / problem.view.pixel
    out = np.empty((len(frames), palms.shape[1], 15, 3, 3))
    for finger, place in enumerate(ORDER):
        pose = np.zeros((count, JOINT_COUNT, 3))
        joints = slice(first + 3 * place, first + 3 * place + 3)
        pose[:, joints] = poses[finger]
        rows = part.start + np.arange(1 + 4 * finger, 5 + 4 * finger)
        posed = model.pose(
            rotvec_to_rotmat(pose), np.zeros((count, 3)), state.betas, np.zeros((count, model.n_expression))
        )
        bones = np.diff(posed.points[:, rows], axis=1)
        solid = (view[:, :, None, None] @ bones[None, None, ..., None])[..., 0]
        local = rows - part.start
        picture = np.cumsum(gain * solid[..., :2], axis=3)
        goal = flat[:, local[1:]] - flat[:, local[:1]]
        sure = seen[:, local[1:]] * seen[:, local[:1]]
        away = np.sum((picture - goal[:, None, None]) ** 2, -1)
        cost = stage.hand_joints**2 * np.sum(sure[:, None, None] * away, -1)
        for b in range(3):
            bone = BONES.index((int(rows[b]), int(rows[b + 1])))
            guess = targets.direction[frames, bone] @ problem.view.rotation.T
            unit = solid[..., b, :] / np.linalg.norm(solid[..., b, :], axis=-1, keepdims=True)
            trust = (stage.hand_depth * targets.direction_weight[frames, bone]) ** 2
            cost += trust[:, None, None] * np.sum((unit - guess[:, None, None]) ** 2, -1)
        cost += stage.hand_prior**2 * problem.terms.fingers.cost(pose)
        best = poses[finger][cost.argmin(-1)]
        out[:, :, 3 * place : 3 * place + 3] = rotvec_to_rotmat(best)
    return out
