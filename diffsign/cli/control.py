"""Commands that make control pictures: pose, canny, depth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.cli.renamed import Commands
from diffsign.config.control import CannyControlSettings, DepthControlSettings, PoseControlSettings

control_app = Commands(no_args_is_help=True, help="Make the pictures that condition the diffusion model.")
app.add_typer(control_app, name="control")

OUT = typer.Argument(help="Clip to write (.mkv).")
PREVIEW = typer.Option(help="Also write an .mp4 to look at.")


@control_app.command("pose")
@with_settings(PoseControlSettings)
def control_pose(
    path: Annotated[
        Path, typer.Argument(metavar="MOTION", help="Motion (.npz), or with `--source detect` keypoints (.npz).")
    ],
    out: Annotated[Path, OUT],
    body: Annotated[Path | None, typer.Option(help="Body file (.npz) that the motion was fitted with.")] = None,
    preview: Annotated[Path | None, PREVIEW] = None,
    *,
    settings: PoseControlSettings,
) -> None:
    """Draw the OpenPose skeleton: from the fitted joints, or from keypoints detected on the rendering."""
    from diffsign.control.pose import Inputs, Outputs, run

    typer.echo(run(Inputs(path, body), Outputs(out, preview), settings))


@control_app.command("canny")
@with_settings(CannyControlSettings)
def control_canny(
    color: Annotated[Path, typer.Argument(help="Colour pass of the avatar (.mkv).")],
    out: Annotated[Path, OUT],
    preview: Annotated[Path | None, PREVIEW] = None,
    *,
    settings: CannyControlSettings,
) -> None:
    """Find the edges of the colour pass."""
    from diffsign.control.canny import Inputs, Outputs, run

    typer.echo(run(Inputs(color), Outputs(out, preview), settings))


@control_app.command("depth")
@with_settings(DepthControlSettings)
def control_depth(
    path: Annotated[
        Path, typer.Argument(metavar="DEPTH", help="Depth pass (.mkv), or with `--source dpt` the colour pass.")
    ],
    out: Annotated[Path, OUT],
    preview: Annotated[Path | None, PREVIEW] = None,
    *,
    settings: DepthControlSettings,
) -> None:
    """Turn depth into inverse depth, near white, with one range for the clip."""
    from diffsign.control.depth import Inputs, Outputs, run

    typer.echo(run(Inputs(path), Outputs(out, preview), settings))
