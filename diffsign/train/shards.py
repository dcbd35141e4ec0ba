"""From a signer's motion to a shard of training frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from diffsign.core.body import Body
from diffsign.core.camera import Camera
from diffsign.core.motion import POSE_JOINTS, Motion
from diffsign.core.skeleton import JOINTS
from diffsign.train.attributes import Look
from diffsign.train.passes import FINE, LABEL, Figure, Passes, make_passes, palette_of

#: Region of the body file to label, before sleeves and neckline are cut.
REGION_LABEL = {
    "head": "face",
    "neck": "neck",
    "torso": "torso",
    "upper_arm": "sleeve",
    "forearm": "arm",
    "hand": "hand",
    "scalp": "hair",
    "brow": "brow",
    "eye": "eye",
    "lips": "lips",
    "mouth": "mouth",
    "hips": "trousers",
    "leg": "trousers",
    "foot": "trousers",
}


def figure_of(body: Body, motion: Motion) -> Figure:
    """Return what labelling needs to know about the signer of ``motion``."""
    rest = Motion.rest(1, motion.camera, motion.fps, len(motion.betas), motion.expression.shape[1], motion.body)
    rest = replace(rest, betas=motion.betas)
    vertices = body.vertices(rest)[0].astype(np.float64)
    joints = body.joints(rest)[0].astype(np.float64)
    at = {name: joints[JOINTS.index(name)] for name in JOINTS}
    label = np.array([LABEL[REGION_LABEL[region]] for region in body.face_regions], np.uint8)
    return Figure(
        faces=body.faces,
        label=label,
        rest=vertices,
        hair=_hair(body.faces, label == LABEL["hair"], len(vertices)),
        wrist=float(abs(at["left_wrist"][0])),
        elbow=float(abs(at["left_elbow"][0])),
        shoulder=float(abs(at["left_shoulder"][0])),
        collar=float(at["neck"][1] + 0.01),
        eyes=np.stack([at["left_eye_smplhf"], at["right_eye_smplhf"]]),
    )


def _hair(faces: np.ndarray, hairy: np.ndarray, vertices: int) -> np.ndarray:
    """Return how much hair stands on each vertex: full on the scalp, nothing at its edge."""
    amount = np.zeros(vertices)
    amount[faces[hairy]] = 1.0
    bald = np.zeros(vertices, bool)
    bald[faces[~hairy]] = True
    amount[bald] = 0.0
    for _ in range(6):
        total = np.zeros(vertices)
        count = np.zeros(vertices)
        for corner in range(3):
            np.add.at(total, faces[:, corner], amount[faces].mean(axis=1))
            np.add.at(count, faces[:, corner], 1)
        amount = np.where(bald, 0.0, total / np.maximum(count, 1))
    return amount / max(amount.max(), 1e-9)


def frame_camera(points: np.ndarray, top: float, bottom: float, rng: np.random.Generator) -> Camera:
    """Draw a camera that sees a signer from the waist up, as signing is filmed.

    Args:
        points: (N, 3) world, metres, the upper body.
        top: y of the crown.
        bottom: y of the hips.
        rng: draws distance, framing and small turns.
    """
    height = (top - bottom) * rng.uniform(1.05, 1.45)
    focal = FINE * rng.uniform(1.2, 2.8)
    distance = focal * height / FINE
    middle = np.array([points[:, 0].mean(), 0.0, points[:, 2].mean()])
    middle[1] = top + height * rng.uniform(0.03, 0.14) - height / 2
    middle[0] += rng.normal(0, 0.03)
    yaw, pitch, roll = np.radians([rng.normal(0, 9), rng.normal(0, 5), rng.normal(0, 1.5)])
    turn_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turn_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    facing = Camera.facing(FINE, FINE, focal)
    R = turn_z @ facing.R @ (turn_y @ turn_x).T
    return replace(facing, R=R, t=np.array([0.0, 0.0, distance]) - R @ middle)


@dataclass(frozen=True)
class Scene:
    """A signer before a camera.

    Attributes:
        motion: the frames; the camera is 512×512.
        avatar: (14, 3) the colours in which edges are found.
        rng: what :func:`diffsign.train.passes.make_passes` draws from.
    """

    motion: Motion
    avatar: np.ndarray
    rng: np.random.Generator


def cast(body: Body, rotvecs: np.ndarray, actions: np.ndarray, frames: int, seed: int) -> Scene:
    """Give a performance to another body, and put a camera before it.

    Args:
        body: the body file.
        rotvecs: (T, 55, 3) radians, a performance in SMPL-X's joints.
        actions: (T, 52) facial actions, the body's expression coefficients.
        frames: how many of the T are looked at; the first half second, when the hands are still down, is left out.
        seed: draws shape, frames, camera and the avatar's colours. Half of the avatars wear the default look.
    """
    rng = np.random.default_rng([seed, 1])
    betas = np.zeros(body.n_betas, np.float32)
    betas[:8] = rng.normal(0, 1, 8).clip(-2, 2)
    late = np.arange(min(6, len(rotvecs) - 1), len(rotvecs))
    picked = np.sort(rng.choice(late, min(frames, len(late)), replace=False))
    camera = Camera.facing(FINE, FINE, 800.0)
    motion = Motion.rest(len(picked), camera, 24.0, body.n_betas, body.n_expression)
    motion = replace(motion, betas=betas)
    rest = subset(motion, np.arange(1))
    vertices, joints = body.vertices(rest)[0], body.joints(rest)[0]
    camera = frame_camera(joints[:22], vertices[:, 1].max(), joints[0, 1], rng)
    motion = replace(
        motion.with_pose(rotvecs[picked]),
        camera=camera,
        expression=actions[picked, : body.n_expression].astype(np.float32),
    )
    look = Look("blue", "tan", "brown", "long", "grey") if rng.random() < 0.5 else Look.random(rng)
    return Scene(motion, palette_of(look, rng), rng)


def subset(motion: Motion, frames: np.ndarray) -> Motion:
    """Return some frames of a motion."""
    cut = {name: getattr(motion, name)[frames] for name in (*POSE_JOINTS, "expression", "transl", "residual", "valid")}
    return replace(motion, **cut)


def make_shard(body: Body, scene: Scene, skeletons: Iterable[np.ndarray]) -> list[Passes]:
    """Look at every frame of a scene; ``skeletons`` are its (512, 512, 3) uint8 pose pictures."""
    motion = scene.motion
    figure = figure_of(body, motion)
    vertices = body.vertices(motion)
    return [
        make_passes(figure, mesh.astype(np.float64), motion.camera, skeleton, scene.avatar, scene.rng)
        for mesh, skeleton in zip(vertices, skeletons, strict=True)
    ]
