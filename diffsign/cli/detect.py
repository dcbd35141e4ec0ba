"""``diffsign detect``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.detect import DetectSettings


@app.command()
@with_settings(DetectSettings)
def detect(
    clip: Annotated[Path, typer.Argument(help="Clip of a person signing.")],
    keypoints: Annotated[Path, typer.Argument(help="Keypoints to write (.npz).")],
    openpose: Annotated[
        Path | None, typer.Option(help="Folder of OpenPose JSON of the video, read instead of running a detector.")
    ] = None,
    placement: Annotated[
        Path | None,
        typer.Option(help="How the clip lies in the video that OpenPose saw (.json), from diffsign ingest."),
    ] = None,
    detail: Annotated[
        Path | None, typer.Option(help="The same film, larger, from `diffsign ingest --detail`, to look at instead.")
    ] = None,
    preview: Annotated[Path | None, typer.Option(help="Also write the clip with its keypoints drawn (.mp4).")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processors to use.", show_default="all that there are")
    ] = None,
    *,
    settings: DetectSettings,
) -> None:
    """Find the points of body, hands and face in every picture."""
    from diffsign.detect.stage import Inputs, Outputs, run

    threads = threads or os.cpu_count() or 1
    inputs = Inputs(clip, openpose, placement, detail)
    typer.echo(run(inputs, Outputs(keypoints, preview), settings, threads=threads))
