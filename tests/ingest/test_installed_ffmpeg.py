"""The tests of clips and of ingest again, with the ffmpeg that is installed on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from diffsign.records.ffmpeg import VARIABLE

TESTS = Path(__file__).resolve().parents[1]


def runs() -> bool:
    """Tell whether there is an ffmpeg, and not half of one that an interrupted installation has left."""
    program = shutil.which("ffmpeg")
    return (
        program is not None and subprocess.run([program, "-version"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(VARIABLE in os.environ, reason=f"{VARIABLE} chooses the ffmpeg of all tests already")
@pytest.mark.skipif(not runs(), reason="no ffmpeg is installed (apt-get install ffmpeg)")
def test_clips_and_ingest_with_the_installed_ffmpeg() -> None:
    files = [
        TESTS / "records" / "test_clip.py",
        TESTS / "ingest" / "test_ingest.py",
        TESTS / "ingest" / "test_inputs.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *map(str, files)]
    finished = subprocess.run(
        command, env=os.environ | {VARIABLE: "system"}, capture_output=True, text=True, check=False, cwd=TESTS.parent
    )
    assert finished.returncode == 0, finished.stdout[-4000:]
