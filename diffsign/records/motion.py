"""A clip's motion: SMPL-X parameters for every frame, one shape, one camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.records.archive import Array, load_archive, save_archive

FORMAT, VERSION = "diffsign-motion", 3

#: Parts of a signer, in the order of ``Motion.seen``.
BODY_PARTS = ("body", "left_hand", "right_hand", "face")

#: Pose parameters in the order of SMPL-X's 55 joints, with the joints each holds.
POSE_JOINTS = {
    "global_orient": 1,
    "body_pose": 21,
    "jaw_pose": 1,
    "leye_pose": 1,
    "reye_pose": 1,
    "left_hand_pose": 15,
    "right_hand_pose": 15,
}


#: Fields of a motion that have one row a frame.
PER_FRAME = (*POSE_JOINTS, "expression", "transl", "residual", "valid", "seen", "starts")


#: What a file of motion holds: T frames, E expressions, B betas. Files of version 1 lack ``seen`` and ``starts``.
SCHEMA = {
    **{name: Array(("T", joints, 3)) for name, joints in POSE_JOINTS.items()},
    "expression": Array(("T", "E")),
    "betas": Array(("B",)),
    "transl": Array(("T", 3)),
    "K": Array((3, 3)),
    "R": Array((3, 3)),
    "t": Array((3,)),
    "image_size": Array((2,), "whole", positive=True),
    "fps": Array((), "number", positive=True),
    "residual": Array(("T",), finite=False),
    "valid": Array(("T",), "yes or no"),
    "seen": Array(("T", len(BODY_PARTS)), "yes or no", required=False),
    "starts": Array(("T",), "yes or no", required=False),
    "body": Array((), "text"),
}


@dataclass(frozen=True)
class Motion:
    """SMPL-X parameters of a clip. Rotations are axis-angle in radians, relative to the parent joint.

    Attributes:
        global_orient: (T, 1, 3) float32, the pelvis in the world.
        body_pose: (T, 21, 3) float32.
        jaw_pose: (T, 1, 3) float32.
        leye_pose: (T, 1, 3) float32.
        reye_pose: (T, 1, 3) float32.
        left_hand_pose: (T, 15, 3) float32, all joints (no PCA), relative to the flat hand.
        right_hand_pose: (T, 15, 3) float32.
        expression: (T, E) float32, coefficients of the body file's expression directions.
        betas: (B,) float32, one shape for the clip.
        transl: (T, 3) float32, metres, added to every vertex in the world.
        camera: the clip's camera.
        fps: frames per second.
        residual: (T,) float32, robust mean re-projection error of the frame in pixels.
        valid: (T,) bool, False where the frame's fit is not to be trusted (and was interpolated by smoothing).
        seen: (T, 4) bool, whether body, left hand, right hand and face (:data:`BODY_PARTS`) were seen in the frame; a
            part that was not is interpolated from the frames around it, or at rest.
        starts: (T,) bool, True where a shot begins: at the first frame and after each cut.
        body: SHA-256 of the body file that the parameters belong to.
    """

    global_orient: NDArray[Any]
    body_pose: NDArray[Any]
    jaw_pose: NDArray[Any]
    leye_pose: NDArray[Any]
    reye_pose: NDArray[Any]
    left_hand_pose: NDArray[Any]
    right_hand_pose: NDArray[Any]
    expression: NDArray[Any]
    betas: NDArray[Any]
    transl: NDArray[Any]
    camera: Camera
    fps: float
    residual: NDArray[Any]
    valid: NDArray[Any]
    seen: NDArray[Any]
    starts: NDArray[Any]
    body: str = ""

    def __len__(self) -> int:
        return len(self.transl)

    @property
    def full_pose(self) -> NDArray[Any]:
        """(T, 55, 3) all rotations in the order of SMPL-X's joints."""
        return np.concatenate([getattr(self, name) for name in POSE_JOINTS], axis=1)

    def with_pose(self, full_pose: NDArray[Any], **changes: object) -> Motion:
        """Return a copy with the rotations of ``full_pose`` (T, 55, 3), and other fields as given."""
        bounds = np.cumsum([0, *POSE_JOINTS.values()])
        parts = {
            name: full_pose[:, start:stop].astype(np.float32)
            for name, start, stop in zip(POSE_JOINTS, bounds, bounds[1:], strict=False)
        }
        return replace(self, **parts, **changes)  # type: ignore[arg-type]

    def rows(self, frames: slice | Sequence[int]) -> Motion:
        """Return the motion of those frames alone, in that order."""
        return replace(self, **{name: getattr(self, name)[frames] for name in PER_FRAME})

    def require_body(self, sha256: str) -> None:
        """Raise :class:`DiffSignError` if the motion was fitted with another body file than that of ``sha256``."""
        if self.body and self.body != sha256:
            raise DiffSignError(
                f"the motion was fitted with another body file (SHA-256 {self.body[:12]}…, not {sha256[:12]}…); "
                "give the file it was fitted with, or fit again."
            )

    @classmethod
    def rest(cls, frames: int, camera: Camera, fps: float, betas: int, expressions: int, body: str = "") -> Motion:
        """Return ``frames`` frames of the rest pose with the mean shape at the world's origin."""
        pose = {name: np.zeros((frames, joints, 3), np.float32) for name, joints in POSE_JOINTS.items()}
        return cls(
            **pose,
            expression=np.zeros((frames, expressions), np.float32),
            betas=np.zeros(betas, np.float32),
            transl=np.zeros((frames, 3), np.float32),
            camera=camera,
            fps=fps,
            residual=np.zeros(frames, np.float32),
            valid=np.ones(frames, bool),
            seen=np.ones((frames, len(BODY_PARTS)), bool),
            starts=np.arange(frames) == 0,
            body=body,
        )


def _check_camera(arrays: Mapping[str, NDArray[Any]], where: str) -> None:
    """Raise an error if the camera has no focal length or its rotation is none."""
    K, R = np.asarray(arrays["K"], float), np.asarray(arrays["R"], float)
    if K[0, 0] <= 0 or K[1, 1] <= 0 or np.abs(R @ R.T - np.eye(3)).max() > 1e-3:
        raise DiffSignError(f"{where}: the camera's K or R is no camera's; fit the motion again.")


def save_motion(path: str | Path, motion: Motion) -> None:
    """Write a motion to ``.npz`` (format ``diffsign-motion``)."""
    arrays = {f.name: np.asarray(getattr(motion, f.name)) for f in fields(motion) if f.name != "camera"}
    save_archive(path, FORMAT, VERSION, arrays | motion.camera.arrays(), SCHEMA)


def load_motion(path: str | Path) -> Motion:
    """Read a motion written by :func:`save_motion`; raises :class:`DiffSignError` on any other file.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "motion.npz"
    >>> camera = Camera.facing(width=512, height=512, focal=800.0)
    >>> save_motion(path, Motion.rest(frames=24, camera=camera, fps=24.0, betas=10, expressions=10))
    >>> motion = load_motion(path)
    >>> len(motion), motion.full_pose.shape, motion.left_hand_pose.shape
    (24, (24, 55, 3), (24, 15, 3))
    """
    arrays = load_archive(path, FORMAT, VERSION, SCHEMA)
    _check_camera(arrays, f"motion '{path}'")
    camera = Camera.from_arrays(arrays)
    frames = len(arrays["transl"])
    # Files of version 1 do not say what was seen, and were one shot.
    arrays.setdefault("seen", np.ones((frames, len(BODY_PARTS)), bool))
    arrays.setdefault("starts", np.arange(frames) == 0)
    return Motion(camera=camera, fps=float(arrays.pop("fps")), body=str(arrays.pop("body")), **arrays)
