"""The one error that a user's mistake raises, and how others are turned into it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class DiffSignError(ValueError):
    """A mistake the user can mend.

    Its message says briefly what was expected, what came, where, and what to do. The
    command line prints it without a traceback and exits with status 1.
    """


class TryAgainError(DiffSignError):
    """Nothing of the input is wrong: the same command may pass the next time. The command line exits with status 75."""


class DiskFullError(TryAgainError):
    """There was no space left: nothing of the input is wrong, and the same command works when there is room."""


#: Debian's packages of the system libraries that OpenCV, MediaPipe and Blender open, by the beginning of their names.
_PACKAGES = {
    "libEGL": "libegl1",
    "libGL": "libgl1",
    "libGLESv2": "libgles2",
    "libGLX": "libglx0",
    "libICE": "libice6",
    "libSM": "libsm6",
    "libX11": "libx11-6",
    "libXext": "libxext6",
    "libXfixes": "libxfixes3",
    "libXi": "libxi6",
    "libXrender": "libxrender1",
    "libXt": "libxt6",
    "libXxf86vm": "libxxf86vm1",
    "libglib-2.0": "libglib2.0-0",
    "libgomp": "libgomp1",
    "libgthread-2.0": "libglib2.0-0",
    "libstdc++": "libstdc++6",
    "libvulkan": "libvulkan1",
    "libxkbcommon": "libxkbcommon0",
}


def missing_library(complaint: str) -> str | None:
    """Return what to do about a system library that the loader did not find; None if it complains of something else.

    >>> missing_library("ImportError: libGL.so.1: cannot open shared object file: No such file or directory")
    "the system library 'libGL.so.1' is missing; install it (on Debian and Ubuntu: apt-get install libgl1)"
    """
    found = re.search(r"([\w.+-]+)(\.so[\w.]*): cannot open shared object file", complaint)
    if found is None:
        return None
    package = _PACKAGES.get(found[1])
    how = f"apt-get install {package}" if package else f"apt-file search {found[1]}{found[2]} names the package"
    return f"the system library '{found[1]}{found[2]}' is missing; install it (on Debian and Ubuntu: {how})"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known word closest to ``word``, or an empty string."""
    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""


def explain_validation(error: ValidationError, where: str, known: Iterable[str] = ()) -> DiffSignError:
    """Turn pydantic's report into one clause per problem.

    Args:
        error: what pydantic raised.
        where: the file, sheet row or command that the values came from.
        known: names that an unknown key is compared with.

    Returns:
        The error to raise instead, naming each key, its value and what is allowed.
    """
    known = list(known)
    sentences: list[str] = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "value"
        if problem["type"] == "extra_forbidden":
            sentences.append(f"unknown key '{key}'{nearest(key.rsplit('.', 1)[-1], known)}")
        elif problem["type"] == "missing":
            sentences.append(f"'{key}' is missing")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            what = f"'{key}' is {problem['input']!r}: " if problem["loc"] else ""
            sentences.append(f"{what}{message[:1].lower()}{message[1:]}")
    return DiffSignError(f"{where}: " + "; ".join(sentences) + ".")
