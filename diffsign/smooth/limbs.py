"""Trunk, head, arms and fingers filtered as limbs, each under one window (:mod:`diffsign.smooth.adaptive`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.config.smooth import SmoothSettings
from diffsign.geometry.kinematics import world_rotations
from diffsign.geometry.rotations import inverse, rotvec_to_rotmat, skew
from diffsign.geometry.skeleton import JOINTS
from diffsign.smooth.adaptive import Ladder, Tolerance, apply_to_rotations

SPINE3, HEAD = JOINTS.index("spine3"), JOINTS.index("head")
#: Everything that arms, fingers and face hang on, and the legs.
TRUNK = np.array(
    [j for j, name in enumerate(JOINTS) if name.endswith(("pelvis", "hip", "knee", "ankle", "foot", "collar"))]
    + [JOINTS.index(name) for name in ("spine1", "spine2", "spine3")]
)
NECK = np.array([JOINTS.index("neck"), HEAD])
#: Usual lengths in metres: spine to the collars, half the shoulders; upper arm, forearm, palm and half its width; the
#: bones of a finger; neck and head to the nose.
CHEST, SHOULDER = np.array([0.0, 0.4, 0.0]), 0.17
UPPER_ARM, FOREARM, PALM, HALF_PALM = 0.27, 0.25, 0.09, 0.04
FINGER = (0.045, 0.028, 0.022)
NOSE = np.array([0.0, 0.1, 0.12])

#: What filtering may move at rest: the trunk, whose arms are kept where they were; the others.
TRUNK_TOLERANCE = Tolerance(0.003, 0.02)
HEAD_TOLERANCE = Tolerance(0.001, 0.01)
ARM_TOLERANCE = Tolerance(0.003, 0.02)
FINGER_TOLERANCE = Tolerance(0.002, 0.01)
#: What filtering may move a wrist in depth by itself, and how many times as fast it may be for that.
DEPTH_TOLERANCE, SLOWER_IN_DEPTH = Tolerance(1.0, 0.03), 5.0
#: Points nearer to the camera than this, metres, are not moved along its rays.
NEAREST = 0.2
#: A limb that was not seen may be moved so many times as far.
UNSEEN = 10.0


@dataclass(frozen=True)
class Arm:
    """One arm of SMPL-X: its joints, which way it lies at rest, and its column in ``Motion.seen``."""

    collar: int
    joints: tuple[int, int, int]
    fingers: slice
    sign: float
    part: int

    def shoulder(self, world: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """Return where the shoulder is, about (T, 3)."""
        return transl + world[:, SPINE3] @ CHEST + world[:, self.collar] @ np.array([self.sign * SHOULDER, 0.05, 0])

    def bones(self, arm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return upper arm and forearm (T, 3) of the arm's orientations (T, 3, 3, 3)."""
        along = np.array([self.sign, 0.0, 0.0])
        return arm[:, 0] @ (UPPER_ARM * along), arm[:, 1] @ (FOREARM * along)

    def outline(self, arm: np.ndarray) -> np.ndarray:
        """Return wrist and both sides of the palm (T, 3, 3) from the shoulder."""
        upper, fore = self.bones(arm)
        palm = [arm[:, 2] @ np.array([self.sign * PALM, 0, side]) for side in (HALF_PALM, -HALF_PALM)]
        wrist = upper + fore
        return np.stack([wrist, wrist + palm[0], wrist + palm[1]], axis=1)

    def tips(self, world: np.ndarray) -> np.ndarray:
        """Return the finger tips (T, 5, 3) from their knuckles."""
        bones = [world[:, self.fingers.start + n :: 3][:, :5] for n in range(3)]
        return sum(
            (bone @ np.array([self.sign * length, 0, 0]) for bone, length in zip(bones, FINGER, strict=True)),
            start=np.zeros((len(world), 5, 3)),
        )


ARMS = (
    Arm(13, (16, 18, 20), slice(25, 40), 1.0, 1),
    Arm(14, (17, 19, 21), slice(40, 55), -1.0, 2),
)


def filter_limbs(
    rotations: np.ndarray, transl: np.ndarray, seen: np.ndarray, settings: SmoothSettings, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Filter the movement of one shot, all but the face's.

    Args:
        rotations: (T, 55, 3, 3) relative to the parent joint.
        transl: (T, 3) metres.
        seen: (T, 4) bool, ``Motion.seen``.
        settings: of the stage.
        fps: frames per second.

    Returns:
        Rotations and translation, filtered.
    """
    frames = len(transl)
    ladder = Ladder.of(frames, settings.hold_cutoff, fps)
    doubt = np.where(seen, 1.0, UNSEEN)
    world = world_rotations(rotations)
    out = rotations.copy()

    shoulders = np.stack([arm.shoulder(world, transl) for arm in ARMS] + [transl], axis=1)
    matrix = ladder.choose(shoulders, TRUNK_TOLERANCE, ladder.speeds(shoulders, fps), doubt[:, 0])
    out[:, TRUNK] = apply_to_rotations(matrix, rotations[:, TRUNK])
    moved = matrix @ transl
    nose = (world[:, HEAD] @ NOSE)[:, None]
    matrix = ladder.choose(nose, HEAD_TOLERANCE, ladder.speeds(nose, fps), doubt[:, 3])
    out[:, NECK] = apply_to_rotations(matrix, rotations[:, NECK])

    steady = world_rotations(out)
    for arm in ARMS:
        joints = list(arm.joints)
        outline = arm.shoulder(world, transl)[:, None] + arm.outline(world[:, joints])
        speed = ladder.speeds(outline, fps)
        matrix = ladder.choose(outline, ARM_TOLERANCE, speed, doubt[:, arm.part])
        limb = apply_to_rotations(matrix, world[:, joints])
        wrist = in_depth(ladder, outline, speed, doubt[:, arm.part]) @ outline[:, 0, 2]
        wrist = at_depth(matrix @ outline[:, 0], wrist)
        limb = reach(arm, limb, wrist - arm.shoulder(steady, moved))
        parent = steady[:, arm.collar]
        for n, joint in enumerate(joints):
            out[:, joint] = inverse(parent) @ limb[:, n]
            parent = limb[:, n]
        tips = arm.tips(world)
        speed = np.maximum(speed, ladder.speeds(tips, fps))
        matrix = ladder.choose(tips, FINGER_TOLERANCE, speed, doubt[:, arm.part])
        out[:, arm.fingers] = apply_to_rotations(matrix, rotations[:, arm.fingers])
    return out, moved


def in_depth(ladder: Ladder, positions: np.ndarray, speed: np.ndarray, doubt: np.ndarray) -> np.ndarray:
    """Return what filters the depth of points (T, n, 3), (T, T): more than their place in the picture, which is sure.

    Args:
        ladder: the windows.
        positions: metres.
        speed: (T,) metres a second.
        doubt: (T,) factors on the tolerance.
    """
    return ladder.choose(positions * [0.0, 0.0, 1.0], DEPTH_TOLERANCE, speed / SLOWER_IN_DEPTH, doubt)


def at_depth(points: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return points (T, 3) moved along the camera's rays to another depth (T,); the camera is at the origin."""
    own = points[:, 2]
    factor = np.where(np.abs(own) > NEAREST, depth / np.where(np.abs(own) > NEAREST, own, 1.0), 1.0)
    return np.column_stack([points[:, :2] * factor[:, None], depth])


def reach(arm: Arm, limb: np.ndarray, wrist: np.ndarray) -> np.ndarray:
    """Return the arm (T, 3, 3, 3) with upper arm and forearm turned a little, so that its wrist is at ``wrist`` (T, 3).

    The turns are the smallest that do it, to first order; the hand keeps its orientation.
    """
    upper, fore = arm.bones(limb)
    jacobian = -np.concatenate([skew(upper), skew(fore)], axis=-1)
    across = np.swapaxes(jacobian, -1, -2)
    needed = (wrist - upper - fore)[..., None]
    turns = (across @ np.linalg.solve(jacobian @ across + 1e-4 * np.eye(3), needed))[..., 0].reshape(-1, 2, 3)
    out = limb.copy()
    out[:, :2] = rotvec_to_rotmat(np.clip(turns, -0.2, 0.2)) @ limb[:, :2]
    return out
