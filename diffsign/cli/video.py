"""Commands on a video: ingest, detect, clean."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.clean import CleanSettings
from diffsign.config.detect import DetectSettings
from diffsign.config.ingest import IngestSettings
from diffsign.errors import DiffSignError

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


@app.command()
@with_settings(DetectSettings)
def detect(
    clip: Annotated[Path, typer.Argument(help="Clip of a person signing.")],
    keypoints: Annotated[Path, typer.Argument(help="Keypoints to write (.npz).")],
    openpose: Annotated[
        Path | None, typer.Option(help="Folder of OpenPose JSON of the clip, read instead of running a detector.")
    ] = None,
    preview: Annotated[Path | None, typer.Option(help="Also write the clip with its keypoints drawn (.mp4).")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processors to use.", show_default="all that there are")
    ] = None,
    *,
    settings: DetectSettings,
) -> None:
    """Find the points of body, hands and face in every picture."""
    from diffsign.detect.preview import write_preview
    from diffsign.detect.stage import detect_clip, read_openpose, summarise
    from diffsign.records.keypoints import save_keypoints

    if settings.detector == "openpose" and openpose is None:
        raise DiffSignError("detector is openpose, so --openpose must name the folder of OpenPose's JSON.")
    found = read_openpose(openpose, clip) if openpose else detect_clip(clip, settings, threads)
    if preview:
        write_preview(clip, found, preview)
    save_keypoints(keypoints, found)
    log.info("%s: %s.", keypoints, summarise(found))


@app.command()
@with_settings(CleanSettings)
def clean(
    keypoints: Annotated[Path, typer.Argument(help="Keypoints as detected (.npz).")],
    cleaned: Annotated[Path, typer.Argument(help="Keypoints to write (.npz).")],
    *,
    settings: CleanSettings,
) -> None:
    """Undo swaps of left and right, take out outliers, fill short gaps, smooth."""
    from diffsign.clean.stage import clean_keypoints, summarise
    from diffsign.records.keypoints import load_keypoints, save_keypoints

    result = clean_keypoints(load_keypoints(keypoints), settings)
    save_keypoints(cleaned, result)
    log.info("%s: %s.", cleaned, summarise(result))
