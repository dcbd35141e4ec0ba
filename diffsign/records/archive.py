"""Typed ``.npz`` archives: a format name, a version, a checksum, arrays that fit together, and never a pickle."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file

Arrays = dict[str, NDArray[Any]]

#: Kinds of numpy's dtypes that a kind of array may have.
_KINDS = {"float": "f", "whole": "iu", "number": "fiu", "yes or no": "b", "text": "U"}


@dataclass(frozen=True)
class Array:
    """What an array of a record must be.

    Attributes:
        shape: lengths of its axes; a letter stands for a length that is the same wherever the letter appears, and at
            least 1.
        kind: what its numbers are.
        required: the record is worth nothing without it.
        finite: NaN and infinity are refused.
        positive: only numbers above 0 are taken.
    """

    shape: tuple[int | str, ...]
    kind: Literal["float", "whole", "number", "yes or no", "text"] = "float"
    required: bool = True
    finite: bool = True
    positive: bool = False

    def problem(self, array: NDArray[Any], lengths: dict[str, int]) -> str | None:
        """Return what is wrong with an array, None if nothing is; ``lengths`` of letters are remembered."""
        if array.dtype.kind not in _KINDS[self.kind]:
            return f"has values of type {array.dtype}, but {self.kind} was expected"
        known = [lengths.get(axis, axis) if isinstance(axis, str) else axis for axis in self.shape]
        fits = array.ndim == len(known) and all(
            length == axis or (isinstance(axis, str) and length > 0)
            for length, axis in zip(array.shape, known, strict=True)
        )
        if not fits:
            return f"has the shape {array.shape}, but ({', '.join(map(str, known))}) was expected"
        lengths.update({axis: n for axis, n in zip(self.shape, array.shape, strict=True) if isinstance(axis, str)})
        if self.kind in ("float", "number") and self.finite and not np.isfinite(array).all():
            return "holds non-finite values"
        if self.positive and not (array > np.array(0, array.dtype)).all():
            return "holds values that are not above 0"
        return None


Schema = Mapping[str, Array]


def check_arrays(arrays: Mapping[str, NDArray[Any]], schema: Schema, where: str) -> None:
    """Raise :class:`DiffSignError`, naming ``where`` and the array, if ``arrays`` are not what ``schema`` says."""
    lengths: dict[str, int] = {}
    for name, wanted in schema.items():
        if name not in arrays:
            if wanted.required:
                raise DiffSignError(f"{where}: '{name}' is missing; make the file again.")
        elif problem := wanted.problem(np.asarray(arrays[name]), lengths):
            raise DiffSignError(f"{where}: '{name}' {problem}; make the file again.")
    if unknown := sorted(set(arrays) - set(schema)):
        raise DiffSignError(f"{where}: '{unknown[0]}' is no part of such a file; make the file again.")


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {np.shape(arrays[name])}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def save_archive(
    path: str | Path,
    kind: str,
    version: int,
    arrays: Mapping[str, NDArray[Any]],
    schema: Schema | None = None,
) -> None:
    """Write ``arrays`` with the keys ``format``, ``version`` and ``checksum`` to a compressed ``.npz``.

    Raises:
        DiffSignError: if the arrays are not what ``schema`` says.
    """
    if schema is not None:
        check_arrays(arrays, schema, f"'{path}' would be no {kind} file")
    whole = {"format": np.array(kind), "version": np.array(version), **arrays}
    content = io.BytesIO()  # a disk that is full must not meet numpy's open archive
    np.savez_compressed(content, checksum=np.array(_checksum(whole)), **whole)  # pyright: ignore[reportArgumentType]
    with atomic(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def _read(path: Path, kind: str) -> Arrays:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    # A damaged archive ends in zlib.error, BadZipFile, KeyError, NotImplementedError, MemoryError, ….
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise DiffSignError(
            f"'{path}' cannot be read as a {kind} file (.npz): {reason}; it is damaged, or no such file."
        ) from error


def load_archive(
    path: str | Path, kind: str, version: int, schema: Schema | None = None, *, foreign: bool = False
) -> Arrays:
    """Read an archive written by :func:`save_archive`, of this version or an earlier one.

    Args:
        path: the file.
        kind: name of the format that is expected.
        version: newest version that is understood.
        schema: what must be in it; not checked if None.
        foreign: also take an archive that names no format, made by other hands.

    Raises:
        DiffSignError: if the file is missing, damaged, no ``.npz``, holds another record, comes from a newer version
            of the format, or does not hold what ``schema`` says.
    """
    path = require_file(path, f"{kind} file")
    arrays = _read(path, kind)
    if foreign and "format" not in arrays:
        return arrays
    checksum = arrays.pop("checksum", None)
    if checksum is not None and str(checksum) != _checksum(arrays):
        raise DiffSignError(f"'{path}' is damaged: its checksum does not match; make the file again.")
    found, found_version = str(arrays.pop("format", "no format key")), arrays.pop("version", np.array(0))
    if found != kind:
        raise DiffSignError(f"'{path}' holds '{found}', but a '{kind}' file was expected.")
    if found_version.shape != () or found_version.dtype.kind not in "iu":
        raise DiffSignError(f"'{path}' names no version of its format; make the file again.")
    if int(found_version) > version:
        raise DiffSignError(
            f"'{path}' has {kind} version {found_version}, newer than {version}, which this DiffSign reads; update it."
        )
    if schema is not None:
        check_arrays(arrays, schema, f"{kind} file '{path}'")
    return arrays
