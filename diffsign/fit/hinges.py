"""Anatomical axes of the fingers: what is flexion, what is sideways, what is twist.

SMPL-X gives every joint the world's axes of the rest pose. A finger joint is a hinge about one
direction of the hand; the prior and the limits of the fingers are written in the frame of that hinge,
which is found from the rest joints of the body at hand, so that any SMPL-X body can be used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: First joint of each hand's 15, and the wrist it hangs from.
HANDS = {"left": (25, 20), "right": (40, 21)}
#: Fingers in the order of SMPL-X's hand joints; three joints each.
FINGERS = ("index", "middle", "pinky", "ring", "thumb")


@dataclass(frozen=True)
class HingeAngle:
    """Range and habit of one angle in radians: usual value, spread, least and most."""

    mean: float
    sigma: float
    low: float
    high: float


#: Flexion, sideways and twist of a finger's three joints, nearest the palm first. Ranges follow the
#: clinical norms (e.g. Hume et al. 1990, J. Hand Surg. 15A: 0 to 100, 105 and 85 degrees) with slack
#: for joints whose rest pose is not quite straight.
FINGER_ANGLES = (
    (HingeAngle(0.5, 0.6, -0.5, 1.75), HingeAngle(0.0, 0.2, -0.5, 0.5), HingeAngle(0.0, 0.1, -0.3, 0.3)),
    (HingeAngle(0.6, 0.7, -0.2, 2.0), HingeAngle(0.0, 0.07, -0.2, 0.2), HingeAngle(0.0, 0.07, -0.2, 0.2)),
    (HingeAngle(0.4, 0.6, -0.3, 1.6), HingeAngle(0.0, 0.07, -0.2, 0.2), HingeAngle(0.0, 0.07, -0.2, 0.2)),
)
THUMB_ANGLES = (
    (HingeAngle(0.1, 0.4, -0.9, 1.2), HingeAngle(0.0, 0.4, -1.0, 1.0), HingeAngle(0.0, 0.3, -0.8, 0.8)),
    (HingeAngle(0.2, 0.4, -0.6, 1.3), HingeAngle(0.0, 0.2, -0.6, 0.6), HingeAngle(0.0, 0.15, -0.5, 0.5)),
    (HingeAngle(0.2, 0.5, -0.5, 1.6), HingeAngle(0.0, 0.1, -0.4, 0.4), HingeAngle(0.0, 0.1, -0.3, 0.3)),
)
#: The last joint of a finger follows the middle one, whose tendon it shares.
TENDON, TENDON_SIGMA = 0.65, 0.3


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def hinge_frames(joints: np.ndarray) -> np.ndarray:
    """Return (30, 3, 3): for each finger joint (left 15, right 15) the axes of flexion, sideways, twist as rows.

    Positive flexion curls towards the palm.

    Args:
        joints: (55, 3) rest joints.
    """
    frames = []
    for side, (first, wrist) in HANDS.items():
        index, pinky = joints[first], joints[first + 6]
        normal = np.cross(index - joints[wrist], pinky - joints[wrist])
        palm = _unit(normal if side == "right" else -normal)
        across = _unit(pinky - index)
        for finger, name in enumerate(FINGERS):
            chain = [first + 3 * finger + i for i in range(3)]
            inward = palm if name != "thumb" else palm + across
            for i in range(3):
                near, far = (chain[i], chain[i + 1]) if i < 2 else (chain[1], chain[2])
                twist = _unit(joints[far] - joints[near])
                flexion = _unit(np.cross(twist, inward))
                frames.append(np.stack([flexion, np.cross(twist, flexion), twist]))
    return np.stack(frames)


def angle_table(field: str) -> np.ndarray:
    """Return (30, 3) of one field of :class:`HingeAngle` for every finger joint."""
    rows = []
    for _side in HANDS:
        for name in FINGERS:
            for joint in THUMB_ANGLES if name == "thumb" else FINGER_ANGLES:
                rows.append([getattr(angle, field) for angle in joint])
    return np.array(rows)
