"""Angles of the finger joints, from the 21 keypoints of a hand in OpenPose's order."""

from __future__ import annotations

import numpy as np

from diffsign.geometry.arrays import Floats

#: Parent, joint and child of the 15 finger joints, thumb to little finger, knuckle to tip; the wrist is 0.
FINGER_JOINTS = np.array(
    [(0 if k == 0 else base + k - 1, base + k, base + k + 1) for base in (1, 5, 9, 13, 17) for k in range(3)]
)


def finger_angles(hand: Floats) -> Floats:
    """Return how far the 15 finger joints are bent.

    Args:
        hand: (..., 21, D) positions in 2D or 3D.

    Returns:
        (..., 15) radians between the bones that meet at the joint; 0 where the finger is straight or a bone has no
        length.
    """
    parent, joint, child = (hand[..., FINGER_JOINTS[:, k], :] for k in range(3))
    first, second = joint - parent, child - joint
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    # Kahan's formula, exact for nearly straight joints as well.
    long, short = (np.linalg.norm(v, axis=-1, keepdims=True) for v in (first, second))
    difference = np.linalg.norm(first * short - second * long, axis=-1)
    total = np.linalg.norm(first * short + second * long, axis=-1)
    return np.where(lengths > 0, 2 * np.arctan2(difference, total), 0.0)
