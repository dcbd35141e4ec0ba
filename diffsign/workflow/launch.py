"""Run the workflow on a project, with one bar for the whole chain."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from diffsign.config.project import Project
from diffsign.config.schema import Config, load_signers, load_videos, read_config
from diffsign.errors import DiffSignError
from diffsign.files import one_at_a_time, require_writable
from diffsign.progress import FOLDER
from diffsign.records.failures import MISTAKE, Failure, load_failures
from diffsign.workflow.layout import CONFIG_FILE, workflow_file
from diffsign.workflow.warm import warm_commands

LOG, FAILURES = "run.log", "failures.json"

#: What a notebook tells its commands; in logs, colours would hide what begins with "Error:".
COLOURED = ("FORCE_COLOR", "CLICOLOR_FORCE")
#: The chunk of a clip that is made in one piece.
ONLY_CHUNK = "1-of-1"


@dataclass
class Following:
    """What Snakemake's output says of a run.

    Attributes:
        done: steps that are finished.
        total: steps in all, 0 while it plans.
        running: stage and clip of the jobs at work, by their number.
    """

    done: int = 0
    total: int = 0
    running: dict[int, str] = field(default_factory=dict[int, str])
    _rule: str = ""
    _job: int = 0

    def hear(self, line: str) -> str | None:
        """Take in a line; return what was finished with it, if something was."""
        if found := re.match(r"(?:local)?(?:rule|checkpoint) (\w+):$", line):
            self._rule, self._job = found[1], 0
        elif (found := re.match(r"    jobid: (\d+)$", line)) and self._rule:
            self._job = int(found[1])
            self.running[self._job] = self._rule.replace("_", " ")
            self._rule = ""
        elif (found := re.match(r"    wildcards: (.*)$", line)) and self._job in self.running:
            names = [part.partition("=")[2] for part in found[1].split(", ")]
            self.running[self._job] += f" {' '.join(name for name in names if name != ONLY_CHUNK)}"
        elif found := re.match(r"total +(\d+)$", line):
            self.total = int(found[1])
        elif found := re.match(r"(\d+) of (\d+) steps", line):
            self.done, self.total = int(found[1]), int(found[2])
        elif found := re.match(r"(?:Finished jobid: |    jobid: )(\d+)", line):
            return self.running.pop(int(found[1]), None)
        return None


def frames_left(folder: Path) -> str:
    """Return how far the jobs at work are; one alone needs no name beside its count."""
    told: list[tuple[str, str]] = []
    for file in sorted(folder.glob("*")):
        try:
            description, done, total = file.read_text(encoding="utf-8").split("\t")
        except (OSError, ValueError):
            continue  # being written, or gone
        told.append((description, f"{done}/{total}" if total else done))
    return told[0][1] if len(told) == 1 else ", ".join(f"{description} {count}" for description, count in told)


def is_alive(pid: int) -> bool:
    """Tell whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def release_lock(folder: Path, snakefile: Path) -> None:
    """Unlock a folder whose run was killed: the process that locked it is named in it, and is no more."""
    owner = folder / ".snakemake" / "diffsign.pid"
    if not any((folder / ".snakemake" / "locks").glob("*")) or not owner.is_file():
        return
    host, _, pid = owner.read_text().partition(" ")
    if host != os.uname().nodename or is_alive(int(pid)):
        raise DiffSignError(
            f"'{folder}' is in use by process {pid.strip()} on {host}. If that was killed, type: "
            f"snakemake --snakefile '{snakefile}' --directory '{folder}' --unlock"
        )
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--cores", "1", "--unlock"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def make_shared(config: Config) -> None:
    """Make what projects share, where it is missing, before a run is planned.

    Of two first runs side by side that plan it, one would take it from under the other.

    Raises:
        DiffSignError: if nothing may be written there.
    """
    if config.cache is None:
        return
    cache, shared = Path(config.cache), Project(config, {}, {})
    require_writable(cache, f"name another one as cache in {CONFIG_FILE}")
    with one_at_a_time(cache):
        for command, files in ((("body", "build"), [shared.body]), (("certificate",), shared.certificate)):
            missing = [file for file in files if Path(file).is_relative_to(cache) and not Path(file).exists()]
            if missing:
                # What goes wrong is said by the rule, which is then still to be run.
                subprocess.run([sys.executable, "-m", "diffsign", *command, *files], check=False, capture_output=True)


def snakemake(folder: Path, cores: int, more: Iterable[str] = ()) -> int:
    """Run the workflow in a project's folder; show one bar, keep what Snakemake says in ``run.log``.

    Returns:
        Snakemake's exit status; 130 if it was interrupted.

    Raises:
        DiffSignError: if config or sheets have a mistake, or another run is at work in the folder.
    """
    snakefile = workflow_file()
    with chdir(folder):  # what sheets name is beside the project
        config = read_config(CONFIG_FILE)
        several = len(load_videos(config)) > 1
        load_signers(config)
        make_shared(config)
    release_lock(folder, snakefile)
    (folder / config.results / FAILURES).unlink(missing_ok=True)  # of an earlier run
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--cores", str(cores)]
    # Of one video nothing is left to go on with when a step fails: a missing weight is said at once.
    command += [*(["--keep-going"] if several else []), "--rerun-incomplete", "--printshellcmds", *more]
    plain = {name: value for name, value in os.environ.items() if name not in COLOURED}
    (folder / ".snakemake").mkdir(exist_ok=True)
    progress_folder = tempfile.TemporaryDirectory(prefix="diffsign-")
    with progress_folder as progress, warm_commands() as warm, (folder / LOG).open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=plain | warm | {FOLDER: progress},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        (folder / ".snakemake" / "diffsign.pid").write_text(f"{os.uname().nodename} {process.pid}")
        try:
            _show(process, Path(progress), log)
            return process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to Snakemake and its jobs
            process.wait()
            return 130
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            (folder / ".snakemake" / "diffsign.pid").unlink(missing_ok=True)


def _show(process: subprocess.Popen[str], progress: Path, log: Any) -> None:
    following = Following()
    console = Console(stderr=True, force_terminal=sys.stderr.isatty())  # a notebook says FORCE_COLOR to a pipe too

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            log.flush()
            finished = following.hear(line.rstrip("\n"))
            if finished and not console.is_terminal:
                console.print(f"{following.done + 1}/{following.total} {finished}", highlight=False)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    doing = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), doing)
    with Progress(*columns, console=console, transient=True, expand=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("planning", total=None)
        while listener.is_alive():
            jobs = ", ".join([*following.running.values()]) or ("finishing" if following.total else "planning")
            left = frames_left(progress)
            bar.update(
                task,
                total=following.total or None,
                completed=following.done,
                description=f"{jobs} {left}" if left else jobs,
            )
            listener.join(0.2)


def _told(failure: Failure, folder: Path) -> str:
    """Return one failure in words: a mistake as it was said, anything else with the log that has more of it."""
    message = failure.message.removeprefix(MISTAKE)
    more = f" (more in '{folder / failure.log}')" if failure.log and message == failure.message else ""
    return f"{failure.video} by {failure.signer}, at {failure.stage}: {message}{more}"


def outcome(folder: Path, status: int) -> str:
    """Return what a run came to: where the results are, or what failed.

    Raises:
        DiffSignError: if something failed.
    """
    results = folder / read_config(folder / CONFIG_FILE).results
    clips = sorted(results.glob("signers/*/*/clip.mp4"))
    said = (folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    made = [f"Result: {clip}" for clip in clips[:20]]
    made += [f"… and {len(clips) - 20} more"] if len(clips) > 20 else []
    shown = "\n".join([*made, f"Report: {results / 'report.html'} (open it in a browser)"])
    if status == 0:
        idle = any(line.startswith("Nothing to be done") for line in said)
        return f"Nothing to do: everything is there.\n{shown}" if idle else shown
    if status == 130:
        return f"Stopped. The same command goes on from here; what Snakemake said is in '{folder / LOG}'."
    listed = results / FAILURES
    failures = load_failures(listed) if listed.is_file() else []
    if not failures:
        raise DiffSignError("\n".join(said[-15:]))
    told = [_told(failure, folder) for failure in failures[:10]]
    head = f"{len(failures)} result(s) could not be made:"
    raise DiffSignError("\n".join([head, *told, *([shown] if clips else [])]))
