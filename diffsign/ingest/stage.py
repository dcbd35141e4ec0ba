"""Run ffmpeg once over the part of a source that is wanted."""

from __future__ import annotations

import logging
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import ffmpeg

from diffsign.config.ingest import IngestSettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.ingest.source import Source, probe_source
from diffsign.ingest.window import Crop, Trim, fit_inside
from diffsign.progress import track
from diffsign.records.clip import exact_rate
from diffsign.records.ffmpeg import ffmpeg_binary, first_complaint

log = logging.getLogger(__name__)

#: A clip this many seconds shorter than the container promised, from a file that ffmpeg complained about, is cut off.
MISSING_TOLERANCE = 0.25

LOSSLESS = {"vcodec": "ffv1", "level": 3, "slicecrc": 1, "pix_fmt": "bgr0", "map_metadata": -1, "fflags": "+bitexact"}
TO_LOOK_AT = {
    "vcodec": "libx264",
    "pix_fmt": "yuv420p",
    "crf": 16,
    "movflags": "+faststart",
    "map_metadata": -1,
    "fflags": "+bitexact",
}


def _check_length(source: Source, trim: Trim, settings: IngestSettings) -> None:
    seconds = trim.seconds(source)
    if seconds is not None and seconds > settings.max_seconds:
        raise DiffSignError(
            f"video '{source.path}' would give {seconds:g} s, more than max_seconds = {settings.max_seconds:g}; "
            "trim it with a start and an end, or raise max_seconds."
        )


def _input_options(trim: Trim, limit: float) -> dict[str, float]:
    """Return options before ``-i``: there they seek, so that what lies before the trim is not decoded."""
    options = {"t": limit if trim.end is None else trim.end - trim.start}
    return options | ({"ss": trim.start} if trim.start else {})


def _pictures(source: Source, trim: Trim, crop: Crop | None, settings: IngestSettings):
    """Return the ffmpeg-python stream of the clip's pictures."""
    width, height = (crop.width, crop.height) if crop else (source.width, source.height)
    layout = fit_inside(width, height, source.pixel_aspect, settings.height, settings.width)
    # One second more than allowed, so that a source of unknown length that is too long is noticed.
    stream = ffmpeg.input(str(source.path.absolute()), **_input_options(trim, settings.max_seconds + 1))["V:0"]
    if source.interlaced:
        stream = stream.filter("bwdif", mode="send_frame", deint="interlaced")
    if crop:
        stream = stream.filter("crop", crop.width, crop.height, crop.x, crop.y, exact=1)
    return (
        # start_time keeps pictures and sound together; eof_action keeps a video of a single short frame.
        stream.filter("fps", fps=exact_rate(settings.fps), start_time=0, eof_action="pass")
        .filter("scale", *layout.inner, flags="lanczos+accurate_rnd+full_chroma_int")
        .filter("pad", *layout.outer, "(ow-iw)/2", "(oh-ih)/2")
        .filter("setsar", 1)
    )


def _one_by_one(progress: Iterable[str]) -> Iterator[int]:
    """Yield once for every frame that ffmpeg's ``-progress`` lines report."""
    done = 0
    for line in progress:
        if line.startswith("frame="):
            frames = int(line.removeprefix("frame="))
            yield from range(done, frames)
            done = max(done, frames)


def _run(command: list[str], total: int | None) -> tuple[int, str]:
    """Run ffmpeg under a progress bar; return the number of frames written and what it complained about.

    Raises:
        RuntimeError: with ffmpeg's complaint, if it failed.
    """
    frames = 0
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, stdin=subprocess.DEVNULL, text=True
        )
        try:
            for _ in track(_one_by_one(process.stdout or ()), "ingest", total):
                frames += 1
            status = process.wait()
        finally:
            process.kill()
            process.communicate()
        complaints.seek(0)
        text = complaints.read().decode(errors="replace")
    if status:
        raise RuntimeError(text)
    return frames, text


def _write_pictures(
    source: Source, trim: Trim, crop: Crop | None, settings: IngestSettings, clip: Path, preview: Path | None
) -> int:
    """Decode, convert and write clip and preview in one pass over the source; return the number of frames."""
    pictures = _pictures(source, trim, crop, settings)
    seconds = trim.seconds(source)
    expected = None if seconds is None else max(1, round(seconds * settings.fps))
    limit = {} if trim.end is None or expected is None else {"frames:v": expected}
    streams = [pictures] if preview is None else [pictures.split()[i] for i in range(2)]
    outputs = [ffmpeg.output(streams[0], str(clip.absolute()), **limit, **LOSSLESS)]
    if preview is not None:
        even = streams[1].filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2")
        outputs.append(ffmpeg.output(even, str(preview.absolute()), **limit, **TO_LOOK_AT))
    command = ffmpeg.merge_outputs(*outputs).global_args("-loglevel", "error", "-nostats", "-progress", "pipe:1")
    try:
        frames, complaints = _run(command.overwrite_output().compile(cmd=ffmpeg_binary()), expected)
    except RuntimeError as error:
        raise DiffSignError(
            f"video '{source.path}' cannot be decoded ({first_complaint(str(error))}); it is damaged or was not copied "
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
    if expected is None and frames > settings.max_seconds * settings.fps:
        raise DiffSignError(
            f"video '{source.path}' is longer than max_seconds = {settings.max_seconds:g}; trim it with a start and an "
            "end, or raise max_seconds."
        )
    missing = 0.0 if expected is None else (expected - frames) / settings.fps
    if complaints and missing > MISSING_TOLERANCE:
        raise DiffSignError(
            f"video '{source.path}' is cut off or damaged: {frames / settings.fps:.2f} s could be decoded, but "
            f"{missing:.2f} s more were promised ({first_complaint(complaints)}); copy it again, or trim it to "
            "the part that is whole."
        )
    if complaints:
        log.warning("'%s' is damaged in places (%s); look at the clip.", source.path, first_complaint(complaints))
    elif missing > MISSING_TOLERANCE:
        log.info("The pictures of '%s' end %.2f s before the file does; the clip ends with them.", source.path, missing)


def _write_audio(source: Source, trim: Trim, target: Path) -> None:
    """Keep the first sound stream: copied as it is, or cut to the sample and stored as FLAC if there is a trim.

    A copied stream can only be cut between packets, and not where pictures are cut, hence FLAC. A source
    without sound gives an empty file (0 bytes), which :class:`diffsign.records.clip.ClipWriter` takes as silence.
    """
    if not source.has_audio:
        target.write_bytes(b"")
        return
    options = {} if trim.is_whole else {"ss": trim.start, **({"t": trim.end - trim.start} if trim.end else {})}
    sound = ffmpeg.input(str(source.path.absolute()), **options)["a:0"]
    command = ffmpeg.output(
        sound, str(target.absolute()), format="matroska", acodec="copy" if trim.is_whole else "flac", loglevel="error"
    )
    finished = subprocess.run(
        command.overwrite_output().compile(cmd=ffmpeg_binary()),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if finished.returncode:
        raise DiffSignError(
            f"the sound of '{source.path}' cannot be kept: {first_complaint(finished.stderr)}; leave --audio out."
        )


def ingest_video(
    path: str | Path,
    clip: str | Path,
    settings: IngestSettings,
    *,
    trim: Trim | None = None,
    crop: Crop | None = None,
    audio: str | Path | None = None,
    preview: str | Path | None = None,
) -> int:
    """Write the wanted part of a video as a clip: constant rate and size, upright, square pixels, lossless.

    Only the wanted part is decoded. Either all outputs appear or none.

    Args:
        path: video in any container and codec that ffmpeg reads.
        clip: ``.mkv`` to write (FFV1).
        settings: rate, size and longest length.
        trim: part in time; all of it by default.
        crop: part of the picture; all of it by default.
        audio: ``.mka`` for the sound; 0 bytes if the source has none.
        preview: ``.mp4`` of the clip to look at.

    Returns:
        Number of frames written.

    Raises:
        DiffSignError: on a file that is no whole video, and on a trim or crop that leaves it.
    """
    trim = trim or Trim()
    source = probe_source(path)
    trim.check(source)
    if crop:
        crop.check(source)
    _check_length(source, trim, settings)
    with ExitStack() as files:
        clip_file = files.enter_context(atomic(clip))
        preview_file = files.enter_context(atomic(preview)) if preview else None
        frames = _write_pictures(source, trim, crop, settings, clip_file, preview_file)
        if audio:
            _write_audio(source, trim, files.enter_context(atomic(audio)))
    return frames
