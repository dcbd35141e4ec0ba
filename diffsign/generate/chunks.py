"""A clip cut into chunks, such that every frame is the same pixels whatever the cut.

Networks round differently for batches of different size or company, so the windows that are denoised together
(:mod:`diffsign.generate.windows`) are cut first, from the whole clip, and a chunk computes every window that holds
a frame of its own. A window that two chunks need is computed in both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from diffsign.errors import DiffSignError


def parse_chunk(text: str) -> tuple[int, int]:
    """Return (1, 4) for ``1-of-4``, as Snakemake's scattergather names its items."""
    match = re.fullmatch(r"(\d+)-of-(\d+)", text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise DiffSignError(f"chunk '{text}' is none; expected i-of-n with i from 1 to n, such as 1-of-4.")
    return int(match[1]), int(match[2])


def chunk_range(frames: int, chunk: int, chunks: int, batch_size: int) -> range:
    """Return the frames of one chunk, counted from 0.

    The chunks follow one another and cover the clip; none is empty unless there are more chunks than frames
    (the first ``frames`` chunks then have one frame each).

    Args:
        frames: of the whole clip.
        chunk: from 1 to ``chunks``.
        chunks: into how many the clip is cut.
        batch_size: frames that are denoised together.
    """
    batches = -(-frames // batch_size)
    if chunks > frames:
        return range(min(chunk - 1, frames), min(chunk, frames))
    if chunks > batches:
        return range((chunk - 1) * frames // chunks, chunk * frames // chunks)
    first, last = (chunk - 1) * batches // chunks, chunk * batches // chunks
    return range(first * batch_size, min(last * batch_size, frames))


def order_chunks(paths: Sequence[str | Path]) -> list[Path]:
    """Return chunk files in the order of their names (``1-of-4.mkv``, …), having seen that none is missing.

    Raises:
        DiffSignError: if a name is no chunk's, or chunks are missing, doubled or of another cut.
    """
    named = []
    for path in map(Path, paths):
        number, total = parse_chunk(path.stem)
        named.append((number, total, path))
    totals = sorted({total for _, total, _ in named})
    if len(totals) != 1:
        raise DiffSignError(f"the chunks are of different cuts (of {', '.join(map(str, totals))}); give those of one.")
    numbers = [number for number, _, _ in named]
    lost = sorted(set(range(1, totals[0] + 1)) - set(numbers))
    if lost or len(set(numbers)) != len(numbers):
        what = f"{lost[0]}-of-{totals[0]} is missing" if lost else "one is given twice"
        raise DiffSignError(f"the chunks do not make a clip: {what}.")
    return [path for _, _, path in sorted(named)]
