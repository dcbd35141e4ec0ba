"""Programs that DiffSign starts (ffmpeg, Blender): none outlives it, however it ends."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

#: How often a process is asked to end, and how many seconds it has for cleaning up each time.
ATTEMPTS, PATIENCE = 3, 5.0

_SET_PARENT_DEATH_SIGNAL = 1
_LIBC: ctypes.CDLL | None = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def dies_with_parent() -> Callable[[], None]:
    """Return a ``preexec_fn`` after which Linux kills the child as soon as the thread that starts it is gone.

    Elsewhere than on Linux it does nothing.
    """
    parent = os.getpid()

    def prepare() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
            if os.getppid() != parent:  # it was killed between fork and here
                os._exit(1)

    return prepare


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program that dies with this process; ``options`` are those of :class:`subprocess.Popen`."""
    return subprocess.Popen(command, preexec_fn=dies_with_parent(), **options)


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a program that dies with this process, without input; return its status, output and stderr as bytes."""
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "check": False}
    return subprocess.run(command, preexec_fn=dies_with_parent(), **(streams | options))  # pyright: ignore[reportUnknownVariableType]


def stop(process: subprocess.Popen[Any]) -> None:
    """Kill a program if it still runs, and wait until it is gone."""
    if process.poll() is None:
        process.kill()
    process.wait()


_attempts = itertools.count(1)


def _end(number: int, _: FrameType | None) -> None:
    # A library may swallow the exit (a finaliser or a callback from C does), so it is asked for again, and at last
    # the process ends without cleaning up, which the next run does: a scheduler has no more patience either.
    if next(_attempts) > ATTEMPTS:
        os._exit(128 + number)
    again = threading.Timer(PATIENCE, os.kill, [os.getpid(), number])
    again.daemon = True
    again.start()
    raise SystemExit(128 + number)


def end_cleanly_on_signals() -> None:
    """Turn the signals by which schedulers end a job into an exit that removes temporary files on its way."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
