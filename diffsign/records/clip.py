"""Clips: Matroska with FFV1 (lossless RGB, or 16-bit grey for depth) at a constant frame rate.

Nothing else in the package reads or writes pictures of a clip.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType

import ffmpeg
import imageio_ffmpeg
import numpy as np

from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file
from diffsign.records.ffmpeg import ffmpeg_binary, last_complaint

#: Rates that containers print rounded to two decimals.
NTSC_RATES = {23.98: Fraction(24000, 1001), 29.97: Fraction(30000, 1001), 59.94: Fraction(60000, 1001)}


@dataclass(frozen=True)
class ClipInfo:
    """Size and timing of a clip: pixels, frames per second, number of frames."""

    width: int
    height: int
    fps: float
    frames: int


def exact_rate(fps: float) -> Fraction:
    """Return the frame rate as a fraction, NTSC rates as the standards define them."""
    return NTSC_RATES.get(round(fps, 2), Fraction(fps).limit_denominator(1001))


def _decode(path: Path, depth: bool, what: str) -> Iterator:
    pixels = ("gray16le", 16) if depth else ("rgb24", 24)
    try:
        yield from imageio_ffmpeg.read_frames(str(path.absolute()), pix_fmt=pixels[0], bits_per_pixel=pixels[1])
    except (OSError, RuntimeError, IndexError) as error:
        raise DiffSignError(f"{what} '{path}' cannot be decoded as video: {last_complaint(str(error))}.") from error


def _open(path: str | Path, depth: bool, what: str = "clip") -> tuple[ClipInfo, Iterator[bytes]]:
    ffmpeg_binary()
    path = require_file(path, what)
    stream = _decode(path, depth, what)
    meta = next(stream)
    width, height = meta["size"]
    fps = float(exact_rate(meta["fps"] or 0)) if meta["fps"] else 0.0
    if not width or not height or not fps:
        raise DiffSignError(f"{what} '{path}' has no video stream (or no frame rate); give a video file.")
    return ClipInfo(width, height, fps, round(meta["duration"] * fps)), stream


def probe_clip(path: str | Path) -> ClipInfo:
    """Return size, rate and length of a clip without decoding it all."""
    info, stream = _open(path, depth=False)
    stream.close()  # type: ignore[attr-defined]
    return info


def iter_clip(path: str | Path, depth: bool = False) -> Iterator[np.ndarray]:
    """Yield the frames of a clip.

    Args:
        path: the clip.
        depth: read 16-bit grey instead of 8-bit RGB.

    Yields:
        (H, W, 3) uint8 RGB, or (H, W) uint16 with ``depth``.

    Raises:
        DiffSignError: if the file is missing or does not decode.
    """
    info, stream = _open(path, depth)
    shape, kind = ((info.height, info.width), "<u2") if depth else ((info.height, info.width, 3), "u1")
    for frame in stream:
        yield np.frombuffer(frame, dtype=kind).reshape(shape)


def read_clip(path: str | Path, depth: bool = False) -> tuple[np.ndarray, ClipInfo]:
    """Return all frames, (T, H, W, 3) uint8 RGB or (T, H, W) uint16 with ``depth``, and the clip's info."""
    frames = list(iter_clip(path, depth))
    if not frames:
        raise DiffSignError(f"clip '{path}' holds no frames; make it again.")
    info = probe_clip(path)
    return np.stack(frames), ClipInfo(info.width, info.height, info.fps, len(frames))


class ClipWriter:
    """Write a clip frame by frame; the file appears when the ``with`` block ends without an error.

    Args:
        path: ``.mkv`` for the lossless clip of the pipeline, ``.mp4`` (H.264, yuv420p, faststart) to look at.
        width: pixels. An ``.mp4`` of odd size is padded by one row or column of black.
        height: pixels.
        fps: frames per second.
        depth: frames are (H, W) uint16 instead of (H, W, 3) uint8 RGB; ``.mkv`` only.
        alpha: frames are (H, W, 4) uint8, RGB and opacity; ``.mkv`` only. Whoever reads RGB gets the first three.
        audio: a file whose sound is put beside the pictures, as long as they last; ``.mp4`` only. An empty file
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
        self.shape = (height, width) if depth else (height, width, 4 if alpha else 3)
        self.dtype = np.dtype("<u2") if depth else np.dtype("u1")
        self.fps = fps
        self.audio = audio
        self.frames = 0

    def _start(self, target: Path) -> subprocess.Popen:
        height, width = self.shape[:2]
        # What is piped in, and what FFV1 keeps, by the shape of a frame without height and width.
        pixels, stored = {(): ("gray16le", "gray16le"), (3,): ("rgb24", "bgr0"), (4,): ("rgba", "bgra")}[self.shape[2:]]
        streams = [
            ffmpeg.input(
                "pipe:", format="rawvideo", pix_fmt=pixels, s=f"{width}x{height}", framerate=exact_rate(self.fps)
            )
        ]
        if self.path.suffix == ".mp4":
            streams[0] = streams[0].filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2")
            options = {"vcodec": "libx264", "pix_fmt": "yuv420p", "crf": 16, "movflags": "+faststart"}
            if self.audio is not None and Path(self.audio).stat().st_size > 0:
                # Silence is appended without end, so that the pictures alone say when the file is over.
                streams.append(ffmpeg.input(str(self.audio)).audio.filter("apad"))
                options |= {"acodec": "aac", "shortest": None}
        else:
            options = {
                "vcodec": "ffv1",
                "level": 3,
                "slicecrc": 1,
                "pix_fmt": stored,
            }
        command = ffmpeg.output(
            *streams, str(target), loglevel="error", fflags="+bitexact", **options
        ).overwrite_output()
        return subprocess.Popen(command.compile(cmd=ffmpeg_binary()), stdin=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self) -> ClipWriter:
        self._atomic = atomic(self.path)
        self._process = self._start(self._atomic.__enter__())
        return self

    def write(self, frame: np.ndarray) -> None:
        """Append one frame of the shape and dtype the writer was made for."""
        if frame.shape != self.shape or frame.dtype != self.dtype:
            raise ValueError(f"frame is {frame.shape} {frame.dtype}, the clip takes {self.shape} {self.dtype}")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(frame).tobytes())
        except BrokenPipeError:
            self._fail()
        self.frames += 1

    def _fail(self) -> None:
        _, stderr = self._process.communicate()
        raise DiffSignError(f"ffmpeg could not write '{self.path}': {last_complaint(stderr)}.")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None:
                self._process.kill()
                self._process.communicate()
                self._atomic.__exit__(kind, value, trace)
                return
            if self.frames == 0:
                raise DiffSignError(f"'{self.path}' would hold no frames.")
            _, stderr = self._process.communicate()
            if self._process.returncode:
                raise DiffSignError(f"ffmpeg could not write '{self.path}': {last_complaint(stderr)}.")
        except DiffSignError as error:
            if kind is None:
                self._process.kill()
                self._process.communicate()
                self._atomic.__exit__(type(error), error, error.__traceback__)
            raise
        self._atomic.__exit__(None, None, None)


def write_clip(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: float,
    *,
    depth: bool = False,
    audio: str | Path | None = None,
    preview: str | Path | None = None,
) -> int:
    """Write ``frames`` (of one shape, as :class:`ClipWriter` takes them) to a clip; return how many there were.

    ``preview`` names an ``.mp4`` that is written along, with the sound of ``audio`` if ``path`` is no ``.mp4`` itself.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise DiffSignError(f"'{path}' would hold no frames.")
    size = first.shape[1], first.shape[0]
    sound = audio if Path(path).suffix == ".mp4" else None
    with ExitStack() as stack:
        writers = [stack.enter_context(ClipWriter(path, *size, fps, depth=depth, audio=sound))]
        if preview is not None:
            writers.append(stack.enter_context(ClipWriter(preview, *size, fps, audio=None if sound else audio)))
        for frame in chain([first], frames):
            for writer in writers:
                writer.write(frame)
    return writers[0].frames
