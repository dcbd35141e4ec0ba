"""Habits and limits of the fingers."""

from __future__ import annotations

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.hinges import TENDON, TENDON_SIGMA, angle_table, hinge_frames
from diffsign.fit.terms.base import PoseTerm

#: The fingers' joints: (10, 3), left hand first.
FINGER_JOINTS = np.arange(25, 55).reshape(10, 3)


class FingerHabit(PoseTerm):
    """How far fingers usually bend; the last joint of a finger follows the middle one.

    Args:
        rest: (55, 3) joints at rest, which tell the axes of flexion.
    """

    joints = FINGER_JOINTS

    def __init__(self, rest: np.ndarray) -> None:
        self.axes = hinge_frames(rest)
        mean, sigma = angle_table("mean").reshape(10, 9), angle_table("sigma").reshape(10, 9)
        # Rows on a finger's nine angles: each by itself, and the tendon's.
        rows = np.zeros((10, 10, 9))
        rows[:, range(9), range(9)] = 1 / sigma
        offsets = np.zeros((10, 10))
        offsets[:, :9] = mean / sigma
        thumbs = np.arange(10) % 5 == 4
        rows[~thumbs, 9, 6], rows[~thumbs, 9, 3] = 1 / TENDON_SIGMA, -TENDON / TENDON_SIGMA
        frames = np.zeros((10, 9, 9))
        for joint in range(3):
            own = slice(3 * joint, 3 * joint + 3)
            frames[:, own, own] = self.axes.reshape(10, 3, 3, 3)[:, joint]
        self._rows, self._offsets = rows @ frames, offsets

    def weight(self, stage: StageSettings) -> float:
        """Return the stage's weight."""
        return stage.hand_prior

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 10, 10) standard deviations."""
        fingers = pose[:, self.joints].reshape(len(pose), 10, 9)
        return (self._rows @ fingers[..., None])[..., 0] - self._offsets

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (1, 10, 10, 3, 3)."""
        del pose
        return self._rows.reshape(1, 10, 10, 3, 3)


class FingerLimits(PoseTerm):
    """Angles of the finger joints outside their range.

    Args:
        rest: (55, 3) joints at rest, which tell the axes of flexion.
    """

    joints = FINGER_JOINTS.reshape(30, 1)

    def __init__(self, rest: np.ndarray) -> None:
        self.axes = hinge_frames(rest)
        self.low, self.high = angle_table("low"), angle_table("high")

    def weight(self, stage: StageSettings) -> float:
        """Return the stage's weight."""
        return stage.limits

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 30, 3) radians past the limit."""
        angles = (self.axes @ pose[:, self.joints[:, 0], :, None])[..., 0]
        return angles - np.clip(angles, self.low, self.high)

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 30, 3, 1, 3)."""
        past = self.residual(pose) != 0
        return (past[..., None] * self.axes)[:, :, :, None]
