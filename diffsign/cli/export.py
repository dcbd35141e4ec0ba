"""Commands that write results for other tools: export motion, export keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.cli.renamed import Commands
from diffsign.config.export import ExportMotionSettings

export_app = Commands(no_args_is_help=True, help="Write motions and keypoints for other tools.")
app.add_typer(export_app, name="export")


@export_app.command("motion")
@with_settings(ExportMotionSettings)
def export_motion(
    motion: Annotated[Path, typer.Argument(help="Motion to export (.npz).")],
    out: Annotated[
        Path,
        typer.Argument(
            help="File to write: .npz (SMPL-X parameters as in AMASS), .bvh (skeleton and animation), .glb or "
            ".blend (avatar with skeleton and animation)."
        ),
    ],
    *,
    body: Annotated[Path, typer.Option("--body", help="SMPL-X body file (.npz) that the motion belongs to.")],
    settings: ExportMotionSettings,
) -> None:
    """Write a motion in the format of the file's suffix."""
    from diffsign.export.motion import Inputs, Outputs, run

    typer.echo(run(Inputs(motion, body), Outputs(out), settings))


@export_app.command("keypoints")
def export_keypoints(
    keypoints: Annotated[Path, typer.Argument(help="Keypoints to export (.npz).")],
    out: Annotated[Path, typer.Argument(help="A .pose file, or a folder (a path without suffix) for OpenPose's JSON.")],
) -> None:
    """Write keypoints as a .pose file or as OpenPose JSON."""
    from diffsign.export.keypoints import Inputs, Outputs, run

    typer.echo(run(Inputs(keypoints), Outputs(out)))
