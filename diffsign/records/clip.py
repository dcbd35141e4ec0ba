"""Clips: Matroska with FFV1 (lossless RGB, or 16-bit grey for depth) at a constant frame rate.

Nothing else in the package reads or writes pictures of a clip, except ``diffsign ingest``, which writes with the same
encoder settings (:mod:`diffsign.records.ffmpeg`). Every clip that is read is checked.
"""

# ffmpeg-python comes without types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import av
import ffmpeg
import numpy as np
from numpy.typing import NDArray

from diffsign import processes
from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file, temporary_beside
from diffsign.records.ffmpeg import (
    FILM_PICTURES,
    FILM_TAGS,
    FILMS,
    FORMATS,
    LOCAL_FILE,
    LOSSLESS,
    REPRODUCIBLE,
    compiled,
    ffmpeg_command,
    ffmpeg_version,
    first_complaint,
    options,
    require_unhurt,
    why_it_ended,
)
from diffsign.records.film import holds_any, put_together
from diffsign.records.matroska import find_damage

Kind = Literal["color", "depth", "alpha"]

#: Rates that containers print rounded to two decimals.
NTSC_RATES = {23.98: Fraction(24000, 1001), 29.97: Fraction(30000, 1001), 59.94: Fraction(60000, 1001)}

#: What goes through the pipe, and what FFV1 keeps.
_PIXELS: dict[Kind, tuple[str, str]] = {
    "color": ("rgb24", "bgr0"),
    "depth": ("gray16le", "gray16le"),
    "alpha": ("rgba", "bgra"),
}


@dataclass(frozen=True)
class ClipInfo:
    """Size and timing of a clip: pixels, frames per second, number of frames."""

    width: int
    height: int
    fps: float
    frames: int


@dataclass(frozen=True)
class _Probe:
    """What a file says of itself: the clip's info, its pixel format, and whether it is a clip of this package."""

    info: ClipInfo
    pixels: str
    lossless: bool


def exact_rate(fps: float) -> Fraction:
    """Return the frame rate as a fraction, NTSC rates as the standards define them."""
    return NTSC_RATES.get(round(fps, 2), Fraction(fps).limit_denominator(1001))


def provenance(kind: Kind) -> tuple[str, ...]:
    """Return the ffmpeg options that write into a file what it is and which ffmpeg made it."""
    return "-metadata", f"comment=diffsign-clip 2; {kind}; ffmpeg {ffmpeg_version()}"


def _damaged(path: Path, reason: str) -> DiffSignError:
    return DiffSignError(f"clip '{path}' is damaged ({reason}); remove it and run the step that makes it again.")


def _probe(path: str | Path) -> _Probe:
    path = require_file(path, "clip")
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        with av.open(str(path.absolute()), options=options, metadata_errors="replace") as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream) or not stream.average_rate or not stream.width:
                raise DiffSignError(f"clip '{path}' has no video stream (or no frame rate); give a video file.")
            width, height, pixels = stream.width, stream.height, stream.codec_context.pix_fmt or ""
            lossless = container.format.name.startswith("matroska") and stream.codec_context.name == "ffv1"
            fps = float(exact_rate(float(stream.average_rate)))
            seconds = (container.duration or 0) / av.time_base
            if not lossless and next(container.decode(stream)).rotation % 180:
                width, height = height, width
    except DiffSignError:
        raise
    except Exception as error:  # FFmpegError, and what PyAV makes of numbers that mean nothing
        raise DiffSignError(
            f"clip '{path}' cannot be opened as a video ({str(error) or 'it holds no frames'}); it is damaged, or none."
        ) from error
    if lossless and (reason := find_damage(path, frames=False)):
        raise _damaged(path, reason)
    return _Probe(ClipInfo(width, height, fps, round(seconds * fps)), pixels, lossless)


def probe_clip(path: str | Path) -> ClipInfo:
    """Return size, rate and length of a clip without decoding it all.

    Raises:
        DiffSignError: if the file is missing, is no video, or is a clip that was cut short.
    """
    return _probe(path).info


def _frames(path: Path, pixels: str, size: int) -> Iterator[bytes]:
    """Yield the decoded bytes of each frame; raise if ffmpeg complains about a single one."""
    command = ffmpeg_command(
        *LOCAL_FILE, "-i", path.absolute(), "-map", "0:V:0", "-f", "rawvideo", "-pix_fmt", pixels, "-"
    )
    with tempfile.TemporaryFile() as complaints:
        process = processes.start(command, stdout=subprocess.PIPE, stderr=complaints, stdin=subprocess.DEVNULL)
        assert process.stdout is not None
        try:
            while len(frame := process.stdout.read(size)) == size:
                yield frame
            status = process.wait()
        finally:
            process.stdout.close()
            processes.stop(process)
        complaints.seek(0)
        text = complaints.read()
    if status or text or frame:
        require_unhurt(status)
        raise _damaged(path, first_complaint(text))


def iter_clip(path: str | Path, depth: bool = False, *, alpha: bool = False) -> Iterator[NDArray[Any]]:
    """Yield the frames of a clip, which is checked before the first and after the last.

    Args:
        path: the clip.
        depth: read 16-bit grey instead of 8-bit RGB.
        alpha: read opacity beside RGB; it is 255 where a clip has none.

    Yields:
        (H, W, 3) uint8 RGB, (H, W, 4) with ``alpha``, or (H, W) uint16 with ``depth``.

    Raises:
        DiffSignError: if the file is missing, damaged or cut short, does not decode, or is of the other kind.
    """
    probe = _probe(path)
    path, info = Path(path), probe.info
    if depth != probe.pixels.startswith("gray16"):
        kinds = ("colour", "depth") if depth else ("depth", "colour")
        raise DiffSignError(f"clip '{path}' is a {kinds[0]} clip, but a {kinds[1]} clip was expected; check the paths.")
    if probe.lossless and (reason := find_damage(path, frames=True)):
        raise _damaged(path, reason)
    pixels = _PIXELS["depth" if depth else "alpha" if alpha else "color"][0]
    channels = 4 if alpha else 3
    shape, kind = ((info.height, info.width), "<u2") if depth else ((info.height, info.width, channels), "u1")
    count = 0
    for count, frame in enumerate(_frames(path, pixels, info.width * info.height * (2 if depth else channels)), 1):  # noqa: B007
        yield np.frombuffer(frame, dtype=kind).reshape(shape)
    if count == 0 or (probe.lossless and count != info.frames):
        raise _damaged(path, f"it holds {count} frames instead of {info.frames}")


def is_transparent(path: str | Path) -> bool:
    """Tell whether a clip of this package keeps opacity beside RGB."""
    return _probe(path).pixels == _PIXELS["alpha"][1]


def read_clip(path: str | Path, depth: bool = False) -> tuple[NDArray[Any], ClipInfo]:
    """Return all frames, (T, H, W, 3) uint8 RGB or (T, H, W) uint16 with ``depth``, and the clip's info."""
    frames = np.stack(list(iter_clip(path, depth)))
    info = probe_clip(path)
    return frames, ClipInfo(info.width, info.height, info.fps, len(frames))


class ClipWriter:
    """Write a clip frame by frame; the file appears when the ``with`` block ends without an error.

    Args:
        path: ``.mkv`` for the lossless clip of the pipeline; a film to look at (``.mp4``: H.264, yuv420p), or for
            editors (``.webm``: VP9, ``.mov``: ProRes 4444).
        width: pixels. A film of odd size is padded by one row or column of black.
        height: pixels.
        fps: frames per second.
        depth: frames are (H, W) uint16 instead of (H, W, 3) uint8 RGB; ``.mkv`` only.
        alpha: frames are (H, W, 4) uint8, RGB and opacity; not ``.mp4``. Whoever reads RGB gets the first three.
        audio: a file whose sound is put beside the pictures, as long as they last; films only. An empty file
            (0 bytes) is what ``diffsign ingest`` writes for a source without sound.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        fps: float,
        *,
        depth: bool = False,
        alpha: bool = False,
        audio: str | Path | None = None,
    ) -> None:
        self.path = Path(path)
        self.kind: Kind = "depth" if depth else "alpha" if alpha else "color"
        self.shape = (height, width) if depth else (height, width, 4 if alpha else 3)
        self.dtype = np.dtype("<u2") if depth else np.dtype("u1")
        self.fps = fps
        self.audio = Path(audio) if audio is not None and self.path.suffix in FILMS and holds_any(audio) else None
        if alpha and self.path.suffix in FILMS and not FILMS[self.path.suffix].transparent:
            raise DiffSignError(f"'{self.path}' cannot be transparent; give it the suffix .webm or .mov.")
        self.frames = 0
        self._files = ExitStack()

    def _command(self, target: Path) -> list[str]:
        height, width = self.shape[:2]
        piped, stored = _PIXELS[self.kind]
        pipe = ffmpeg.input(
            "pipe:0", format="rawvideo", pix_fmt=piped, s=f"{width}x{height}", framerate=str(exact_rate(self.fps))
        )
        if self.path.suffix in FILMS:
            encoder = options(*FILMS[self.path.suffix].pictures)
            encoder["vf"] = f"{FILM_PICTURES},format={encoder['pix_fmt']},{FILM_TAGS}"
        else:
            encoder = {**options(*LOSSLESS), "pix_fmt": stored}
        said = options(*REPRODUCIBLE, *provenance(self.kind))
        return compiled(ffmpeg.output(pipe, str(target.absolute()), **encoder, **said))

    def __enter__(self) -> ClipWriter:
        with ExitStack() as files:
            self._target = files.enter_context(atomic(self.path))
            self._pictures = files.enter_context(temporary_beside(self.path)) if self.audio else self._target
            self._complaints = files.enter_context(tempfile.TemporaryFile())
            self._process = processes.start(
                self._command(self._pictures), stdin=subprocess.PIPE, stderr=self._complaints
            )
            files.callback(processes.stop, self._process)
            self._files = files.pop_all()
        return self

    def write(self, frame: NDArray[Any]) -> None:
        """Append one frame of the shape and dtype the writer was made for."""
        if frame.shape != self.shape or frame.dtype != self.dtype:
            raise ValueError(f"frame is {frame.shape} {frame.dtype}, the clip takes {self.shape} {self.dtype}")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(frame).data)
        except BrokenPipeError:
            self._process.wait()
            raise self._failure() from None
        self.frames += 1

    def _failure(self) -> DiffSignError:
        self._complaints.seek(0)
        reason = why_it_ended(self._process.returncode, self._complaints.read())
        return DiffSignError(f"ffmpeg could not write '{self.path}': {reason}.")

    def _finish(self) -> None:
        if self.frames == 0:
            raise DiffSignError(f"'{self.path}' would hold no frames.")
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        if self._process.wait():
            raise self._failure()
        if self.audio is not None:
            said = {"comment": provenance(self.kind)[1].removeprefix("comment=")}
            seconds = self.frames / exact_rate(self.fps)
            put_together(self._pictures, self._target, seconds, audio=self.audio, metadata=said)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._files.__exit__(kind, value, trace)
            return
        with self._files:
            self._finish()


def write_clip(
    path: str | Path,
    frames: Iterable[NDArray[Any]],
    fps: float,
    *,
    depth: bool = False,
    alpha: bool = False,
    audio: str | Path | None = None,
    preview: str | Path | None = None,
) -> int:
    """Write ``frames`` (of one shape, as :class:`ClipWriter` takes them) to a clip; return how many there were.

    ``preview`` names an ``.mp4`` that is written along, with the sound of ``audio`` if ``path`` is no film itself.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise DiffSignError(f"'{path}' would hold no frames.")
    size = first.shape[1], first.shape[0]
    sound = audio if Path(path).suffix in FILMS else None
    with ExitStack() as stack:
        writers = [stack.enter_context(ClipWriter(path, *size, fps, depth=depth, alpha=alpha, audio=sound))]
        if preview is not None:
            writers.append(stack.enter_context(ClipWriter(preview, *size, fps, audio=None if sound else audio)))
        for frame in chain([first], frames):
            for writer in writers:
                writer.write(frame)
    return writers[0].frames
