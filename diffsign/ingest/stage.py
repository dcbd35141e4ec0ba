"""Bring a video of any kind to a clip: constant frame rate and size, upright, square pixels, lossless."""

from __future__ import annotations

import logging
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from diffsign import processes
from diffsign.config.ingest import IngestSettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic, is_disk_full
from diffsign.ingest.bars import without_bars
from diffsign.ingest.filters import filter_chain
from diffsign.ingest.sound import trim_options, write_sound
from diffsign.ingest.source import Source, find_fields, measured_seconds, probe_source
from diffsign.ingest.subtitles import write_subtitles
from diffsign.ingest.window import Crop, Trim, Window, fit_inside
from diffsign.progress import track
from diffsign.records.clip import provenance
from diffsign.records.ffmpeg import (
    FILM_PICTURES,
    LOCAL_FILE,
    LOSSLESS,
    REPRODUCIBLE,
    VIEWING,
    ffmpeg_command,
    first_complaint,
    require_unhurt,
)
from diffsign.records.placement import Placement, save_placement

log = logging.getLogger(__name__)

#: Rate of a clip whose source does not say its own, and the highest that is taken from a source, frames a second.
UNKNOWN_RATE, HIGHEST_RATE = Fraction(25), 60
#: How many times the clip's size detection sees at most.
MOST_DETAIL = 3
#: A clip this many seconds shorter than the container promised, from a file that ffmpeg complained about, is cut off.
MISSING_TOLERANCE = 0.25


@dataclass(frozen=True)
class Inputs:
    """A video in any container and codec that ffmpeg reads, and the part of it that is taken."""

    video: Path
    window: Window = field(default_factory=Window)


@dataclass(frozen=True)
class Outputs:
    """What ingest writes.

    Attributes:
        clip: ``.mkv``, without loss; with the suffix ``.mp4`` a film, to be shown beside others.
        audio: its sound, ``.mka``; 0 bytes if there is none.
        preview: a film to look at, ``.mp4``.
        placement: how the clip lies in the source, ``.json``.
        detail: the film at two or three times the clip's size, for detection, ``.mp4``; 0 bytes if the source has no
            more detail than the clip.
        subtitles: its subtitles as text, ``.mks``; 0 bytes if there are none.
    """

    clip: Path
    audio: Path | None = None
    preview: Path | None = None
    placement: Path | None = None
    detail: Path | None = None
    subtitles: Path | None = None


class _DecodingError(Exception):
    """What ffmpeg complained about."""


def _check(source: Source, window: Window, settings: IngestSettings) -> None:
    window.check(source)
    _check_length(source, window.trim, settings)


def _crop_bars(source: Source, window: Window) -> Window:
    """Return the window of the picture inside black bars, and say so."""
    inside = without_bars(source, window)
    if inside.crop and inside.crop != window.crop:
        crop = inside.crop
        log.warning(
            "'%s' has black bars; the clip is the picture inside them, %d:%d:%d:%d (width:height:x:y). "
            "`bars: keep` keeps them.",
            *(source.path, crop.width, crop.height, crop.x, crop.y),
        )
    return inside


def _check_length(source: Source, trim: Trim, settings: IngestSettings) -> None:
    seconds = trim.seconds(source)
    if seconds is not None and seconds > settings.max_seconds:
        raise DiffSignError(
            f"video '{source.path}' would give {seconds:g} s, more than max_seconds = {settings.max_seconds:g}; "
            "trim it with a start and an end, or raise max_seconds."
        )


def _one_by_one(progress: Iterable[bytes]) -> Iterator[int]:
    """Yield once for every frame that ffmpeg's ``-progress`` lines report."""
    done = 0
    for line in progress:
        if line.startswith(b"frame="):
            frames = int(line.removeprefix(b"frame="))
            yield from range(done, frames)
            done = max(done, frames)


def _run(command: list[str], total: int | None) -> tuple[int, str]:
    """Run ffmpeg under a progress bar; return the number of frames written and what it complained about."""
    frames = 0
    with tempfile.TemporaryFile() as complaints:
        process = processes.start(command, stdout=subprocess.PIPE, stderr=complaints, stdin=subprocess.DEVNULL)
        assert process.stdout is not None
        try:
            for _ in track(_one_by_one(process.stdout), "ingest", total):
                frames += 1
            status = process.wait()
        finally:
            process.stdout.close()
            processes.stop(process)
        complaints.seek(0)
        text = complaints.read().decode(errors="replace")
    if status:
        require_unhurt(status)
        raise _DecodingError(first_complaint(text))
    return frames, text


def _command(source: Source, inputs: Inputs, outputs: Outputs, settings: IngestSettings, threads: int) -> list[str]:
    """Return the ffmpeg command that writes clip and preview in one pass over the source."""
    trim = inputs.window.trim
    fields = None if source.interlaced else find_fields(source, trim.start)
    if fields:
        log.warning(
            "'%s' is interlaced without saying so (%s field first); it is deinterlaced.",
            source.path,
            "top" if fields == "tff" else "bottom",
        )
    if source.colours.hdr:
        log.warning("'%s' is HDR (%s); it is brought to SDR, highlights are cut off.", source.path, source.colours.hdr)
    chain = filter_chain(source, inputs.window, settings, fields)
    expected = _expected(source, trim, settings)
    limit = [] if trim.end is None or expected is None else ["-frames:v", str(expected)]
    # One second more than allowed, so that a source of unknown length that is too long is noticed.
    reading = [*LOCAL_FILE, *trim_options(trim, settings.max_seconds + 1), "-threads", str(threads)]
    command = ffmpeg_command("-nostats", "-progress", "pipe:1", *reading, "-i", source.path.absolute())
    film = outputs.clip.suffix == ".mp4"
    graph = f"[0:{source.video}]{chain}{f',{FILM_PICTURES}' * film}"
    if outputs.preview is None:
        graph += "[clip]"
    else:
        graph += f",split[clip][look];[look]{FILM_PICTURES}[even]"
    if outputs.detail is not None:
        larger = filter_chain(source, inputs.window, detailed(settings, source, inputs.window), fields)
        graph += f";[0:{source.video}]{larger},{FILM_PICTURES}[detail]"
    encoding = VIEWING if film else (*LOSSLESS, "-pix_fmt", "bgr0", "-threads", str(threads))
    clip = [*encoding, *REPRODUCIBLE, *provenance("color")]
    command += ["-filter_complex", graph, "-map", "[clip]", *limit, *clip, str(outputs.clip.absolute())]
    if outputs.preview is not None:
        command += ["-map", "[even]", *limit, *VIEWING, *REPRODUCIBLE, *provenance("color")]
        command.append(str(outputs.preview.absolute()))
    if outputs.detail is not None:
        command += ["-map", "[detail]", *limit, *VIEWING, "-preset", "veryfast", "-crf", "12", *REPRODUCIBLE]
        command += [*provenance("color"), str(outputs.detail.absolute())]
    return command


def with_rate(settings: IngestSettings, source: Source) -> IngestSettings:
    """Return settings that name a rate: the source's own where they name none, halved until it is at most 60."""
    if settings.fps is not None:
        return settings
    rate = source.fps or UNKNOWN_RATE
    while rate > HIGHEST_RATE:
        rate = rate / 2
    return settings.model_copy(update={"fps": float(rate)})


def detailed(settings: IngestSettings, source: Source, window: Window) -> IngestSettings:
    """Return the settings of a film with the source's detail: the clip's size, or twice or three times that."""
    shown = window.turn.apply(source)
    width, height = (window.crop.width, window.crop.height) if window.crop else (shown.width, shown.height)
    clip = fit_inside(width, height, shown.pixel_aspect, settings.height, settings.width)
    times = min(max(1, round(height / clip.inner[1] + 0.25)), MOST_DETAIL)
    return settings.model_copy(update={"height": times * clip.outer[1], "width": times * clip.outer[0]})


def _expected(source: Source, trim: Trim, settings: IngestSettings) -> int | None:
    seconds = trim.seconds(source)
    return None if seconds is None else max(1, round(seconds * settings.rate))


def _write_pictures(source: Source, inputs: Inputs, outputs: Outputs, settings: IngestSettings, threads: int) -> int:
    """Decode, convert and write clip and preview; return the number of frames."""
    expected = _expected(source, inputs.window.trim, settings)
    try:
        frames, complaints = _run(_command(source, inputs, outputs, settings, threads), expected)
    except _DecodingError as error:
        if is_disk_full(error):
            raise
        raise DiffSignError(
            f"video '{source.path}' cannot be decoded ({error}); it is damaged or was not copied "
            "to its end: copy or export it again."
        ) from error
    _judge(source, frames, expected, settings, complaints)
    return frames


def _judge(source: Source, frames: int, expected: int | None, settings: IngestSettings, complaints: str) -> None:
    """Raise or warn if fewer frames came than the container promised, or more than are allowed."""
    if frames == 0:
        raise DiffSignError(
            f"video '{source.path}' holds no frames in the part that was asked for; check file and trim."
        )
    if expected is None and frames > settings.max_seconds * settings.rate:
        raise DiffSignError(
            f"video '{source.path}' is longer than max_seconds = {settings.max_seconds:g}; trim it with a start and an "
            "end, or raise max_seconds."
        )
    missing = 0.0 if expected is None else (expected - frames) / settings.rate
    if complaints and missing > MISSING_TOLERANCE:
        raise DiffSignError(
            f"video '{source.path}' is cut off or damaged: {frames / settings.rate:.2f} s could be decoded, but "
            f"{missing:.2f} s more were promised ({first_complaint(complaints)}); copy it again, or trim it to "
            "the part that is whole."
        )
    if complaints:
        log.warning("'%s' is damaged in places (%s); look at the clip.", source.path, first_complaint(complaints))
    elif missing > MISSING_TOLERANCE:
        log.info("The pictures of '%s' end %.2f s before the file does; the clip ends with them.", source.path, missing)


def placement_of(source: Source, window: Window, settings: IngestSettings) -> Placement:
    """Return how a clip lies in its source: turned, mirrored, cropped, scaled, with bars around it."""
    turned = window.turn.apply(source)
    crop = window.crop or Crop(turned.width, turned.height, 0, 0)
    fit = fit_inside(crop.width, crop.height, turned.pixel_aspect, settings.height, settings.width)
    scale = np.array(fit.inner) / np.array(fit.stored)
    bars = (np.array(fit.outer) - np.array(fit.inner)) // 2
    placed = np.array(
        [[scale[0], 0, bars[0] - crop.x * scale[0]], [0, scale[1], bars[1] - crop.y * scale[1]], [0, 0, 1]]
    )
    turn = window.turn.matrix(source.width, source.height)
    to_clip = (placed @ turn)[:2].tolist()
    fps = float(source.fps or settings.rate)
    frames = source.frames or (None if source.seconds is None else round(source.seconds * fps))
    return Placement(
        source.width, source.height, fps, frames, window.trim.start, (tuple(to_clip[0]), tuple(to_clip[1]))
    )


def run(inputs: Inputs, outputs: Outputs, settings: IngestSettings, *, threads: int = 1) -> str:
    """Write the wanted part of a video as a clip; only that part is decoded. Either all outputs appear or none.

    Returns:
        A line that says how many frames were written.

    Raises:
        DiffSignError: on a file that is no whole video, and on a trim or crop that leaves it.
    """
    source = probe_source(inputs.video)
    settings = with_rate(settings, source)
    try:
        _check(source, inputs.window, settings)
    except DiffSignError:  # of a length that the container has wrong, perhaps
        source = replace(source, seconds=measured_seconds(source))
        _check(source, inputs.window, settings)
    if settings.bars == "crop":
        inputs = replace(inputs, window=_crop_bars(source, inputs.window))
    with ExitStack() as files:
        clip = files.enter_context(atomic(outputs.clip))
        preview = files.enter_context(atomic(outputs.preview)) if outputs.preview else None
        detail = files.enter_context(atomic(outputs.detail)) if outputs.detail else None
        more = detailed(settings, source, inputs.window).height > settings.height
        written = Outputs(clip, preview=preview, detail=detail if more else None)
        frames = _write_pictures(source, inputs, written, settings, threads)
        if outputs.audio:
            write_sound(source, inputs.window.trim, files.enter_context(atomic(outputs.audio)))
        if outputs.subtitles:
            target = files.enter_context(atomic(outputs.subtitles))
            write_subtitles(source, inputs.window.trim.start, frames / settings.rate, target)
    if outputs.placement:
        save_placement(outputs.placement, placement_of(source, inputs.window, settings))
    return f"{outputs.clip}: {frames} frames at {settings.rate:g} frames per second."
