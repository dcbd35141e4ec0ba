"""Every step of the workflow, killed at random moments: no wrong file, nothing that stays, no program that runs on.

    python benchmarks/kills.py --kills 5                   five times each, and a table
    python benchmarks/kills.py --kills 20 --rules generate

A small project is run once; what it made is the reference. Then the command of each step is started again and again and
killed somewhere on its way: by ``kill -9``, by the signal that schedulers send, or by killing a program that it has
started (ffmpeg, Blender). After every kill each file is the reference's or absent, what the command started is gone,
and after the scheduler's signal there is no temporary file either; ``kill -9`` may leave some, which the next attempt
removes. At last each command runs undisturbed and leaves the reference's bytes and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from short_project import ROOT, SOURCE, make_project

EMPTY = hashlib.sha256().hexdigest()
TARGETS = ("all", "results/compare/compare.html")


def make_sources(folder: Path) -> None:
    """Lay out a project of six frames of the demo's source and two frames of a text."""
    filmed = ["filmed", str(SOURCE), "", "1.0", "1.25", ""]
    rows = [["video", "path", "say", "start", "end", "frames"], filmed, ["said", "", "i", "", "", "0;1"]]
    # A signature has a random part, and what is made again must be equal.
    make_project(folder, rows, {"ingest": {"height": 192}, "credentials": {"signed": False}})
    (folder / "tmp").mkdir()


def snakemake(folder: Path, *arguments: str) -> str:
    """Run Snakemake on the project; return what it says."""
    command = [sys.executable, "-m", "snakemake", *TARGETS, "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    return done.stdout + done.stderr


@dataclass
class Step:
    """A command of the workflow.

    Attributes:
        rule: name of the rule.
        command: what the shell runs.
        outputs: the files that it writes.
        seconds: how long it takes undisturbed.
        hurt: how often it was killed, by how.
        problems: what was wrong afterwards.
    """

    rule: str
    command: str
    outputs: list[str]
    seconds: float = 0.0
    hurt: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def steps_of(said: str) -> Iterator[Step]:
    """Yield one step of each rule that a dry run lists with its command."""
    seen: set[str] = set()
    for block in re.split(r"^(?=(?:local)?rule \w+:$)", said, flags=re.M):
        rule = re.match(r"(?:local)?rule (\w+):", block)
        outputs = re.search(r"^    output: (.*)$", block, flags=re.M)
        command = re.search(r"^(?:Shell command: |        )?(python -m diffsign .*)$", block, flags=re.M)
        if rule and outputs and command and rule[1] not in seen:
            seen.add(rule[1])
            yield Step(rule[1], command[1], outputs[1].split(", "))


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of the project but logs, and of every temporary file."""
    left_out = {folder / ".snakemake", folder / "results/logs", folder / "results/benchmarks"}
    found: dict[str, str] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not left_out & set(path.parents):
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def temporary(folder: Path, files: dict[str, str]) -> set[str]:
    """Return temporary files among those of the project, and temporary folders."""
    names = {path.name for path in (folder / "tmp").iterdir()}
    return names | {name for name in files if Path(name).name.startswith(".") or name.startswith("tmp/")}


def start(folder: Path, step: Step) -> subprocess.Popen[bytes]:
    """Start a step's command, the process itself and no shell around it."""
    environment = os.environ | {
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": str(ROOT),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    return subprocess.Popen(["bash", "-c", f"exec {step.command}"], cwd=folder, env=environment)


def finish(folder: Path, step: Step) -> None:
    """Run a step undisturbed and note how long it takes."""
    begun = time.monotonic()
    status = start(folder, step).wait()
    step.seconds = time.monotonic() - begun
    if status:
        step.problems.append(f"status {status} when undisturbed")


def kill(folder: Path, step: Step, how: str, after: float, reference: dict[str, str]) -> None:
    """Start a step, kill it after so many seconds, and note what is wrong then."""
    for name in step.outputs:
        if reference.get(name) != EMPTY:  # Snakemake makes those that are empty, not the command
            (folder / name).unlink(missing_ok=True)
    before = temporary(folder, digests(folder))
    process = start(folder, step)
    time.sleep(after)
    programs: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        programs = psutil.Process(process.pid).children(recursive=True)
    if process.poll() is not None:
        how = "too late"
    elif how == "program" and programs:
        programs[0].kill()
    else:
        how = "KILL" if how == "program" else how
        process.send_signal(signal.SIGKILL if how == "KILL" else signal.SIGTERM)
    status = process.wait()
    _, alive = psutil.wait_procs(programs, timeout=5)
    files = digests(folder)
    wrong = [name for name, digest in files.items() if name in reference and digest != reference[name]]
    left = temporary(folder, files)
    step.hurt[how] += 1
    if wrong:
        step.problems.append(f"{how} after {after:.1f} s (status {status}): wrong {wrong}")
    if unknown := set(files) - set(reference) - left:
        step.problems.append(f"{how} after {after:.1f} s: unknown {sorted(unknown)}")
    if how not in ("KILL", "too late") and not left <= before:
        step.problems.append(f"{how} after {after:.1f} s (status {status}): left {sorted(left - before)}")
    if alive:
        step.problems.append(f"{how} after {after:.1f} s: still running {alive}")


def main() -> None:
    """Kill, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5, help="of each step")
    parser.add_argument("--rules", nargs="*", help="only these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder of the project; made if it is not there, and kept")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="kills-"))
    if not (folder / "config").exists():
        make_sources(folder)
    snakemake(folder, "--notemp", "--quiet", "all", "--rerun-incomplete")
    steps = list(steps_of(snakemake(folder, "--dry-run", "--forceall", "--printshellcmds")))
    steps = [step for step in steps if not options.rules or step.rule in options.rules]
    console = Console(width=120)
    table = Table("step", "seconds", "kill -9", "SIGTERM", "its program", "too late", "wrong or left")
    reference = digests(folder)
    total: Counter[str] = Counter()
    for step in steps:
        rng = random.Random(f"{step.rule} {options.seed}")
        finish(folder, step)
        for number in range(options.kills):
            how = ("KILL", "TERM", "program")[(number + options.seed) % 3]
            kill(folder, step, how, step.seconds * rng.uniform(0.2, 0.98), reference)
        seconds = step.seconds
        finish(folder, step)
        files = digests(folder)
        if files != reference or temporary(folder, files):
            changed = {name for name in files.keys() | reference.keys() if files.get(name) != reference.get(name)}
            step.problems.append(f"at last: {sorted(changed | temporary(folder, files))}")
        total += step.hurt
        counts = [str(step.hurt[name]) for name in ("KILL", "TERM", "program", "too late")]
        table.add_row(step.rule, f"{seconds:.1f}", *counts, str(len(step.problems)))
        for problem in step.problems:
            console.print(f"{step.rule}: {problem}", markup=False)
    table.add_section()
    counts = [str(total[name]) for name in ("KILL", "TERM", "program", "too late")]
    problems = sum(len(step.problems) for step in steps)
    table.add_row("all", "", *counts, str(problems))
    console.print(table)
    if options.keep is None:
        shutil.rmtree(folder)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
