"""Checking a clip's file by the checksums that Matroska keeps.

ffmpeg puts a CRC-32 before the content of every element below the segment, so that together they cover all that
matters in the file: sizes, rate, tags, index and frames. ffmpeg's own reader does not look at them.

Source: RFC 8794 (EBML), RFC 9559 (Matroska).
"""

from __future__ import annotations

import mmap
import zlib
from pathlib import Path

_HEADER, _SEGMENT, _VOID, _CRC, _CLUSTER = 0x1A45DFA3, 0x18538067, 0xEC, 0xBF, 0x1F43B675


class _DamageError(Exception):
    """What is wrong with the file."""


def _number(data: mmap.mmap, at: int, *, marked: bool) -> tuple[int, int]:
    """Return a number of variable length, with its length marker (ids) or without, and where it ends."""
    if at >= len(data) or data[at] == 0:
        raise _DamageError("it ends early or its structure is broken")
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big")
    return (value if marked else value & ((1 << (7 * length)) - 1)), at + length


def _element(data: mmap.mmap, at: int, end: int) -> tuple[int, int, int]:
    """Return id, start and end of the content of the element at ``at``."""
    identifier, at = _number(data, at, marked=True)
    size, start = _number(data, at, marked=False)
    if start + size > end:
        raise _DamageError("it is cut short" if identifier == _SEGMENT else "its structure is broken")
    return identifier, start, start + size


def _has_checksum(data: mmap.mmap, start: int, end: int) -> bool:
    return end - start >= 6 and data[start] == _CRC and data[start + 1] == 0x84


def _check(data: mmap.mmap, frames: bool) -> None:
    identifier, start, end = _element(data, 0, len(data))
    if identifier != _HEADER:
        return
    identifier, at, stop = _element(data, end, len(data))
    if identifier != _SEGMENT or stop != len(data):
        raise _DamageError("its structure is broken")
    checked, unchecked = 0, 0
    while at < stop:
        identifier, start, at = _element(data, at, stop)
        if identifier == _VOID:
            continue
        if not _has_checksum(data, start, at):
            unchecked += 1
            continue
        checked += 1
        if identifier == _CLUSTER and not frames:
            continue
        if zlib.crc32(memoryview(data)[start + 6 : at]) != int.from_bytes(data[start + 2 : start + 6], "little"):
            raise _DamageError("a checksum does not match")
    if checked and unchecked:
        raise _DamageError("a checksum is missing")


def find_damage(path: Path, *, frames: bool) -> str | None:
    """Return what is damaged in a clip's file, None if nothing is.

    Args:
        path: a Matroska file as ffmpeg writes it. Other files are not judged: nothing is found in them.
        frames: also check the frames, which takes as long as reading the file.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            _check(data, frames)
        except _DamageError as damage:
            return str(damage)
    return None
