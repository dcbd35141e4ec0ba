"""The command ``join``: the chunks of a clip put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.generate.chunks import order_chunks
from diffsign.progress import track
from diffsign.records.clip import ClipInfo, iter_clip, probe_clip, write_clip


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        chunks: files named ``1-of-4.mkv`` and so on, in any order.
        source: the source clip, whose frames are counted.
        audio: sound to put back on the preview, if the file holds any.
    """

    chunks: tuple[Path, ...]
    source: Path
    audio: Path | None = None


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        clip: the lossless clip.
        preview: an ``.mp4`` to look at, with the sound.
    """

    clip: Path
    preview: Path | None = None


def run(inputs: Inputs, outputs: Outputs, *, threads: int | None = None) -> str:
    """Join the chunks of a clip and put the sound back. ``threads`` has no effect.

    Raises:
        DiffSignError: as :func:`joined_frames`.
    """
    info = probe_clip(inputs.source)
    audio = inputs.audio if inputs.audio is not None and inputs.audio.exists() else None
    audio = audio if audio is not None and audio.stat().st_size > 0 else None
    frames = track(joined_frames(inputs.chunks, info), "Frames", info.frames)
    count = write_clip(outputs.clip, frames, info.fps, audio=audio, preview=outputs.preview)
    return f"{outputs.clip}: {count} frames of {len(inputs.chunks)} chunks."


def joined_frames(paths: Sequence[str | Path], source: ClipInfo) -> Iterator[np.ndarray]:
    """Yield the frames of all chunks in order.

    Chunks beyond the clip's number of frames hold a filler (a job has to leave a file) and are passed over.

    Args:
        paths: files named ``1-of-4.mkv`` and so on, in any order.
        source: the clip whose frames they are.

    Raises:
        DiffSignError: if a chunk is missing, differs in size or rate, or the frames are not as many as the source's.
    """
    chunks = order_chunks(paths)[: source.frames]
    first = probe_clip(chunks[0])
    count = 0
    for path in chunks:
        info = probe_clip(path)
        if (info.width, info.height) != (first.width, first.height) or abs(info.fps - source.fps) > 0.01:
            raise DiffSignError(
                f"chunk '{path}' is {info.width}×{info.height} at {info.fps:g} frames/s, "
                f"expected {first.width}×{first.height} at {source.fps:g}; generate it again."
            )
        for frame in iter_clip(path):
            count += 1
            yield frame
    if count != source.frames:
        raise DiffSignError(
            f"the chunks hold {count} frames together, the source {source.frames}; "
            "generate them again with the same source, number of chunks and batch size."
        )
