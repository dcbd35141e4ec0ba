"""The axes of other worlds: ours has y up, others have z up or a camera's y down."""

from __future__ import annotations

import numpy as np

from diffsign.geometry.arrays import Floats
from diffsign.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat

#: Rotation that brings our world's y to z, as in AMASS and Blender; the signer then faces −y.
Y_UP_TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])


def rotate_world(global_orient: Floats, transl: Floats, pelvis: Floats, rotation: Floats) -> tuple[Floats, Floats]:
    """Rotate a body of SMPL-X about the world's origin.

    Args:
        global_orient: (T, 3) axis-angle of the pelvis, which turns the body about the resting pelvis.
        transl: (T, 3) metres, added to every vertex.
        pelvis: (3,) metres, where the pelvis rests.
        rotation: (3, 3) of the world.

    Returns:
        The orientation (T, 3) and translation (T, 3) of the rotated body.
    """
    rotated = rotmat_to_rotvec(rotation @ rotvec_to_rotmat(global_orient))
    return rotated, (pelvis + transl) @ rotation.T - pelvis
