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

#: Metres between the camera and what is nearest to it, at least.
NEAREST = 0.3

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
    middle = (low + high) / 2
    shown = np.concatenate([shown, [[middle[0], high[1], middle[2]]]])
    # Each point needs a distance of its own to lie within the margin; the largest is right for all.
    free = (1 - 2 * MARGIN) / 2 * np.array([width, height])
    needed = focal * np.abs(shown[:, :2] - middle[:2]) / free - (high[2] - shown[:, 2:])
    distance = max(float(needed.max()), NEAREST)
    shift = np.array([middle[0], middle[1], high[2] + distance])
    camera = Camera.facing(width, height, focal)
    return replace(turned, transl=(turned.transl - shift).astype(np.float32), camera=camera)
