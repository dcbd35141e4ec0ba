"""The sound of a source, kept beside its clip."""

from __future__ import annotations

from pathlib import Path

from diffsign import processes
from diffsign.errors import DiffSignError
from diffsign.ingest.source import Source
from diffsign.ingest.window import Trim
from diffsign.records.ffmpeg import LOCAL_FILE, REPRODUCIBLE, ffmpeg_command, why_it_ended


def trim_options(trim: Trim, limit: float | None = None) -> list[str]:
    """Return ffmpeg's options before ``-i``: there they seek, so that what lies before the trim is not decoded."""
    length = limit if trim.end is None else trim.end - trim.start
    return [*(["-ss", f"{trim.start:.6f}"] if trim.start else []), *(["-t", f"{length:.6f}"] if length else [])]


def write_sound(source: Source, trim: Trim, target: Path) -> None:
    """Store a source's sound as FLAC, from the moment at which the clip begins.

    Sound that begins later than the pictures gets silence before it. A source without sound gives an empty file
    (0 bytes), which :class:`diffsign.records.clip.ClipWriter` takes as silence.
    """
    if source.audio is None:
        target.write_bytes(b"")
        return
    command = ffmpeg_command(
        *(*LOCAL_FILE, *trim_options(trim), "-i", source.path.absolute(), "-map", f"0:{source.audio}"),
        *("-af", "aresample=first_pts=0", "-c:a", "flac", *REPRODUCIBLE, "-f", "matroska", target.absolute()),
    )
    finished = processes.run(command)
    if finished.returncode:
        raise DiffSignError(
            f"the sound of '{source.path}' cannot be kept ({why_it_ended(finished.returncode, finished.stderr)}); "
            "take it out of the file, or convert it."
        )
