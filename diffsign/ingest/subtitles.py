"""The subtitles of a source, kept beside its clip."""

# Parts of PyAV come without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import av
from av.packet import Packet

from diffsign import processes
from diffsign.files import temporary_beside
from diffsign.ingest.source import Source
from diffsign.records.ffmpeg import LOCAL_FILE, REPRODUCIBLE, ffmpeg_command, why_it_ended

log = logging.getLogger(__name__)


def write_subtitles(source: Source, start: float, seconds: float, target: Path) -> None:
    """Store a source's subtitles as text (SubRip in Matroska), from the moment at which the clip begins to its end.

    A source without any gives an empty file (0 bytes). Subtitles are never worth losing a video: those that are
    pictures, or that ffmpeg cannot read, are left out and named in the log.

    Args:
        source: the video.
        start: second at which the clip begins.
        seconds: length of the clip.
        target: ``.mks``.
    """
    target.write_bytes(b"")
    if source.pictured_subtitles:
        log.warning("'%s' has subtitles that are pictures; they are left out.", source.path)
    if not source.subtitles:
        return
    with temporary_beside(target) as whole:
        command = ffmpeg_command(
            *(*LOCAL_FILE, "-i", source.path.absolute()),
            *(option for number in source.subtitles for option in ("-map", f"0:{number}")),
            *("-c:s", "srt", *REPRODUCIBLE, "-f", "matroska", whole.absolute()),
        )
        finished = processes.run(command)
        if finished.returncode:
            reason = why_it_ended(finished.returncode, finished.stderr)
            log.warning("The subtitles of '%s' cannot be kept (%s); they are left out.", source.path, reason)
        else:
            _cut(whole, target, list(source.subtitles.values()), start, seconds)


def _cut(whole: Path, target: Path, languages: list[str], start: float, seconds: float) -> None:
    """Copy what is shown from ``start`` on for some seconds; if that is nothing, the target stays empty."""
    with av.open(str(whole.absolute())) as source:
        streams = source.streams.subtitles
        shown: list[tuple[int, Packet[Any]]] = []
        for packet in source.demux(*streams):
            if packet.pts is None or not packet.duration:
                continue
            unit = packet.time_base
            first, last = (round(at / unit) for at in (start, start + seconds))
            begin, end = max(packet.pts, first), min(packet.pts + packet.duration, last)
            if begin < end:
                packet.pts = packet.dts = begin - first
                packet.duration = end - begin
                shown.append((streams.index(packet.stream), packet))
        if not shown:
            return
        with av.open(str(target.absolute()), "w", format="matroska", container_options={"fflags": "+bitexact"}) as out:
            copies = [out.add_stream_from_template(stream) for stream in streams]
            for copy, language in zip(copies, languages, strict=True):
                copy.metadata["language"] = language
            for place, packet in shown:
                packet.stream = copies[place]
                out.mux(packet)
