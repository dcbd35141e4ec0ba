"""What a source video is: which of its streams are taken, how they are to be shown, which colours they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from PIL import Image

from diffsign import processes
from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.records.ffmpeg import FORMATS, LOCAL_FILE, ffmpeg_command, require_unhurt

_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}

#: How many frames' times are looked at for the rate of a film that keeps to none, and how few say nothing.
MOST_TIMES, LEAST_TIMES = 2000, 8
#: How many frames are looked at for fields that the file does not tell of.
IDET_FRAMES = 240
#: Fewer frames than this prove nothing.
IDET_LEAST = 8

#: Larger pictures than these are BT.709 where they do not say, as players take it.
SD_WIDTH, SD_HEIGHT = 1279, 576


class Transfer(IntEnum):
    """Transfer characteristics of ITU-T H.273 that mean high dynamic range."""

    PQ = 16
    HLG = 18


class Primaries(IntEnum):
    """Colour primaries of ITU-T H.273 that are wider than those of sRGB."""

    BT2020 = 9
    P3_DCI = 11
    P3_D65 = 12


_UNSPECIFIED = 2

#: Decoders of subtitles that are text, and how the names of others end.
_TEXTS = ("ass", "ssa", "srt", "subrip", "mov_text", "text", "webvtt")
_PICTURED = ("pgssub", "pgs_subtitle", "dvdsub", "dvd_subtitle", "dvbsub", "dvb_subtitle", "xsub")


@dataclass(frozen=True)
class Colours:
    """How a source's numbers become colours.

    Attributes:
        hdr: ``PQ`` or ``HLG`` for high dynamic range, None for standard.
        wide: the primaries are wider than sRGB's.
        half_tagged: HDR that does not name its primaries or its matrix.
        untagged_hd: YUV that does not name its matrix, in a size for which players take BT.709.
    """

    hdr: str | None = None
    wide: bool = False
    half_tagged: bool = False
    untagged_hd: bool = False


@dataclass(frozen=True)
class Source:
    """A source video as a player shows it.

    Attributes:
        path: where it is.
        width: pixels of the upright picture (rotation metadata applied), as stored.
        height: pixels of the upright picture, as stored.
        pixel_aspect: width of an upright pixel divided by its height.
        seconds: length; None where the container does not say.
        fps: frames per second; None where the container does not say.
        video: number of the video stream that players show.
        audio: number of the sound stream that players play; None if there is none.
        interlaced: fields are stored instead of whole pictures, and the file says so.
        colours: how its numbers become colours.
        frames: number of frames; None where the container does not say.
        subtitles: language of each stream of subtitles that are text, by its number.
        pictured_subtitles: whether there are subtitles that are pictures.
    """

    path: Path
    width: int
    height: int
    pixel_aspect: Fraction
    seconds: float | None
    fps: Fraction | None
    video: int
    audio: int | None
    interlaced: bool
    colours: Colours
    frames: int | None = None
    subtitles: Mapping[int, str] = field(default_factory=dict[int, str])
    pictured_subtitles: bool = False


def _first_frame(container: InputContainer, stream: av.VideoStream, path: Path) -> VideoFrame:
    try:
        return next(container.decode(stream))
    except (av.error.FFmpegError, StopIteration) as error:
        raise DiffSignError(
            f"video '{path}' has no picture that can be decoded ({str(error) or 'it holds no frames'}); it is damaged "
            "or was not copied to its end: copy or export it again."
        ) from error


def _best_pictures(container: InputContainer) -> av.VideoStream | None:
    """Return the video stream that players show: the default one, and never the cover of a song."""
    films = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    best = container.streams.best("video")
    return next(
        (stream for stream in films if best is not None and stream.index == best.index), next(iter(films), None)
    )


def _colours(frame: VideoFrame) -> Colours:
    transfer, primaries, matrix = int(frame.color_trc or 0), int(frame.color_primaries or 0), int(frame.colorspace)
    large = frame.width > SD_WIDTH or frame.height > SD_HEIGHT
    return Colours(
        hdr=Transfer(transfer).name if transfer in set(Transfer) else None,
        wide=primaries in set(Primaries),
        half_tagged=transfer in set(Transfer) and _UNSPECIFIED in (primaries, matrix),
        untagged_hd=large and matrix == _UNSPECIFIED and frame.format.name.startswith(("yuv", "nv", "p0")),
    )


def _rate(container: InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Return the rate that a stream's timestamps keep to; where they vary, the rate of where they are close.

    The average of a short GIF is wrong by its last frame. The average of a film of varying rate would lose frames
    where there are many.
    """
    average, steps = stream.average_rate, stream.guessed_rate
    if average and steps and not 0.8 * average <= steps <= 1.25 * average:
        return max(average, _closest(container, stream) or average)
    return steps or average


def _closest(container: InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Return the rate of the quarter of the frames that follow one another most closely; None if there are few."""
    packets = islice(container.demux(stream), MOST_TIMES)
    times = np.unique([packet.pts for packet in packets if packet.pts is not None])
    container.seek(0)
    if len(times) < LEAST_TIMES or not stream.time_base:
        return None
    steps = np.diff(times)
    close = steps[steps <= 1.5 * np.quantile(steps, 0.25)]
    return Fraction(1 / float(close.mean() * stream.time_base)).limit_denominator(1001)


def measured_seconds(source: Source) -> float | None:
    """Return how long a source's pictures last by their own times, which the container may have wrong.

    All of the file is read, nothing is decoded.
    """
    with av.open(str(source.path.absolute()), options=_OPTIONS, metadata_errors="replace") as container:
        times: list[float] = []
        for packet in container.demux(container.streams[source.video]):
            if packet.pts is not None:
                times.append(float((packet.pts + (packet.duration or 0)) * packet.time_base))
        start = (container.start_time or 0) / av.time_base
    return max(times) - start if times else None


def _seconds(container: InputContainer) -> float | None:
    """Return a container's length; Matroska counts it from 0 and not from where its streams start."""
    if not container.duration:
        return None
    late = max(container.start_time or 0, 0) if container.format.name.startswith("matroska") else 0
    seconds = (container.duration - late) / av.time_base
    return seconds if seconds > 0 else None


def _subtitles(container: InputContainer) -> tuple[dict[int, str], bool]:
    """Return the language of each stream of subtitles that are text, and whether others are pictures."""
    named = {
        stream: stream.codec_context.name if stream.codec_context else "" for stream in container.streams.subtitles
    }
    texts = {stream.index: stream.language or "und" for stream, name in named.items() if name in _TEXTS}
    return texts, any(name.endswith(_PICTURED) for name in named.values())


def _describe(container: InputContainer, path: Path) -> Source:
    stream, audio = _best_pictures(container), container.streams.best("audio")
    subtitles, pictured = _subtitles(container)
    if stream is None:
        holds = "only sound" if audio is not None else "no pictures in a codec that ffmpeg can decode"
        raise DiffSignError(f"video '{path}' holds {holds}; give a video, in H.264 for example.")
    frame = _first_frame(container, stream, path)
    pixel_aspect = Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    width, height = frame.width, frame.height
    if round(frame.rotation / 90) % 2:
        width, height, pixel_aspect = height, width, 1 / pixel_aspect
    return Source(
        path=path,
        width=width,
        height=height,
        pixel_aspect=pixel_aspect,
        seconds=_seconds(container),
        fps=_rate(container, stream),
        video=stream.index,
        audio=None if audio is None else audio.index,
        interlaced=frame.interlaced_frame,
        colours=_colours(frame),
        frames=stream.frames or None,
        subtitles=subtitles,
        pictured_subtitles=pictured,
    )


def _picture(path: Path) -> str | None:
    """Return what a file is that begins as a picture does, and what to do; None if it may be a video."""
    try:
        with Image.open(path, formats=("JPEG", "WEBP", "TIFF", "BMP", "PNG")) as opened:
            if getattr(opened, "n_frames", 1) == 1:
                return f"a picture ({opened.format}); a video of a person signing was expected"
            return "an animated WebP; save it as GIF or MP4" if opened.format == "WEBP" else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def probe_source(path: str | Path) -> Source:
    """Describe a source video; only its first picture is decoded.

    Raises:
        DiffSignError: if there is no such file, it is a folder or empty, is no video (or a list of other files), holds
            only sound, or its codec is unknown.
    """
    path = require_file(path, "video")
    if picture := _picture(path):
        raise DiffSignError(f"video '{path}' is {picture}.")
    try:
        with av.open(str(path.absolute()), options=_OPTIONS, metadata_errors="replace") as container:
            return _describe(container, path)
    except DiffSignError:
        raise
    except Exception as error:  # FFmpegError, and what PyAV makes of numbers that mean nothing
        reason = getattr(error, "strerror", "") or error
        raise DiffSignError(
            f"video '{path}' is not a video that ffmpeg can read ({reason}); if it is one, it is damaged or "
            "was not copied to its end: copy or export it again. Playlists and lists of files are not read."
        ) from error


def find_fields(source: Source, start: float) -> str | None:
    """Look for interlacing that the file does not tell of.

    A progressive picture has no lines that alternate in time. ffmpeg's ``idet`` tells the two apart over some frames.

    Returns:
        Which field comes first, ``tff`` or ``bff``; None if the pictures are whole.
    """
    command = ffmpeg_command(
        *(*LOCAL_FILE, "-ss", f"{start:g}", "-i", source.path.absolute(), "-map", f"0:{source.video}"),
        *("-frames:v", str(IDET_FRAMES), "-vf", "idet,metadata=print:file=-", "-f", "null", "-"),
    )
    counts: dict[str, float] = {}
    looked = processes.run(command)
    require_unhurt(looked.returncode)
    for line in looked.stdout.decode(errors="replace").splitlines():
        name, _, value = line.partition("=")
        if name.startswith("lavfi.idet.multiple.") and value.replace(".", "", 1).isdigit():
            counts[name.rpartition(".")[2]] = float(value)
    top, bottom, whole = (counts.get(name, 0.0) for name in ("tff", "bff", "progressive"))
    if top + bottom < IDET_LEAST or top + bottom < 2 * whole:
        return None
    return "tff" if top >= bottom else "bff"
