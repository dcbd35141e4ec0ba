"""Forward kinematics of SMPL-X's 55 joints in numpy, and the basis of each hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from diffsign.geometry.kinematics import forward
from diffsign.geometry.skeleton import JOINTS

SIDES = ("left", "right")
PELVIS, SPINE1, SPINE2, SPINE3, NECK, HEAD, JAW = (
    JOINTS.index(name) for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head", "jaw")
)
EYES = (JOINTS.index("left_eye_smplhf"), JOINTS.index("right_eye_smplhf"))
COLLAR, SHOULDER, ELBOW, WRIST = (
    {side: JOINTS.index(f"{side}_{name}") for side in SIDES} for name in ("collar", "shoulder", "elbow", "wrist")
)
#: First of the fifteen finger joints of each hand: index, middle, pinky, ring, thumb, three each.
FINGERS = {side: JOINTS.index(f"{side}_index1") for side in SIDES}


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (..., 3) to length one; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


@dataclass(frozen=True)
class RestingHand:
    """One hand at rest, in its own basis.

    Attributes:
        side: ``left`` or ``right``.
        basis: (3, 3), columns are the directions of the fingers, of the thumb's side and out of the palm, in the
            world's axes at rest.
        joints: (15, 3) metres, finger joints in the basis, from the wrist.
        tips: (5, 3) metres, finger tips in the basis, from the wrist; in the order of
            :data:`diffsign.geometry.skeleton.FINGERS`.
    """

    side: str
    basis: np.ndarray
    joints: np.ndarray
    tips: np.ndarray

    @cached_property
    def chains(self) -> np.ndarray:
        """(5, 4, 3) metres: three joints and the tip of each finger."""
        return np.concatenate([self.joints.reshape(5, 3, 3), self.tips[:, None]], axis=1)

    @property
    def size(self) -> float:
        """Metres from the wrist to the knuckle of the middle finger."""
        return float(np.linalg.norm(self.joints[3]))

    @property
    def thickness(self) -> float:
        """Radius of a finger in metres, as a share of the hand's size."""
        return 0.095 * self.size


@dataclass(frozen=True)
class Skeleton:
    """A person's joints in SMPL-X's rest pose (T-pose), facing +z with y up.

    Attributes:
        joints: (55, 3) metres.
        tips: (2, 5, 3) metres, finger tips of the left and the right hand, fingers in the order of SMPL-X.
    """

    joints: np.ndarray
    tips: np.ndarray

    def forward(self, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pose the skeleton.

        Args:
            rotations: (..., 55, 3, 3), each relative to its parent.

        Returns:
            Joint positions (..., 55, 3) in metres and orientations (..., 55, 3, 3), in the world.
        """
        orientations, positions = forward(rotations, self.joints)
        return positions, orientations

    def fingertips(self, positions: np.ndarray, orientations: np.ndarray) -> np.ndarray:
        """Return the finger tips (..., 2, 5, 3) in metres of a posed skeleton."""
        last = np.array([[FINGERS[side] + 3 * finger + 2 for finger in range(5)] for side in SIDES])
        bones = self.tips - self.joints[last]
        return positions[..., last, :] + np.einsum("...ij,...j->...i", orientations[..., last, :, :], bones)

    @cached_property
    def hands(self) -> dict[str, RestingHand]:
        """Both hands at rest."""
        return {side: self._hand(side, row) for row, side in enumerate(SIDES)}

    def _hand(self, side: str, row: int) -> RestingHand:
        wrist = self.joints[WRIST[side]]
        fingers = self.joints[FINGERS[side] : FINGERS[side] + 15] - wrist
        along = unit(fingers[3])
        across = fingers[0] - fingers[6]
        across = unit(across - along * (across @ along))
        palm = np.cross(along, across) if side == "left" else np.cross(across, along)
        basis = np.stack([along, across, palm], axis=1)
        return RestingHand(side, basis, fingers @ basis, (self.tips[row] - wrist) @ basis)
