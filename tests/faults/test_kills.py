"""Commands are killed at random moments: no wrong file, no file that stays, no program that runs on.

Each command runs once undisturbed. Then it is started again and again and killed somewhere on its way, by ``kill -9``
or by the signal that schedulers send. After every kill the outputs are whole or absent and no program of it is left;
after the next undisturbed run the files are the same bytes as at first, and nothing else is there.

A few kills happen in every run of the tests; ``DIFFSIGN_KILLS=100 pytest tests/faults/test_kills.py`` kills that often.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from diffsign import processes
from diffsign.errors import TryAgainError
from diffsign.records.clip import ClipWriter, write_clip
from diffsign.records.ffmpeg import ffmpeg_command, why_it_ended
from diffsign.records.keypoints import COUNT, Keypoints, save_keypoints

#: How many kills there are, over all commands.
KILLS = int(os.environ.get("DIFFSIGN_KILLS", "4"))


@dataclass(frozen=True)
class Command:
    """A command and the files that it writes."""

    arguments: list[str]
    outputs: list[Path]

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        environment = os.environ | {"TMPDIR": str(folder / "tmp"), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "diffsign", *self.arguments], env=environment, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def finish(self, folder: Path) -> float:
        """Run undisturbed; return how many seconds it took."""
        begun = time.monotonic()
        process = self.start(folder)
        _, complaint = process.communicate()
        assert process.returncode == 0, complaint.decode()
        return time.monotonic() - begun


def ingest(folder: Path) -> Command:
    source = folder / "in" / "a.mp4"
    graph = ("-f", "lavfi", "-i", "testsrc=size=320x240:rate=24:duration=4", "-f", "lavfi", "-i", "sine=d=4")
    subprocess.run(ffmpeg_command(*graph, "-pix_fmt", "yuv420p", source), check=True)
    clip, audio, preview = (folder / "out" / f"clip.{suffix}" for suffix in ("mkv", "mka", "mp4"))
    arguments = ["ingest", source, clip, "--audio", audio, "--preview", preview, "--height", "512"]
    return Command([str(part) for part in arguments], [clip, audio, preview])


def clean(folder: Path) -> Command:
    points = np.random.default_rng(0).random((400, COUNT, 3), dtype=np.float32) * [640, 480, 1]
    save_keypoints(folder / "in" / "k.npz", Keypoints(points.astype(np.float32), 24.0, 640, 480))
    out = folder / "out" / "k.clean.npz"
    return Command(["clean", str(folder / "in" / "k.npz"), str(out)], [out])


def join(folder: Path) -> Command:
    frames = np.random.default_rng(0).integers(0, 256, (72, 128, 128, 3), dtype=np.uint8)
    write_clip(folder / "in" / "source.mkv", frames, 24)
    write_clip(folder / "in" / "1-of-2.mkv", frames[:40], 24)
    write_clip(folder / "in" / "2-of-2.mkv", frames[40:], 24)
    sound = folder / "in" / "sound.mka"
    subprocess.run(ffmpeg_command("-f", "lavfi", "-i", "sine=d=2", "-c:a", "flac", sound), check=True)
    clip, preview = folder / "out" / "clip.mkv", folder / "out" / "clip.mp4"
    chunks = [str(folder / "in" / f"{number}-of-2.mkv") for number in (1, 2)]
    arguments = ["--source", folder / "in" / "source.mkv", "--audio", sound, "--preview", preview]
    return Command(["join", *chunks, str(clip), *map(str, arguments)], [clip, preview])


def canny(folder: Path) -> Command:
    write_clip(folder / "in" / "c.mkv", np.random.default_rng(0).integers(0, 256, (60, 96, 96, 3), dtype=np.uint8), 24)
    out = folder / "out" / "canny.mkv"
    return Command(["control", "canny", str(folder / "in" / "c.mkv"), str(out)], [out])


def _programs_of(folder: Path) -> list[psutil.Process]:
    """Return programs that still work in the folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if any(str(folder) in part for part in line) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def _leftovers(folder: Path) -> set[Path]:
    """Return temporary files in the folders of outputs and of temporary files."""
    return {*(folder / "out").glob(".*"), *(folder / "tmp").iterdir()}


def _wait_until_gone(folder: Path) -> None:
    end = time.monotonic() + 5
    while (left := _programs_of(folder)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left, [process.cmdline() for process in left]


#: A program that writes a file after its parent was told to end, in the moment in which it was started.
LATE = """
import atexit, os, signal, subprocess, sys, time
from pathlib import Path
from diffsign import processes
from diffsign.files import atomic

class Popen(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)

subprocess.Popen = Popen
processes.end_cleanly_on_signals()
atexit.register(time.sleep, 0.5)  # as long as large libraries take to end
with atomic(Path(sys.argv[1])) as temporary:
    processes.start(["sh", "-c", 'sleep 0.2; echo late > "$0"', str(temporary)])
    time.sleep(5)
"""


def test_a_program_that_just_starts_ends_with_its_parent(tmp_path: Path) -> None:
    """The program was not known yet when the signal came, and made its file again after that was removed."""
    done = subprocess.run([sys.executable, "-c", LATE, str(tmp_path / "a.mkv")], check=False)
    assert done.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_killed_is_no_mistake_of_the_file(tmp_path: Path) -> None:
    frame = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(TryAgainError, match="ffmpeg was killed by signal 9"):  # noqa: SIM117 - of the inner block
        with ClipWriter(tmp_path / "a.mkv", 16, 16, 24) as writer:
            writer.write(frame)
            writer._process.kill()
            writer._process.wait()
            writer.write(frame)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_program_has_said_is_no_answer() -> None:
    with pytest.raises(TryAgainError, match="sh was killed by signal 9"):
        processes.run(["sh", "-c", "echo half; kill -9 $$"])


@pytest.mark.parametrize("status", [-9, 255])
def test_statuses_of_an_ffmpeg_that_was_told_to_end(status: int) -> None:
    with pytest.raises(TryAgainError):
        why_it_ended(status, b"")
    assert why_it_ended(1, b"Invalid data\n") == "Invalid data"


@pytest.mark.parametrize("command", [ingest, join, clean, canny])
def test_killed_commands_leave_nothing(command, tmp_path: Path) -> None:
    for name in ("in", "out", "tmp"):
        (tmp_path / name).mkdir()
    made = command(tmp_path)
    seconds = made.finish(tmp_path)
    whole = {path: path.read_bytes() for path in made.outputs}
    rng = random.Random(command.__name__)
    for number in range(max(1, KILLS // 4)):
        for path in made.outputs:
            path.unlink(missing_ok=True)
        how = signal.SIGKILL if number % 2 == 0 else signal.SIGTERM
        before = _leftovers(tmp_path)
        process = made.start(tmp_path)
        # Most of a short command is its start; the work is what is to be disturbed.
        time.sleep(seconds * rng.uniform(0.3, 1.0))
        process.send_signal(how)
        process.communicate()
        _wait_until_gone(tmp_path)
        for path in made.outputs:
            assert not path.exists() or path.read_bytes() == whole[path], f"{path} is wrong after {how!r}"
        if how is signal.SIGTERM:
            assert _leftovers(tmp_path) <= before, f"it left files after {how!r}"
    made.finish(tmp_path)
    assert {path: path.read_bytes() for path in made.outputs} == whole
    assert sorted((tmp_path / "out").iterdir()) == sorted(made.outputs)
    assert list((tmp_path / "tmp").iterdir()) == []
