"""What tools call SMPL-X parameters, and what is none of them."""

from __future__ import annotations

import numpy as np

from diffsign.errors import DiffSignError

#: The names of the ``smplx`` package, with those that other tools give the same parameter.
NAMES = {
    "global_orient": ("root_orient", "root_pose", "smplx_root_pose"),
    "body_pose": ("pose_body", "smplx_body_pose"),
    "left_hand_pose": ("lhand_pose", "smplx_lhand_pose"),
    "right_hand_pose": ("rhand_pose", "smplx_rhand_pose"),
    "jaw_pose": ("pose_jaw", "smplx_jaw_pose"),
    "leye_pose": (),
    "reye_pose": (),
    "transl": ("trans", "cam_trans", "translation"),
    "betas": ("smplx_shape", "shape"),
    "expression": ("smplx_expr", "expr", "face_expr"),
    "fps": ("mocap_framerate", "mocap_frame_rate", "frame_rate"),
}
#: Parameters that are rotations of joints.
ROTATIONS = tuple(name for name in NAMES if name.endswith(("pose", "orient")))
#: AMASS's arrays, whose hands are relative to the flat hand.
AMASS = ("poses", "pose_body", "root_orient")

#: Arrays of MHR, the body that SAM 3D Body fits.
MHR = ("mhr_model_params", "lbs_model_params", "pred_global_rots", "body_pose_params", "shape_params")
#: Numbers of a frame in ``poses``: SMPL-X, SMPL-H (no jaw, no eyes).
POSES = {165: "SMPL-X", 156: "SMPL-H"}
#: Motion-X's table: 322 numbers a frame.
MOTION_X = {
    "root_orient": (0, 3),
    "pose_body": (3, 66),
    "pose_hand": (66, 156),
    "pose_jaw": (156, 159),
    "trans": (309, 312),
    "betas": (312, 322),
}


def known_as(arrays: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file under the names of the ``smplx`` package, its whole poses taken apart.

    Raises:
        DiffSignError: if they are no SMPL-X parameters: of MHR, without hands, or of another kind.
    """
    if "body_pose" not in arrays and any(name in arrays for name in MHR):
        raise DiffSignError(
            f"'{where}' holds parameters of MHR, the body of SAM 3D Body, and not of SMPL-X. Convert them with Meta's "
            "MHR repository (tools/mhr_smpl_conversion): result = Conversion(…).convert_sam3d_output_to_smpl(outputs); "
            "numpy.savez('motion.npz', fps=FPS_OF_THE_VIDEO, "
            "**{name: value.cpu().numpy() for name, value in result.result_parameters.items()})."
        )
    found = _apart(arrays, where)
    for name, others in NAMES.items():
        other = next((other for other in others if other in found), None)
        if name not in found and other is not None:
            found[name] = found[other]
    if "body_pose" not in found:
        raise DiffSignError(
            f"'{where}' has the arrays {', '.join(sorted(arrays)[:8]) or 'none'}; AMASS's (poses, trans, betas) or "
            "SMPL-X's (global_orient, body_pose, left_hand_pose, right_hand_pose, …) were expected."
        )
    return found


def _apart(arrays: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Take apart the arrays that hold several parameters."""
    found = dict(arrays)
    poses = next((arrays[name] for name in ("poses", "fullpose") if name in arrays), None)
    if poses is not None and "pose_body" not in arrays and "body_pose" not in arrays:
        table = np.atleast_2d(poses.reshape(len(poses), -1) if poses.ndim > 2 else poses)
        if table.ndim != 2 or table.shape[1] not in POSES:
            kinds = " or ".join(f"{count} ({kind})" for count, kind in POSES.items())
            raise DiffSignError(
                f"'poses' of '{where}' has the shape {poses.shape}; {kinds} numbers a frame were expected. A signer "
                "needs hands, which SMPL's 72 do not have."
            )
        found["root_orient"], found["pose_body"], rest = table[:, :3], table[:, 3:66], table[:, 66:]
        if table.shape[1] == 165:
            found["pose_jaw"], found["pose_eye"], rest = rest[:, :3], rest[:, 3:9], rest[:, 9:]
        found["pose_hand"] = rest
    for name, first, second in (
        ("pose_hand", "left_hand_pose", "right_hand_pose"),
        ("pose_eye", "leye_pose", "reye_pose"),
    ):
        if name in found and first not in found:
            values = np.asarray(found[name])
            table = values.reshape(-1, 90 if name == "pose_hand" else 6)
            found[first], found[second] = np.split(table, 2, axis=1)
    return found
