"""Programs that DiffSign starts (ffmpeg, Blender): none outlives it, however it ends."""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from diffsign.errors import TryAgainError

#: How often a process is asked to end, and how many seconds it has for cleaning up each time.
ATTEMPTS, PATIENCE = 3, 5.0

_SET_PARENT_DEATH_SIGNAL = 1
_LIBC: ctypes.CDLL | None = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def dies_with_parent() -> Callable[[], None]:
    """Return a ``preexec_fn`` after which Linux kills the child as soon as the thread that starts it is gone.

    Elsewhere than on Linux it does nothing.
    """
    return functools.partial(die_with_parent, os.getpid())


def die_with_parent(parent: int) -> None:
    """Have Linux kill this process as soon as the thread that forked it is gone; ``parent`` is its process."""
    if _LIBC is not None:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it was killed between fork and here
            os._exit(1)


#: Programs that were started and may still run.
_started: weakref.WeakSet[subprocess.Popen[Any]] = weakref.WeakSet()
#: Programs that are being started just now, and the signals that came meanwhile.
_starting: list[Sequence[str]] = []
_postponed: list[int] = []


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program that dies with this process; ``options`` are those of :class:`subprocess.Popen`.

    A signal that comes while it starts waits until the program is known: one that nobody knows would go on writing
    after its files were removed.
    """
    _starting.append(command)
    try:
        process = subprocess.Popen(command, preexec_fn=dies_with_parent(), **options)
        _started.add(process)
    finally:
        _starting.remove(command)
        while _postponed and not _starting:
            os.kill(os.getpid(), _postponed.pop())
    return process


def run(command: Sequence[str], *, timeout: float | None = None, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a program that dies with this process, without input; return its status, output and stderr as bytes.

    Raises:
        TryAgainError: if it was killed: what it has said until then is no answer.
        subprocess.TimeoutExpired: if it has not ended after ``timeout`` seconds; it is killed.
    """
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start(command, **(streams | options)) as process:
        try:
            output, complaints = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    require_unhurt(Path(command[0]).name, process.returncode)
    return subprocess.CompletedProcess(command, process.returncode, output, complaints)


def require_unhurt(name: str, status: int) -> None:
    """Raise if a program ended by a signal (its status is below zero).

    Raises:
        TryAgainError: that it was killed, by which signal, and what kills programs.
    """
    if status < 0:
        raise TryAgainError(
            f"{name} was killed by signal {-status}, as schedulers and systems without memory do; run the command "
            "again, and give it more memory or time if that happens again."
        )


def stop(process: subprocess.Popen[Any]) -> None:
    """Kill a program if it still runs, and wait until it is gone."""
    if process.poll() is None:
        process.kill()
    process.wait()


_attempts = itertools.count(1)


def _end(number: int, _: FrameType | None) -> None:
    if _starting:
        _postponed.append(number)
        return
    for process in list(_started):
        with suppress(OSError):
            process.kill()
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
