"""A run of many short clips for real, from start to report, in which three fail; and a run that mends them.

    python benchmarks/many.py --clips 30                      shards of five, as the cluster's profile has them
    python benchmarks/many.py --clips 30 --config shard_size=0  every step a process of its own

Every clip is one frame of the demo's source, at another moment each. One clip is no video. The fit of a second is
killed (``kill -9``) whenever it runs, and the rendering of a third may take 1 GB of memory, of which it needs more.
Tables and report come of the others, ``tables/failed.csv`` names the three, and after the mending a second run makes
what is missing and nothing else. The seconds of each step are those of Snakemake's benchmarks, on the wall.
"""

from __future__ import annotations

import argparse
import csv
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from short_project import ROOT, SOURCE, make_project

BROKEN, KILLED, LARGE = "clip002", "clip003", "clip001"
#: Bytes of memory that the rendering of one clip may take.
LIMIT = 1 << 30


def make_clips(folder: Path, clips: int) -> None:
    """Lay out a project of so many clips of one frame."""
    rows = [["video", "path", "start", "end"]]
    for number in range(clips):
        name, start = f"clip{number:03d}", (number % 70) / 24
        path = "broken.mp4" if name == BROKEN else str(SOURCE)
        rows.append([name, path, f"{start:.4f}", f"{start + 0.04:.4f}"])
    make_project(folder, rows, {"shard_size": 5})


def writing(log: str) -> list[psutil.Process]:
    """Return the processes whose standard output is a log that ends so."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if str(Path(f"/proc/{process.pid}/fd/1").readlink()).endswith(log):
                found.append(process)
    return found


def hurt() -> None:
    """Kill the fit of one clip, and take memory from the rendering of another, if they run."""
    for process in writing(f"logs/{KILLED}/fit.log"):
        with suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
    for process in writing(f"logs/{LARGE}/render.log"):
        with suppress(OSError):
            resource.prlimit(process.pid, resource.RLIMIT_AS, (LIMIT, LIMIT))


def run(folder: Path, cores: int, *more: str, hurting: bool) -> tuple[int, float, float]:
    """Run the workflow; return its status, its seconds on the wall and those of its processors."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", str(cores)]
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "run.log").open("a") as log:
        process = subprocess.Popen(
            [*command, "--keep-going", "--rerun-incomplete", "--nolock", *more],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            while process.poll() is None:
                if hurting:
                    hurt()
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                    one.kill()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return process.returncode, time.monotonic() - begun, cpu


def steps(folder: Path) -> dict[str, list[float]]:
    """Return the seconds of each kind of step, from Snakemake's benchmarks."""
    found: dict[str, list[float]] = defaultdict(list)
    for path in (folder / "results/benchmarks").rglob("*.tsv"):
        with path.open() as stream:
            found[path.stem].extend(float(row["s"]) for row in csv.DictReader(stream, delimiter="\t"))
    return found


def dates(folder: Path) -> dict[str, float]:
    """Return the date of every result of a clip."""
    places = (*(folder / "results/videos").rglob("*.*"), *(folder / "results/signers").rglob("*.*"))
    return {str(path.relative_to(folder)): path.stat().st_mtime for path in places if path.is_file()}


def main() -> None:
    """Run, mend, run again, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--config", nargs="*", default=[], help="keys of the config, KEY=VALUE")
    parser.add_argument("--whole", action="store_true", help="nothing fails: time only")
    parser.add_argument(
        "--keep", type=Path, help="folder of the project, which is kept; what is there already is gone on with"
    )
    options = parser.parse_args()
    more = ["--config", *options.config] if options.config else []
    folder = options.keep or Path(tempfile.mkdtemp(prefix="many-"))
    if not (folder / "config").exists():
        make_clips(folder, options.clips)
    if options.whole:
        shutil.copy(SOURCE, folder / "broken.mp4")
    console = Console(width=160)
    status, seconds, cpu = run(folder, options.cores, *more, hurting=not options.whole)
    metrics = len(list((folder / "results/signers").rglob("metrics.json")))
    each = f"{seconds / options.clips:.1f} s a clip, {cpu / options.clips:.1f} s of a core"
    console.print(f"first run: status {status}, {metrics} of {options.clips} clips, {seconds:.0f} s ({each})")
    table = Table("step", "times", "seconds each")
    for name, taken in sorted(steps(folder).items(), key=lambda item: -sum(item[1])):
        table.add_row(name, str(len(taken)), f"{sum(taken) / len(taken):.2f}")
    console.print(table)
    console.print((folder / "results/tables/failed.csv").read_text(), markup=False)
    console.print("report.html", f"{(folder / 'results/report.html').stat().st_size} bytes")
    if not options.whole:
        made = dates(folder)
        shutil.copy(SOURCE, folder / "broken.mp4")
        status, seconds, _ = run(folder, options.cores, *more, hurting=False)
        metrics = len(list((folder / "results/signers").rglob("metrics.json")))
        later = dates(folder)
        changed = [name.split("/") for name in later if made.get(name) != later[name]]
        again = sorted({parts[2 if parts[1] == "videos" else 3] for parts in changed})
        console.print(f"mended: status {status}, {metrics} clips, {seconds:.0f} s; files made: {', '.join(again)}")
        console.print((folder / "results/tables/failed.csv").read_text(), markup=False)
    if options.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
