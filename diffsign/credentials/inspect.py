"""What a film says of itself, and whether it is unchanged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error

from diffsign.credentials import c2pa_file
from diffsign.errors import DiffSignError
from diffsign.files import require_file

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


def run(inputs: Inputs, outputs: Outputs, settings: None = None, *, threads: int = 1) -> str:
    """Verify a film's credentials and print what it states.

    Returns:
        Lines for a person to read.

    Raises:
        DiffSignError: if the film carries no credentials, or was changed after it was signed.
    """
    metadata = container_metadata(inputs.film)
    found = c2pa_file.read(inputs.film, inputs.trusted)
    if found is None:
        says = f" Its container says: {metadata['comment']}" if metadata.get("comment") else ""
        raise DiffSignError(
            f"'{inputs.film}' carries no content credentials; nothing proves where it comes from.{says}"
        )
    if found.state == "invalid":
        raise DiffSignError(
            f"'{inputs.film}' was changed after '{found.issuer}' signed it ({', '.join(found.problems) or 'invalid'}); "
            "what it says of itself cannot be relied on."
        )
    stated = found.statement if found.statement is not None else {"statement": "none by DiffSign"}
    return "\n".join([f"credentials: {found.state}, {STATES[found.state]}", f"issuer: {found.issuer}", *_lines(stated)])


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
