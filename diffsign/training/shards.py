"""From a signer's motion to a shard of training frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from diffsign.avatar.appearance import random_appearance
from diffsign.avatar.face_paint import paint_face
from diffsign.avatar.outfit import SLEEVES, dress, rest_body
from diffsign.body.model import Body
from diffsign.config.appearance import Appearance
from diffsign.config.colour import parse_colour
from diffsign.geometry.camera import Camera
from diffsign.records.motion import POSE_JOINTS, Motion
from diffsign.training.gbuffer import FINE, LABEL, DressedSigner, GBuffer, make_gbuffer, palette

#: Label of the outfit's materials; skin and shirt are cut further by where they are on the body.
MATERIAL_LABEL = {
    "skin": "hand",
    "face": "hand",
    "mouth": "mouth",
    "pupil": "iris",
    "iris": "iris",
    "eye white": "eye",
    "shirt": "torso",
    "trousers": "trousers",
    "hair": "hair",
}
#: Colours that tell lips from brows and both from bare skin in a painted face.
CODES = {"skin": "#000000", "lips": "#ff0000", "brows": "#00ff00"}


def dressed(body: Body, betas: np.ndarray, appearance: Appearance, seed: int) -> DressedSigner:
    """Dress a body as the render stage does, and note what labelling needs to know."""
    rest = rest_body(body, betas=betas)
    outfit = dress(rest, appearance, seed)
    faces, labels, start = [], [], 0
    at_rest = outfit.positions(rest.vertices[None].astype(np.float32))
    for mesh, positions in zip(outfit.meshes, at_rest, strict=True):
        names = np.array([LABEL[MATERIAL_LABEL[material.name]] for material in mesh.materials], np.uint8)
        faces.append(mesh.faces + start)
        labels.append(names[mesh.face_material])
        start += positions.shape[1]
    shoulder, wrist = (float(rest.joint(f"left_{name}")[0]) for name in ("shoulder", "wrist"))
    codes, face = paint_face(rest.landmarks, appearance.model_copy(update=CODES), seed)
    paint = np.zeros(codes.shape[:2], np.uint8)
    paint[codes[..., 0] > 100] = LABEL["lips"]
    paint[codes[..., 1] > 90] = LABEL["brow"]
    texture, _ = paint_face(rest.landmarks, appearance, seed)
    return DressedSigner(
        outfit=outfit,
        faces=np.concatenate(faces),
        label=np.concatenate(labels),
        rest=np.concatenate([positions[0] for positions in at_rest]).astype(np.float64),
        shoulder=shoulder,
        hem=shoulder + SLEEVES["short"] * (wrist - shoulder),
        cuff=shoulder + SLEEVES["long"] * (wrist - shoulder),
        chin=float(rest.landmarks[8, 1]) - 0.01,
        waist=float(rest.joint("pelvis")[1]) - 0.10,
        paint=paint,
        texture=texture.astype(np.float32) / 255,
        face=face,
        colours=avatar_colours(appearance),
    )


def avatar_colours(appearance: Appearance) -> np.ndarray:
    """Return the colour of every label on an avatar, (14, 3) float32 in [0, 1]."""
    sources = {"shirt": "shirt", "skin": "skin", "hair": "hair", "iris": "iris", "trousers": "trousers"}
    colours = {name: np.array(parse_colour(getattr(appearance, field))) for name, field in sources.items()}
    colours["background"] = np.array(parse_colour(appearance.background))
    return palette(colours, "long")


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
class Shot:
    """A signer before a camera.

    Attributes:
        motion: the frames; the camera is 512×512.
        signer: the signer, dressed.
        rng: what :func:`diffsign.training.gbuffer.make_gbuffer` draws from.
    """

    motion: Motion
    signer: DressedSigner
    rng: np.random.Generator


def retarget(
    body: Body, rotvecs: np.ndarray, actions: np.ndarray, frames: int, seed: int, appearance: Appearance | None = None
) -> Shot:
    """Give a performance to another body, dress it, and put a camera before it.

    Args:
        body: the body file.
        rotvecs: (T, 55, 3) radians, a performance in SMPL-X's joints.
        actions: (T, 52) facial actions, the body's expression coefficients.
        frames: how many of the T are looked at; the first ones, when the hands are still down, are left out.
        seed: draws shape, frames, camera and the avatar's appearance: mostly the default, which is what is rendered at
            use, sometimes any other.
        appearance: of the avatar, instead of what ``seed`` draws.
    """
    rng = np.random.default_rng([seed, 1])
    betas = np.zeros(body.n_betas, np.float32)
    betas[:8] = rng.normal(0, 1, len(betas[:8])).clip(-2, 2)
    late = np.arange(min(6, len(rotvecs) - 1), len(rotvecs))
    picked = np.sort(rng.choice(late, min(frames, len(late)), replace=False))
    motion = Motion.rest(len(picked), Camera.facing(FINE, FINE, 800.0), 24.0, body.n_betas, body.n_expression)
    motion = replace(motion, betas=betas)
    rest = subset(motion, np.arange(1))
    vertices, joints = body.vertices(rest)[0], body.joints(rest)[0]
    camera = frame_camera(joints[:22], vertices[:, 1].max(), joints[0, 1], rng)
    motion = replace(
        motion.with_pose(rotvecs[picked]),
        camera=camera,
        expression=actions[picked, : body.n_expression].astype(np.float32),
    )
    chosen = Appearance() if rng.random() < 0.6 else random_appearance(seed)  # type: ignore[call-arg]
    return Shot(motion, dressed(body, betas, appearance or chosen, seed), rng)


def subset(motion: Motion, frames: np.ndarray) -> Motion:
    """Return some frames of a motion."""
    cut = {name: getattr(motion, name)[frames] for name in (*POSE_JOINTS, "expression", "transl", "residual", "valid")}
    return replace(motion, **cut)


def make_shard(body: Body, shot: Shot, skeletons: Iterable[np.ndarray]) -> list[GBuffer]:
    """Look at every frame of a shot; ``skeletons`` are its (512, 512, 3) uint8 pose pictures."""
    vertices = body.vertices(shot.motion)
    return [
        make_gbuffer(shot.signer, mesh, shot.motion.camera, skeleton, shot.rng)
        for mesh, skeleton in zip(vertices, skeletons, strict=True)
    ]
