"""Signing-like motions of the puppet, and what a detector would see of them."""

from __future__ import annotations

import numpy as np

from diffsign.fit.hinges import hinge_frames
from diffsign.fit.points import PointModel
from diffsign.geometry.alignment import align
from diffsign.geometry.camera import Camera
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.records.keypoints import Keypoints
from diffsign.records.motion import Motion

SIZE, FOCAL = 512, 660.0


def wave(rng: np.random.Generator, frames: int, count: int, scale: float) -> np.ndarray:
    """Return (frames, count) smooth movement about zero."""
    a, b, c = rng.standard_normal((3, count)) * scale
    t = np.linspace(0, 0.15 * frames, frames)[:, None]
    return a * np.sin(t) + b * np.cos(t) + 0.5 * c * np.sin(2 * t)


def phrase(model: PointModel, frames: int = 6, seed: int = 0) -> Motion:
    """Return a motion: arms bent before the body, fingers flexing, face moving."""
    rng = np.random.default_rng(seed)
    pose = np.zeros((frames, 55, 3))
    pose[:, 16], pose[:, 17] = [0, -0.3, -1.0], [0, 0.3, 1.0]
    pose[:, 18], pose[:, 19] = [0, -1.3, 0], [0, 1.3, 0]
    pose[:, 16:22] += wave(rng, frames, 18, 0.15).reshape(frames, 6, 3)
    pose[:, 12] += wave(rng, frames, 3, 0.05)
    angles = np.zeros((frames, 30, 3))
    angles[..., 0] = np.clip(0.6 + wave(rng, frames, 30, 0.3), 0, 1.4)
    angles[:, 2::3, 0] = 0.65 * angles[:, 1::3, 0]
    angles[:, [12, 27], 0] = np.clip(angles[:, [12, 27], 0] - 0.5, -0.4, 0.4)  # a thumb's root bends little
    axes = hinge_frames(model.joint_rest)
    pose[:, 25:] = np.einsum("jab,tja->tjb", axes, angles)
    motion = Motion.rest(frames, Camera.facing(SIZE, SIZE, FOCAL), 24.0, model.n_betas, model.n_expression, "puppet")
    expression = wave(rng, frames, model.n_expression, 0.5)
    transl = np.array([0.02, -0.42, -1.6]) + wave(rng, frames, 3, 0.01)
    return motion.with_pose(pose, expression=expression.astype("f4"), transl=transl.astype("f4"))


def points(model: PointModel, motion: Motion) -> np.ndarray:
    """Return (T, 137, 3) the keypoints in the world."""
    rotations = rotvec_to_rotmat(motion.full_pose.astype(float))
    return model.pose(rotations, motion.transl.astype(float), motion.betas, motion.expression).points


def seen(model: PointModel, motion: Motion, world: bool = True) -> Keypoints:
    """Return exact keypoints of a motion, with 3D if ``world``."""
    solid = points(model, motion)
    sure = np.ones((len(solid), 137, 1))
    flat = np.concatenate([motion.camera.project(solid), sure], -1).astype(np.float32)
    deep = np.concatenate([motion.camera.to_camera(solid), sure], -1).astype(np.float32)
    return Keypoints(flat, motion.fps, SIZE, SIZE, world=deep if world else None, detector="exact")


def aligned_error(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean distance in mm after the best rotation and translation of each frame."""
    return float(1000 * np.linalg.norm(align(found, truth) - truth, axis=-1).mean())
