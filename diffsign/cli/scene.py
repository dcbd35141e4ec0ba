"""Commands on pictures of the avatar: render, overlay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.render import RenderSettings


@app.command()
@with_settings(RenderSettings)
def render(
    motion: Annotated[Path, typer.Argument(help="Motion to render (.npz).")],
    folder: Annotated[Path, typer.Argument(help="Folder for color.mkv, depth.mkv, normal.mkv, mask.mkv, color.mp4.")],
    *,
    body: Annotated[Path, typer.Option("--body", help="SMPL-X body file (.npz) that the motion belongs to.")],
    blend: Annotated[Path | None, typer.Option("--blend", help="Also save the scene, to open in Blender.")] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, max=256, help="Threads that Blender may use.")] = 2,
    settings: RenderSettings,
) -> None:
    """Render a dressed avatar with Blender, seen by the camera of the motion."""
    from diffsign.body.model import load_body
    from diffsign.records.motion import load_motion
    from diffsign.render.stage import render_avatar

    loaded = load_motion(motion)
    paths = render_avatar(loaded, load_body(body), folder, settings, threads=threads, blend=blend)
    typer.echo(f"{len(loaded)} frames of {', '.join(paths)} in '{folder}'")


@app.command()
def overlay(
    clip: Annotated[Path, typer.Argument(help="Source clip (.mkv).")],
    color: Annotated[Path, typer.Argument(help="Colour pass of its avatar (.mkv).")],
    mask: Annotated[Path, typer.Argument(help="Mask pass of its avatar (.mkv).")],
    out: Annotated[Path, typer.Argument(help="Video to write (.mp4), to look at.")],
) -> None:
    """Show the source, and beside it the source under a half transparent avatar."""
    from diffsign.render.stage import overlay as write_overlay

    frames = write_overlay(clip, color, mask, out)
    typer.echo(f"{frames} frames in '{out}'")
