"""Commands that write results for other tools: export motion, keypoints, cutout, inset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.cli.renamed import Commands
from diffsign.config.export import CutoutSettings, ExportMotionSettings, InsetSettings

export_app = Commands(no_args_is_help=True, help="Write motions, keypoints and films for other tools.")
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


@export_app.command("cutout")
@with_settings(CutoutSettings)
def export_cutout(
    clip: Annotated[Path, typer.Argument(help="Pictures of a signer or an avatar (.mkv).")],
    mask: Annotated[Path, typer.Argument(help="The avatar's mask.")],
    out: Annotated[
        Path, typer.Argument(help="Film to write: .webm (VP9), .mov (ProRes 4444), or .mkv for `diffsign mark`.")
    ],
    *,
    placement: Annotated[
        Path | None, typer.Option("--placement", help="How the clip lies in its source, whose rate the film gets.")
    ] = None,
    audio: Annotated[Path | None, typer.Option("--audio", help="Sound of the film; not for .mkv.")] = None,
    subtitles: Annotated[Path | None, typer.Option("--subtitles", help="Its subtitles; not for .mkv.")] = None,
    settings: CutoutSettings,
) -> None:
    """Write a film with transparency: what the avatar covers."""
    from diffsign.export.cutout import Inputs, Outputs, run

    typer.echo(run(Inputs(clip, mask, placement, audio, subtitles), Outputs(out), settings))


@export_app.command("inset")
@with_settings(InsetSettings)
def export_inset(
    clip: Annotated[Path, typer.Argument(help="Pictures of a signer (.mkv).")],
    source: Annotated[Path, typer.Argument(help="The source at the size of the film.")],
    mask: Annotated[Path, typer.Argument(help="The avatar's mask.")],
    out: Annotated[Path, typer.Argument(help="Clip to write (.mkv), for `diffsign mark`.")],
    *,
    settings: InsetSettings,
) -> None:
    """Lay the signer over a corner of the source."""
    from diffsign.export.inset import Inputs, Outputs, run

    typer.echo(run(Inputs(clip, source, mask), Outputs(out), settings))
