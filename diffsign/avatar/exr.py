"""Reading the uncompressed OpenEXR files that Blender writes for us (OpenEXR file layout, version 2, scan lines)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

MAGIC = 20000630
#: Bits of the second version byte that mark tiles, deep data and several parts (long names are fine).
NOT_PLAIN = 0b11010
PIXEL_TYPES = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}


def _text(data: bytes, start: int) -> tuple[str, int]:
    end = data.index(0, start)
    return data[start:end].decode(), end + 1


def _header(data: bytes) -> tuple[dict[str, bytes], int]:
    attributes, at = {}, 8
    while data[at]:
        name, at = _text(data, at)
        _, at = _text(data, at)
        (size,) = struct.unpack_from("<i", data, at)
        attributes[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return attributes, at + 1


def _channels(listing: bytes) -> dict[str, np.dtype]:
    channels, at = {}, 0
    while listing[at]:
        name, at = _text(listing, at)
        (kind,) = struct.unpack_from("<i", listing, at)
        channels[name] = PIXEL_TYPES[kind]
        at += 16
    return channels


def read_exr(path: str | Path) -> dict[str, np.ndarray]:
    """Read an uncompressed, single-part, scan-line OpenEXR file.

    Args:
        path: the file.

    Returns:
        Every channel by its full name (``ViewLayer.Combined.R``), (H, W) in the type it is stored in.

    Raises:
        ValueError: if the file is no OpenEXR file, is cut short, or is of another kind.
    """
    data = Path(path).read_bytes()
    if len(data) < 8 or struct.unpack_from("<i", data)[0] != MAGIC:
        raise ValueError(f"'{path}' is no OpenEXR file")
    attributes, at = _header(data)
    if attributes["compression"] != b"\0" or data[5] & NOT_PLAIN:
        raise ValueError(f"'{path}' is compressed, tiled or of several parts; only plain scan lines are read")
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    channels = _channels(attributes["channels"])
    line = np.dtype([("y", "<i4"), ("size", "<i4"), *((name, kind, (width,)) for name, kind in channels.items())])
    start = at + 8 * height
    if len(data) < start + line.itemsize * height:
        raise ValueError(f"'{path}' is cut short")
    lines = np.frombuffer(data, dtype=line, count=height, offset=start)
    order = np.argsort(lines["y"])
    return {name: lines[name][order] for name in channels}
