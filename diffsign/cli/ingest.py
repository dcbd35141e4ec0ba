"""The command ``diffsign ingest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.ingest import IngestSettings


@app.command()
@with_settings(IngestSettings)
def ingest(
    source: Annotated[Path, typer.Argument(help="Video of a person signing, in any format ffmpeg reads.")],
    clip: Annotated[Path, typer.Argument(help="Clip to write (.mkv; .mp4 for a film to show beside others).")],
    start: Annotated[
        str | None, typer.Option(help="Where to start, in seconds or as 1:02.5.", show_default="the start")
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="Where to end, in seconds or as 1:02.5.", show_default="the end")
    ] = None,
    rotate: Annotated[
        int, typer.Option(help="Turn the picture clockwise, where a file does not say that it lies on its side.")
    ] = 0,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Exchange left and right, for recordings of a mirror or a selfie camera.")
    ] = False,
    crop: Annotated[
        str | None,
        typer.Option(
            help="Part of the upright picture in its own pixels.", metavar="W:H:X:Y", show_default="all of it"
        ),
    ] = None,
    audio: Annotated[
        Path | None, typer.Option(help="Keep the sound in this file (.mka); 0 bytes if there is none.")
    ] = None,
    preview: Annotated[Path | None, typer.Option(help="Also write an .mp4 to look at.")] = None,
    placement: Annotated[
        Path | None, typer.Option(help="Also write how the clip lies in the source (.json), for --openpose of detect.")
    ] = None,
    detail: Annotated[
        Path | None,
        typer.Option(help="Keep the source's detail for `diffsign detect` (.mp4); 0 bytes if the clip has it all."),
    ] = None,
    subtitles: Annotated[
        Path | None, typer.Option(help="Keep the subtitles in this file (.mks); 0 bytes if there are none.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processors to use.")] = 1,
    *,
    settings: IngestSettings,
) -> None:
    """Bring a video to constant rate and size, upright, without loss."""
    from diffsign.ingest.stage import Inputs, Outputs, run
    from diffsign.ingest.window import parse_window

    window = parse_window(start=start, end=end, rotate=rotate, mirror=mirror, crop=crop)
    outputs = Outputs(clip, audio, preview, placement, detail, subtitles)
    typer.echo(run(Inputs(source, window), outputs, settings, threads=threads))
