"""A motion as AMASS lays out SMPL-X (Mahmood et al., "AMASS", ICCV 2019): one ``.npz``, z up."""

from __future__ import annotations

import numpy as np

from diffsign.body.model import Body
from diffsign.geometry.world import Y_UP_TO_Z_UP, rotate_world
from diffsign.records.motion import Motion


def amass_arrays(motion: Motion, body: Body) -> dict[str, np.ndarray]:
    """Return the arrays of the file.

    Args:
        motion: T frames.
        body: the body that its parameters belong to.

    Returns:
        ``poses`` (T, 165) axis-angle of the 55 joints, hands relative to the flat hand, and the same in parts
        (``root_orient``, ``pose_body``, ``pose_jaw``, ``pose_eye``, ``pose_hand``); ``trans`` (T, 3) metres;
        ``betas``; ``expression``; the frame rate under both of AMASS's names. Beside AMASS's, ``body_sha256`` names the
        body file whose shape space ``betas`` and ``expression`` are of, and ``K``, ``R``, ``t`` and ``image_size`` are
        the camera in the same world.
    """
    pelvis = body.rest_joints(motion.betas)[0]
    root, transl = rotate_world(motion.global_orient[:, 0], motion.transl, pelvis, Y_UP_TO_Z_UP)
    parts = {
        "root_orient": root.astype(np.float32),
        "pose_body": motion.body_pose.reshape(-1, 63),
        "pose_jaw": motion.jaw_pose.reshape(-1, 3),
        "pose_eye": np.concatenate([motion.leye_pose, motion.reye_pose], axis=1).reshape(-1, 6),
        "pose_hand": np.concatenate([motion.left_hand_pose, motion.right_hand_pose], axis=1).reshape(-1, 90),
    }
    camera = motion.camera
    return {
        "surface_model_type": np.array("smplx"),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(motion.fps),
        "mocap_frame_rate": np.array(motion.fps),
        "mocap_time_length": np.array(len(motion) / motion.fps),
        "poses": np.concatenate(list(parts.values()), axis=1),
        **parts,
        "trans": transl.astype(np.float32),
        "betas": motion.betas,
        "num_betas": np.array(len(motion.betas)),
        "expression": motion.expression,
        "body_sha256": np.array(body.sha256),
        "K": camera.K,
        "R": camera.R @ Y_UP_TO_Z_UP.T,
        "t": camera.t,
        "image_size": np.array([camera.width, camera.height]),
    }
