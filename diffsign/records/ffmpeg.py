"""Which ffmpeg runs, what it may open, how it encodes, and what it complains about."""

# imageio-ffmpeg comes without types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from diffsign import processes
from diffsign.errors import DiffSignError

#: Environment variable by which a user chooses the ffmpeg: ``system``, or the path of a program.
VARIABLE = "DIFFSIGN_FFMPEG"

#: Containers that are opened. What is missing here points to other files or to the network (playlists, scripts).
FORMATS = (
    "3g2,3gp,aiff,apng,asf,avi,avs2,dv,dvd,flac,flv,gif,gxf,h261,h263,h264,hevc,image2pipe,ivf,m4a,m4v,matroska,mj2,mjpeg,"
    "mov,mp3,mp4,mpeg,mpegts,mpegvideo,mxf,nsv,nut,obu,ogg,rawvideo,rm,roq,swf,vc1,vob,wav,webm,webp_pipe,wtv,"
    "yuv4mpegpipe"
)
#: Options before ``-i`` of a file: ffmpeg reads that file, and nothing that it names.
LOCAL_FILE = ("-protocol_whitelist", "file", "-format_whitelist", FORMATS)

#: FFV1 with a checksum in every slice. The number of slices is fixed, so that bytes do not depend on the processors.
LOSSLESS = ("-c:v", "ffv1", "-level", "3", "-slicecrc", "1", "-slices", "4")
#: Pictures of films: of even size, and in numbers that every player reads alike because their tags say what they are.
FILM_PICTURES = "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv"
#: What the frames are tagged with, for encoders that look at frames and not at options.
FILM_TAGS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
_BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
#: H.264 to look at. x264 writes other bytes for other numbers of threads, hence one; so does libvpx.
VIEWING = (
    *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "16", "-threads", "1", "-movflags", "+faststart"),
    *_BT709,
)
#: VP9 and ProRes 4444, with transparency, for editors.
VP9 = (
    *("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-crf", "18", "-b:v", "0", "-auto-alt-ref", "0"),
    *("-deadline", "good", "-cpu-used", "4", "-threads", "1", *_BT709),
)
PRORES = (
    *("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le", "-alpha_bits", "16"),
    *("-vendor", "apl0", "-movflags", "+write_colr", "-threads", "1", *_BT709),
)


@dataclass(frozen=True)
class FilmKind:
    """How a film of one suffix is encoded.

    Attributes:
        pictures: options of its pictures.
        sound: codec of its sound.
        subtitles: codec of its subtitles.
        transparent: whether pictures may be.
    """

    pictures: tuple[str, ...]
    sound: str
    subtitles: str
    transparent: bool = True


#: Films by suffix.
FILMS = {
    ".mp4": FilmKind(VIEWING, "aac", "mov_text", transparent=False),
    ".webm": FilmKind(VP9, "libopus", "webvtt"),
    ".mov": FilmKind(PRORES, "pcm_s16le", "mov_text"),
}
#: Status of an ffmpeg that a signal has ended and that had time to say so.
_ENDED_BY_SIGNAL = 255
#: No encoder versions and no dates, so that the same frames give the same file.
REPRODUCIBLE = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")


@cache
def _program(choice: str) -> str:
    if not choice:
        try:
            return imageio_ffmpeg.get_ffmpeg_exe()
        except RuntimeError:  # a platform for which imageio-ffmpeg carries no program
            choice = "system"
    program = shutil.which("ffmpeg" if choice == "system" else str(Path(choice).expanduser()))
    if program is None:
        raise DiffSignError(
            f"{VARIABLE} is '{choice}', but there is no such program; give the path of an ffmpeg, 'system' for the one "
            "that is installed, or leave it out for the one that comes with DiffSign."
        )
    return program


def ffmpeg_binary() -> str:
    """Return the ffmpeg to run: the one that ``imageio-ffmpeg`` carries, or what ``DIFFSIGN_FFMPEG`` says."""
    return _program(os.environ.get(VARIABLE, ""))


@cache
def _version(program: str) -> str:
    done = processes.run([program, "-version"])
    require_unhurt(done.returncode)
    first = done.stdout.decode(errors="replace").partition("\n")[0].split()
    return first[2] if len(first) > 2 else "unknown"


def ffmpeg_version() -> str:
    """Return the version of the ffmpeg that runs, as it names itself."""
    return _version(ffmpeg_binary())


def ffmpeg_command(*arguments: str | Path) -> list[str]:
    """Return a command of the chosen ffmpeg that overwrites its output and says nothing but errors."""
    return [ffmpeg_binary(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)]


def options(*flags: str) -> dict[str, str]:
    """Return ``-name value`` pairs as the keyword options of ``ffmpeg-python``."""
    return {name.removeprefix("-"): value for name, value in zip(flags[::2], flags[1::2], strict=True)}


def compiled(stream: Any) -> list[str]:
    """Return the command of an ``ffmpeg-python`` graph, run as :func:`ffmpeg_command` runs its arguments."""
    quiet = stream.global_args("-hide_banner", "-nostdin", "-loglevel", "error")
    return quiet.overwrite_output().compile(cmd=ffmpeg_binary())


def _lines(stderr: bytes | str | None) -> list[str]:
    text = stderr.decode(errors="replace") if isinstance(stderr, bytes) else (stderr or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    full = [line for line in lines if "No space left on device" in line]
    return full[:1] or lines


def first_complaint(stderr: bytes | str | None) -> str:
    """Return the first line of ffmpeg's stderr, which names the cause where the last only says that it failed."""
    lines = _lines(stderr)
    return lines[0].rsplit("] ", 1)[-1].rstrip(".") if lines else "no message"


def last_complaint(stderr: bytes | str | None) -> str:
    """Return the last line of ffmpeg's stderr that says something, without its memory addresses."""
    lines = [line for line in _lines(stderr) if not line.startswith("Conversion failed")]
    return lines[-1].split("] ", 1)[-1].rstrip(".") if lines else "no message"


def require_unhurt(status: int) -> None:
    """Raise :class:`~diffsign.errors.TryAgainError` if ffmpeg ended by a signal, of which its files are innocent."""
    processes.require_unhurt("ffmpeg", -signal.SIGTERM if status == _ENDED_BY_SIGNAL else status)


def why_it_ended(status: int, stderr: bytes | str | None) -> str:
    """Return why ffmpeg failed: its complaint.

    Raises:
        TryAgainError: if it was killed.
    """
    require_unhurt(status)
    return last_complaint(stderr)
