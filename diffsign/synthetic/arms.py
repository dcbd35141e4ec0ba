"""Inverse kinematics of the arms: a wrist's place and a hand's orientation become shoulder, elbow and wrist rotations.

A chain of two bones that reaches a point leaves one freedom, the swivel of the elbow about the line from shoulder to
wrist. It is chosen for all frames at once: the path that keeps forearm and wrist inside their limits, the elbow low
and out of the torso, and changes slowly. What is still beyond a limit afterwards is cut off, so that the limits hold
and the hand turns a little less than was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from diffsign.geometry.paths import cheapest_path
from diffsign.synthetic.kinematics import ELBOW, SHOULDER, WRIST, Skeleton, unit
from diffsign.synthetic.solids import Column

#: Limits in degrees. Turning of the forearm from the thumb-up neutral: palm down, palm up.
FOREARM_TURN = (-85.0, 85.0)
#: Wrist: to the back of the hand and to the palm; to the little finger and to the thumb.
WRIST_BEND = (-65.0, 70.0)
WRIST_LEAN = (-32.0, 22.0)
#: Bend of the elbow.
ELBOW_BEND = (4.0, 148.0)
#: Candidate swivels in degrees: 0 is straight below the line from shoulder to wrist, positive is outward.
SWIVELS = np.arange(-25.0, 106.0, 5.0)
EASY_SWIVEL = 18.0


@dataclass(frozen=True)
class Reach:
    """What an arm does over the frames: rotations relative to the parent, and the numbers that limits speak of.

    Attributes:
        shoulder: (T, 3, 3).
        elbow: (T, 3, 3).
        wrist: (T, 3, 3).
        angles: (T, 4) degrees: elbow bend, forearm turn, wrist bend, wrist lean.
    """

    shoulder: np.ndarray
    elbow: np.ndarray
    wrist: np.ndarray
    angles: np.ndarray


def _frame(ahead: np.ndarray, aside: np.ndarray) -> np.ndarray:
    """Orthonormal frames (..., 3, 3): ``ahead``, ``aside`` made normal to it, and their cross product, as columns."""
    ahead = unit(ahead)
    aside = unit(aside - ahead * np.sum(ahead * aside, axis=-1, keepdims=True))
    return np.stack([ahead, aside, np.cross(ahead, aside)], axis=-1)


@dataclass(frozen=True)
class _Arm:
    skeleton: Skeleton
    side: str

    def solve(
        self, collar: np.ndarray, shoulder: np.ndarray, target: np.ndarray, hand: np.ndarray, swivel: np.ndarray
    ) -> tuple[Reach, np.ndarray]:
        """Solve for given swivels; all arguments share their leading axes. Returns the reach and elbows (..., 3)."""
        joints, side = self.skeleton.joints, self.side
        upper, fore = joints[ELBOW[side]] - joints[SHOULDER[side]], joints[WRIST[side]] - joints[ELBOW[side]]
        long1, long2 = np.linalg.norm(upper), np.linalg.norm(fore)
        way = target - shoulder
        far = np.linalg.norm(way, axis=-1)
        spans = [np.sqrt(long1**2 + long2**2 + 2 * long1 * long2 * np.cos(np.deg2rad(b))) for b in ELBOW_BEND]
        far = np.clip(far, spans[1], spans[0])
        ahead = unit(way)
        down = _frame(ahead, np.broadcast_to([0.0, -1.0, 0.0], ahead.shape))
        outward = down[..., 2] * np.sign(np.sum(down[..., 2] * self._out, axis=-1, keepdims=True) + 1e-9)
        inner = np.clip((long1**2 + far**2 - long2**2) / (2 * long1 * far), -1, 1)
        turn = np.deg2rad(swivel)[..., None]
        aside = np.cos(turn) * down[..., 1] + np.sin(turn) * outward
        elbow = shoulder + long1 * (inner[..., None] * ahead + np.sqrt(1 - inner**2)[..., None] * aside)
        reached = shoulder + far[..., None] * ahead

        forward = np.array([0.0, 0.0, 1.0])
        bent = unit(reached - elbow)
        upper_world = _frame(elbow - shoulder, bent) @ _frame(upper, forward).T
        hinge = np.cross(elbow - shoulder, bent)
        fore_world = _frame(bent, np.cross(hinge, bent)) @ _frame(fore, forward).T
        bend = np.rad2deg(np.arccos(np.clip(np.sum(unit(elbow - shoulder) * bent, axis=-1), -1, 1)))

        axis = unit(fore)
        wrist_turn = Rotation.from_matrix((np.swapaxes(fore_world, -1, -2) @ hand).reshape(-1, 3, 3))
        quaternion = wrist_turn.as_quat()
        roll = 2 * np.arctan2(quaternion[:, :3] @ axis, quaternion[:, 3])
        roll = (roll + np.pi) % (2 * np.pi) - np.pi
        swing = (Rotation.from_rotvec(-roll[:, None] * axis) * wrist_turn).as_rotvec()
        along, thumb, palm = self.skeleton.hands[side].basis.T
        bend_axis, lean_axis = np.cross(along, palm), np.cross(along, thumb)
        # Palm up is positive on both sides.
        sense = 1.0 if np.cross(axis, forward) @ [0, 1, 0] > 0 else -1.0
        raw = np.stack([sense * roll, swing @ bend_axis, swing @ lean_axis], axis=-1)
        raw = np.rad2deg(raw).reshape(*bend.shape, 3)
        low, high = np.array([FOREARM_TURN, WRIST_BEND, WRIST_LEAN]).T
        kept = np.clip(raw, low, high)
        half = Rotation.from_rotvec((np.deg2rad(kept[..., 0]) * sense / 2).reshape(-1, 1) * axis)
        flat = np.deg2rad(kept.reshape(-1, 3))
        rest = Rotation.from_rotvec(flat[:, 1:2] * bend_axis + flat[:, 2:3] * lean_axis)
        shape = (*bend.shape, 3, 3)
        reach = Reach(
            shoulder=np.swapaxes(collar, -1, -2) @ upper_world,
            # Half of the forearm's turn is made at the elbow and half at the wrist, as the skin does.
            elbow=np.swapaxes(upper_world, -1, -2) @ fore_world @ half.as_matrix().reshape(shape),
            wrist=(half * rest).as_matrix().reshape(shape),
            angles=np.concatenate([bend[..., None], raw], axis=-1),
        )
        return reach, elbow

    @property
    def _out(self) -> np.ndarray:
        return np.array([1.0 if self.side == "left" else -1.0, 0.0, 0.0])


def reach(
    skeleton: Skeleton,
    side: str,
    collar: np.ndarray,
    shoulder: np.ndarray,
    target: np.ndarray,
    hand: np.ndarray,
    torso: Column,
    fps: float,
) -> Reach:
    """Bring a wrist to ``target`` with the hand turned to ``hand``, over the frames of a clip.

    Args:
        skeleton: whose arm.
        side: ``left`` or ``right``.
        collar: (T, 3, 3) orientation of the collar joint in the world.
        shoulder: (T, 3) metres, the shoulder in the world.
        target: (T, 3) metres, the wrist in the world; beyond the arm's length it is brought nearer.
        hand: (T, 3, 3) orientation of the wrist joint in the world.
        torso: what the elbow keeps out of.
        fps: frames per second.

    Returns:
        The arm's rotations, inside the limits of this module.
    """
    arm = _Arm(skeleton, side)
    frames, count = len(target), len(SWIVELS)

    def spread(values: np.ndarray) -> np.ndarray:
        return np.repeat(values[:, None], count, axis=1)

    tried, elbows = arm.solve(
        spread(collar), spread(shoulder), spread(target), spread(hand), np.broadcast_to(SWIVELS, (frames, count))
    )
    easy = np.array([FOREARM_TURN, WRIST_BEND, WRIST_LEAN]) * 0.75
    excess = np.maximum(tried.angles[..., 1:] - easy[:, 1], 0) + np.maximum(easy[:, 0] - tried.angles[..., 1:], 0)
    middle = (elbows + target[:, None]) / 2
    inside = np.maximum(0.05 - torso.distance(elbows), 0) + np.maximum(0.05 - torso.distance(middle), 0)
    cost = (excess**2).sum(axis=-1) / 15**2 + ((SWIVELS - EASY_SWIVEL) / 40) ** 2 + (inside / 0.02) ** 2
    steps = np.arange(count)
    change = 0.5 * (fps / 24) ** 2 * (steps[:, None] - steps) ** 2
    swivel = SWIVELS[cheapest_path(cost, change)]
    swivel = gaussian_filter1d(swivel.astype(float), 0.06 * fps, mode="nearest")
    solved, _ = arm.solve(collar, shoulder, target, hand, swivel)
    low, high = np.array([FOREARM_TURN, WRIST_BEND, WRIST_LEAN]).T
    angles = np.concatenate([solved.angles[:, :1], np.clip(solved.angles[:, 1:], low, high)], axis=1)
    return Reach(solved.shoulder, solved.elbow, solved.wrist, angles)
