"""A film put together: finished pictures, sound and subtitles beside them, and what the container says."""

# ffmpeg-python comes without types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import ffmpeg

from diffsign import processes
from diffsign.errors import DiffSignError
from diffsign.records.ffmpeg import FILMS, LOCAL_FILE, REPRODUCIBLE, compiled, options, why_it_ended


def holds_any(path: str | Path | None) -> bool:
    """Tell whether a file of sound or subtitles holds any: ``diffsign ingest`` leaves one of 0 bytes if not."""
    return path is not None and Path(path).stat().st_size > 0


def _languages(subtitles: Path) -> list[str]:
    """Return the language of each of a file's subtitles."""
    with av.open(str(subtitles.absolute()), options={"protocol_whitelist": "file"}) as container:
        return [stream.language or "und" for stream in container.streams.subtitles]


def put_together(
    pictures: Path,
    target: Path,
    seconds: Fraction,
    *,
    audio: str | Path | None = None,
    subtitles: str | Path | None = None,
    metadata: Mapping[str, str],
) -> None:
    """Write a film of finished pictures, whose encoding stays as it is.

    The length is given: left to itself (``-shortest``), ffmpeg before 9.0 never ends where silence is appended.

    Args:
        pictures: a film of the target's kind.
        target: ``.mp4``, ``.webm`` or ``.mov``.
        seconds: how long the pictures last; sound is cut or padded with silence to that.
        audio: a file of sound; None or an empty one for none.
        subtitles: a file of subtitles as text; None or an empty one for none.
        metadata: of the container, by name.

    Raises:
        DiffSignError: if ffmpeg cannot do it.
    """
    kind = FILMS[target.suffix]
    streams: list[Any] = [ffmpeg.input(str(pictures.absolute()), protocol_whitelist="file")["v:0"]]
    said = {f"metadata:g:{number}": f"{name}={value}" for number, (name, value) in enumerate(metadata.items())}
    encoding = {"c:v": "copy", "t": f"{float(seconds):.6f}", "movflags": "+faststart+write_colr"}
    if audio is not None and holds_any(audio):
        streams.append(ffmpeg.input(str(Path(audio).absolute()), **options(*LOCAL_FILE))["a:0"])
        encoding |= {"c:a": kind.sound, "af": "apad"}
    if subtitles is not None and holds_any(subtitles):
        languages = _languages(Path(subtitles))
        source = ffmpeg.input(str(Path(subtitles).absolute()), **options(*LOCAL_FILE))
        streams += [source[f"s:{number}"] for number in range(len(languages))]
        encoding["c:s"] = kind.subtitles
        said |= {f"metadata:s:s:{number}": f"language={language}" for number, language in enumerate(languages)}
    # Files of one suffix are of one kind of container, which passes over what it does not know.
    if target.suffix == ".webm":
        encoding.pop("movflags")
    command = ffmpeg.output(*streams, str(target.absolute()), threads=1, **encoding, **options(*REPRODUCIBLE), **said)
    finished = processes.run(compiled(command))
    if finished.returncode:
        beside = " and ".join(f"'{path}'" for path in (audio, subtitles) if holds_any(path))
        raise DiffSignError(
            f"{beside or 'pictures'} cannot be put into '{target}': "
            f"{why_it_ended(finished.returncode, finished.stderr)}{'; leave it out' if beside else ''}."
        )
