"""What a native library does to the process: threads it starts, and lines it writes."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Keep this process to ``threads`` processors; MediaPipe starts a thread for each that it may use.

    None, or a system that cannot (macOS), leaves it free.
    """
    if threads is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = sorted(os.sched_getaffinity(0))
    # Start at another processor in every process, so that clips detected side by side do not share one.
    first = os.getpid() % len(allowed)
    chosen = {allowed[(first + i) % len(allowed)] for i in range(min(threads, len(allowed)))}
    os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def quiet_natives() -> Iterator[None]:
    """Send what C++ code writes to standard error nowhere; Python's own standard error still arrives."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        is_real = sys.stderr.fileno() == 2
    except (AttributeError, OSError, io.UnsupportedOperation):
        is_real = False
    sys.stderr.flush()
    kept = os.dup(2)
    python_stderr = sys.stderr
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        if is_real:
            sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1)
        yield
    finally:
        if is_real:
            sys.stderr.close()
            sys.stderr = python_stderr
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
