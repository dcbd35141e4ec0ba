"""Render the fitted signer as a dressed avatar that lines up with the source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.avatar.background import load_background
from diffsign.avatar.blender import render_clips
from diffsign.avatar.outfit import dress, rest_body
from diffsign.avatar.passes import PASSES
from diffsign.avatar.scene import Scene
from diffsign.body.model import Body, load_body
from diffsign.config.render import RenderSettings
from diffsign.records.motion import Motion, load_motion


@dataclass(frozen=True)
class Inputs:
    """What is read: a motion, and the body file that it belongs to."""

    motion: Path
    body: Path


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        folder: gets ``{color,depth,normal,mask}.mkv`` and ``color.mp4``.
        blend: the scene for Blender; with ``keep_scene`` by default ``folder/scene.blend``.
    """

    folder: Path
    blend: Path | None = None


def run(inputs: Inputs, outputs: Outputs, settings: RenderSettings, *, threads: int = 1) -> str:
    """Render the avatar before the camera of its motion; return the line that the command prints.

    Raises:
        DiffSignError: if a file is missing or the motion belongs to another body, if the background is no colour or
            picture, or if Blender is missing or fails.
    """
    motion = load_motion(inputs.motion)
    scene = avatar_scene(motion, load_body(inputs.body), settings)
    blend = outputs.blend or (outputs.folder / "scene.blend" if settings.keep_scene else None)
    paths = render_clips(scene, outputs.folder, PASSES, settings, threads=threads, blend=blend)
    return f"{len(motion)} frames of {', '.join(paths)} in '{outputs.folder}'"


def avatar_scene(motion: Motion, body: Body, settings: RenderSettings) -> Scene:
    """Return the dressed body in motion before the motion's own camera.

    Vertices are computed a few frames at a time, when the scene is asked for them.

    Raises:
        DiffSignError: if the motion belongs to another body file, or the background is no colour or picture.
    """
    motion.require_body(body.sha256)
    outfit = dress(rest_body(body, betas=motion.betas), settings)

    def positions(start: int, stop: int) -> list[np.ndarray]:
        return outfit.positions(body.vertices(motion.rows(slice(start, stop))))

    return Scene(
        meshes=outfit.meshes,
        positions=positions,
        frames=len(motion),
        camera=motion.camera,
        fps=motion.fps,
        background=load_background(settings.background, motion.camera.width, motion.camera.height),
    )
