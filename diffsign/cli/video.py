"""``diffsign ingest``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.ingest import IngestSettings

log = logging.getLogger(__name__)


@app.command()
@with_settings(IngestSettings)
def ingest(
    source: Annotated[Path, typer.Argument(help="Video of a person signing, in any format ffmpeg reads.")],
    clip: Annotated[Path, typer.Argument(help="Clip to write (.mkv).")],
    start: Annotated[
        str | None, typer.Option(help="Where to start, in seconds or as 1:02.5.", show_default="the start")
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="Where to end, in seconds or as 1:02.5.", show_default="the end")
    ] = None,
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
    *,
    settings: IngestSettings,
) -> None:
    """Bring a video to constant rate and size, upright, without loss."""
    from diffsign.ingest.stage import ingest_video
    from diffsign.ingest.window import Trim, parse_crop, parse_time

    trim = Trim(
        start=parse_time(start, "--start") if start else 0.0,
        end=parse_time(end, "--end") if end else None,
    )
    frames = ingest_video(
        source,
        clip,
        settings,
        trim=trim,
        crop=parse_crop(crop) if crop else None,
        audio=audio,
        preview=preview,
    )
    log.info("%s: %d frames at %g frames per second.", clip, frames, settings.fps)
