"""A server for the commands of a run: each starts warm (:mod:`diffsign.warm`)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from diffsign import processes
from diffsign.warm import SERVE, VARIABLE

#: Seconds that a server has for its start, and for ending what is still at work.
PATIENCE = 30.0


@contextmanager
def warm_commands() -> Generator[dict[str, str]]:
    """Start a server; give the variables that commands find it by, none where there can be none."""
    if not hasattr(os, "pidfd_open"):
        yield {}
        return
    # Addresses of sockets are short, and TMPDIR is often long.
    with tempfile.TemporaryDirectory(prefix="diffsign-warm-", dir="/tmp") as folder:
        address = Path(folder) / "server"
        command = [sys.executable, "-m", "diffsign", SERVE, str(address)]
        server = processes.start(command, stdin=subprocess.PIPE)
        try:
            end = time.monotonic() + PATIENCE
            while not address.exists() and server.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            yield {VARIABLE: str(address)} if address.exists() else {}
        finally:
            assert server.stdin is not None
            server.stdin.close()
            try:
                server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                processes.stop(server)
