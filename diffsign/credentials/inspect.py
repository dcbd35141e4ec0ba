"""What a film says of itself, and whether it is unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from diffsign.credentials import c2pa_file
from diffsign.credentials.invisible import look_for
from diffsign.errors import DiffSignError
from diffsign.files import require_file

#: Frames that the invisible mark is looked for in: so many, and one of so many from the beginning.
FRAMES, EVERY = 60, 2
#: Films that have no place for credentials.
NO_CREDENTIALS = (".webm", ".mkv")

STATES = {
    "trusted": "unchanged since it was signed, by a certificate that you trust",
    "valid": "unchanged since it was signed; whether to trust the certificate is for you to say (--trusted)",
}


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        film: the film.
        trusted: certificates (PEM) whose films are trusted; None for none.
    """

    film: Path
    trusted: Path | None = None


@dataclass(frozen=True)
class Outputs:
    """Nothing is written."""


def container_metadata(film: Path) -> dict[str, str]:
    """Return the metadata of a film's container, by names in small letters (Matroska and WebM have capitals).

    Raises:
        DiffSignError: if it cannot be opened as a film.
    """
    film = require_file(film, "film")
    try:
        with av.open(str(film.absolute()), options={"protocol_whitelist": "file"}) as container:
            return {name.lower(): value for name, value in container.metadata.items()}
    except av.error.FFmpegError as error:
        raise DiffSignError(f"'{film}' cannot be opened as a film ({error}); give a video file.") from error


def frames_of(film: Path) -> Iterator[np.ndarray]:
    """Yield frames (H, W, 3) uint8 from the beginning of a film: those that the mark is looked for in."""
    with av.open(str(film.absolute()), options={"protocol_whitelist": "file"}) as container:
        for frame in islice(container.decode(video=0), 0, FRAMES * EVERY, EVERY):
            yield frame.to_ndarray(format="rgb24")


def invisible_mark(film: Path) -> str:
    """Return what the pictures of a film say by themselves, in a sentence."""
    try:
        trace = look_for(frames_of(film))
    except (av.error.FFmpegError, IndexError, ValueError):
        return "its pictures cannot be read"
    if not trace.there:
        return "none in its pictures"
    size = "" if trace.scale == 1 else f", at {100 * trace.scale:.0f} % of the size that it was made at"
    return f"found in its pictures{size}: they were made by DiffSign (score {trace.score:.1f})"


def run(inputs: Inputs, outputs: Outputs, settings: None = None, *, threads: int = 1) -> str:
    """Verify a film's credentials and print what it states.

    Returns:
        Lines for a person to read.

    Raises:
        DiffSignError: if the film carries no credentials, or was changed after it was signed.
    """
    metadata = container_metadata(inputs.film)
    carries = inputs.film.suffix.lower() not in NO_CREDENTIALS
    found = c2pa_file.read(inputs.film, inputs.trusted) if carries else None
    mark = invisible_mark(inputs.film)
    if found is None:
        says = f" Its container says: {metadata['comment']}" if metadata.get("comment") else ""
        raise DiffSignError(
            f"'{inputs.film}' carries no content credentials; nothing proves where it comes from.{says} "
            f"Invisible mark: {mark}."
        )
    if found.state == "invalid":
        raise DiffSignError(
            f"'{inputs.film}' was changed after '{found.issuer}' signed it ({', '.join(found.problems) or 'invalid'}); "
            f"what it says of itself cannot be relied on. Invisible mark: {mark}."
        )
    stated = found.statement if found.statement is not None else {"statement": "none by DiffSign"}
    known = [f"credentials: {found.state}, {STATES[found.state]}", f"issuer: {found.issuer}", f"invisible mark: {mark}"]
    return "\n".join([*known, *_lines(stated)])


def _lines(stated: dict[str, Any], indent: str = "") -> list[str]:
    """Return the statement as lines, nested ones indented."""
    lines = []
    for name, value in stated.items():
        if value in (None, "", [], {}):
            continue
        title = f"{indent}{name.replace('_', ' ')}:"
        if isinstance(value, dict):
            lines += [title, *_lines(value, indent + "  ")]
        elif isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            lines += [title, *(f"{indent}  {json.dumps(entry, ensure_ascii=False)}" for entry in value)]
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            lines.append(f"{title} {text}")
    return lines
