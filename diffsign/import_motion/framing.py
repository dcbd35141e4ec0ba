"""A camera for a motion that has none: before the signer, from head to waist with all that the hands reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diffsign.body.model import Body
from diffsign.geometry.camera import Camera
from diffsign.geometry.world import rotate_world
from diffsign.records.keypoints import BODY_NAMES, FACE, LEFT_HAND, RIGHT_HAND
from diffsign.records.motion import Motion

#: Focal length in heights of the picture: a lens as for portraits.
FOCAL = 2.0
#: Free space around the signer, as a share of the picture.
MARGIN = 0.08
#: Metres of hair above the highest point of the face (its brows).
CROWN = 0.16

TRUNK = [BODY_NAMES.index(name) for name in ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "mid_hip")]
SHOULDERS = [BODY_NAMES.index("left_shoulder"), BODY_NAMES.index("right_shoulder")]


def framed(motion: Motion, body: Body, width: int, height: int, *, turn: bool = True) -> Motion:
    """Return the motion before a camera at the world's origin that sees the signer from the front.

    Args:
        motion: T frames, y up.
        body: the body that its parameters belong to.
        width: of the picture in pixels.
        height: of the picture in pixels.
        turn: turn the signer so that the shoulders, on average, face the camera; otherwise as in the motion.
    """
    pelvis = body.rest_joints(motion.betas)[0]
    root, transl = motion.global_orient[:, 0], motion.transl
    if turn:
        across = np.diff(body.keypoints(motion)[:, SHOULDERS], axis=1)[:, 0].mean(axis=0)  # from left to right
        # Left lies at +x of a signer who faces +z, towards the camera.
        yaw = -np.arctan2(across[2], -across[0])
        cosine, sine = np.cos(yaw), np.sin(yaw)
        rotation = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
        root, transl = rotate_world(root, transl, pelvis, rotation)
    turned = motion.with_pose(
        np.concatenate([root[:, None], motion.full_pose[:, 1:]], axis=1), transl=transl.astype(np.float32)
    )
    points = body.keypoints(turned)
    shown = np.concatenate([points[:, part] for part in (TRUNK, LEFT_HAND, RIGHT_HAND, FACE)], axis=1).reshape(-1, 3)
    low, high = shown.min(axis=0), shown.max(axis=0)
    high[1] += CROWN
    focal = FOCAL * height
    distance = focal * max((high[0] - low[0]) / width, (high[1] - low[1]) / height) / (1 - 2 * MARGIN)
    middle = (low + high) / 2
    # What is nearest must fit too, so that the distance is to it.
    shift = np.array([middle[0], middle[1], high[2] + distance])
    camera = Camera.facing(width, height, focal)
    return replace(turned, transl=(turned.transl - shift).astype(np.float32), camera=camera)
