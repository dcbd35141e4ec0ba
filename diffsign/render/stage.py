"""Render the fitted signer as an avatar that lines up with the source, and lay the two over each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffsign.avatar.background import load_background
from diffsign.avatar.blender import PASSES, render_clips
from diffsign.avatar.outfit import dress, rest_body
from diffsign.avatar.scene import Scene
from diffsign.body.model import Body
from diffsign.config.render import RenderSettings
from diffsign.errors import DiffSignError
from diffsign.progress import track
from diffsign.records.clip import ClipWriter, iter_clip, probe_clip
from diffsign.records.motion import Motion

#: How much of the avatar is seen in an overlay.
OPACITY = 0.6


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


def render_avatar(
    motion: Motion,
    body: Body,
    folder: str | Path,
    settings: RenderSettings,
    *,
    threads: int = 1,
    blend: str | Path | None = None,
) -> dict[str, Path]:
    """Render a motion into ``folder/{color,depth,normal,mask}.mkv`` and ``color.mp4``; return the clips' paths."""
    scene = avatar_scene(motion, body, settings)
    return render_clips(scene, folder, PASSES, settings, threads=threads, blend=Path(blend) if blend else None)


def overlay(clip: str | Path, color: str | Path, mask: str | Path, out: str | Path) -> int:
    """Write source and source under a half transparent avatar side by side; return the number of frames.

    Raises:
        DiffSignError: if the clips differ in size or length, or cannot be read.
    """
    paths = {"clip": clip, "color": color, "mask": mask}
    infos = {name: probe_clip(path) for name, path in paths.items()}
    source = infos["clip"]
    for name, info in infos.items():
        if (info.width, info.height) != (source.width, source.height):
            raise DiffSignError(
                f"'{paths[name]}' is {info.width}x{info.height}, but the clip '{clip}' is "
                f"{source.width}x{source.height}; render the motion of this clip."
            )
    streams = [iter_clip(path) for path in paths.values()]
    with ClipWriter(out, 2 * source.width, source.height, source.fps) as writer:
        for frame in track(streams[0], "overlaying", total=source.frames):
            avatar, cover = (next(stream, None) for stream in streams[1:])
            if avatar is None or cover is None:
                raise DiffSignError(
                    f"'{color}' ends after {writer.frames} frames, before the clip '{clip}'; "
                    "render the motion of this clip."
                )
            share = OPACITY * cover.astype(np.float32) / 255
            mixed = frame + share * (avatar.astype(np.float32) - frame)
            writer.write(np.hstack([frame, np.rint(mixed).astype(np.uint8)]))
        if next(streams[1], None) is not None:
            raise DiffSignError(
                f"'{color}' goes on after the {writer.frames} frames of the clip '{clip}'; "
                "render the motion of this clip."
            )
    return writer.frames
