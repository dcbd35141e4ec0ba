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
    blend: Annotated[
        Path | None, typer.Option("--blend", help="Also save the scene under this name (.blend), to open in Blender.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, max=256, help="Threads that Blender may use.")] = 2,
    settings: RenderSettings,
) -> None:
    """Render a dressed avatar with Blender, seen by the camera of the motion."""
    from diffsign.render.render import Inputs, Outputs, run

    typer.echo(run(Inputs(motion, body), Outputs(folder, blend), settings, threads=threads))


@app.command()
def overlay(
    clip: Annotated[Path, typer.Argument(help="Source clip (.mkv).")],
    color: Annotated[Path, typer.Argument(help="Colour pass of its avatar (.mkv).")],
    mask: Annotated[Path, typer.Argument(help="Mask pass of its avatar (.mkv).")],
    out: Annotated[Path, typer.Argument(help="Video to write (.mp4), to look at.")],
) -> None:
    """Show the source, and beside it the source under a half transparent avatar."""
    from diffsign.render.overlay import Inputs, Outputs, run

    typer.echo(run(Inputs(clip, color, mask), Outputs(out)))
