"""The command ``smooth``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.smooth import SmoothSettings


@app.command()
@with_settings(SmoothSettings)
def smooth(
    motion: Annotated[Path, typer.Argument(help="Fitted motion (.npz).")],
    out: Annotated[Path, typer.Argument(help="Motion to write (.npz).")],
    *,
    body: Annotated[Path, typer.Option(help="SMPL-X body file (.npz) that the motion was fitted with.")],
    settings: SmoothSettings,
) -> None:
    """Filter a motion in time, on rotations; flag and interpolate frames that fit badly."""
    from diffsign.smooth.stage import Inputs, Outputs, run

    typer.echo(run(Inputs(motion, body), Outputs(out), settings))
