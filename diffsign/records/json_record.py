"""Records as JSON: a format name, a version and a checksum beside the values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file


def checksum_of(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of values, whatever their order and layout in a file."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no value")


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; raise ``ValueError`` for anything else, NaN, infinity and bottomless nesting included."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def save_record(path: str | Path, kind: str, version: int, values: Mapping[str, Any], *, indent: int = 2) -> None:
    """Write ``values`` (what JSON holds) with ``format``, ``version`` and ``checksum``."""
    record: dict[str, Any] = {"format": kind, "version": version, **values}
    record["checksum"] = checksum_of(record)
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(record, indent=indent, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def load_record(path: str | Path, kind: str, version: int, what: str) -> tuple[dict[str, Any], int]:
    """Return the values of a record and the version that wrote them.

    Args:
        path: the file.
        kind: name of the format that is expected.
        version: newest version that is understood.
        what: what the file is and how it is made, for errors, such as "metrics file (from `diffsign evaluate`)".

    Raises:
        DiffSignError: if the file is missing, damaged, no JSON, another record, or from a newer version.
    """
    path = require_file(path, what)
    try:
        loaded = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:  # includes UnicodeDecodeError and JSONDecodeError
        raise DiffSignError(f"'{path}' is no {what}: it is not JSON ({error}).") from error
    if not isinstance(loaded, dict):
        raise DiffSignError(f"'{path}' is no {what}: it holds a {type(loaded).__name__} instead of keys and values.")
    record = cast("dict[str, Any]", loaded)
    if record.get("format") != kind:
        raise DiffSignError(f"'{path}' is no {what}: it holds '{record.get('format', 'no format key')}', not '{kind}'.")
    checksum = record.pop("checksum", None)
    if checksum is not None and checksum != checksum_of(record):
        raise DiffSignError(f"'{path}' is damaged or was edited: its checksum does not match; make it again.")
    found = record.pop("version", 0)
    if isinstance(found, bool) or not isinstance(found, int) or found > version:
        raise DiffSignError(f"'{path}' has {kind} version {found}, newer than {version}; update DiffSign.")
    del record["format"]
    return record, found
