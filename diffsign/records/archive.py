"""Typed ``.npz`` archives: a format name, a version, arrays, and never a pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file


def save_archive(path: str | Path, kind: str, version: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Write ``arrays`` and the keys ``format`` and ``version`` to a compressed ``.npz``."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, format=np.array(kind), version=np.array(version), **arrays)


def load_archive(path: str | Path, kind: str, version: int, *, foreign: bool = False) -> dict[str, np.ndarray]:
    """Read an archive written by :func:`save_archive`.

    Args:
        path: the file.
        kind: name of the format that is expected.
        version: newest version that is understood.
        foreign: also take an archive that names no format, made by other hands.

    Raises:
        DiffSignError: if the file is missing, is no ``.npz``, holds another record, or comes from
            a newer version of the format.
    """
    path = require_file(path, f"{kind} file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DiffSignError(f"'{path}' cannot be read as a {kind} file (.npz): {error}.") from error
    if foreign and "format" not in arrays:
        return arrays
    found = str(arrays.pop("format", "no format key"))
    found_version = int(arrays.pop("version", 0))
    if found != kind:
        raise DiffSignError(f"'{path}' holds '{found}', but a '{kind}' file was expected.")
    if found_version > version:
        raise DiffSignError(
            f"'{path}' has {kind} version {found_version}, newer than {version}, which this DiffSign reads; update it."
        )
    return arrays
