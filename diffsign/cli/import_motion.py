"""The command import-motion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.import_motion import ImportMotionSettings


@app.command("import-motion")
@with_settings(ImportMotionSettings)
def import_motion(
    source: Annotated[
        Path,
        typer.Argument(help="SMPL-X parameters of another tool: an .npz, or a folder with one for every frame."),
    ],
    motion: Annotated[Path, typer.Argument(help="Motion to write (.npz).")],
    *,
    body: Annotated[Path, typer.Option("--body", help="SMPL-X body file (.npz) to pose.")],
    keypoints: Annotated[
        Path | None, typer.Option("--keypoints", help="Also write what the camera sees of it as keypoints (.npz).")
    ] = None,
    settings: ImportMotionSettings,
) -> None:
    """Take SMPL-X parameters of another tool (AMASS-like, SMPLer-X-like) as a motion."""
    from diffsign.import_motion.stage import Inputs, Outputs, run

    typer.echo(run(Inputs(source, body), Outputs(motion, keypoints), settings))
