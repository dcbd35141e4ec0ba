"""What docs/cluster.md says, tried on a SLURM that is started here (Debian: slurm-wlm; as root).

    python benchmarks/cluster.py                every scene
    python benchmarks/cluster.py --scenes memory

memory   a job is given less memory than it takes, is killed for it, and passes with what a later attempt gets
cancel   a job is cancelled (`scancel`) and tried again
mistake  a broken video is not tried again, and the tables name it
killed   Snakemake is killed (`kill -9`) while jobs run; the jobs are cancelled, and the same command goes on
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from short_project import ROOT, SOURCE, make_project

sys.path.insert(0, str(ROOT))

from tests.workflow.slurm import slurm, why_not

console = Console(width=140)


def make_clips(folder: Path, clips: int) -> None:
    """Lay out a project of so many clips of one frame, of which the third is no video."""
    rows = [["video", "path", "start", "end"]]
    for number in range(clips):
        path = "broken.mp4" if number == 2 else str(SOURCE)
        rows.append([f"clip{number}", path, f"{number / 24:.4f}", f"{(number + 0.9) / 24:.4f}"])
    make_project(folder, rows)


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start Snakemake with the cluster's profile; what it says goes into ``run.log``."""
    command = [sys.executable, "-m", "snakemake", *arguments, "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "profiles/slurm"), "--latency-wait", "5"]
    command += ["--slurm-init-seconds-before-status-checks", "3"]
    with (folder / "run.log").open("w") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def said(folder: Path) -> str:
    """Return what Snakemake has said."""
    return (folder / "run.log").read_text()


def running(rule: str, clip: str | None = None) -> list[str]:
    """Return the numbers of running jobs of a rule."""
    listed = subprocess.run(
        ["squeue", "-h", "-t", "R", "-o", "%i %k"], capture_output=True, text=True, check=True
    ).stdout
    lines = [line for line in listed.splitlines() if f"rule_{rule}_" in f"{line}_" and (clip is None or clip in line)]
    return [line.split()[0] for line in lines]


def wait_for(found: Callable[[], list[str]], seconds: float = 240) -> list[str]:
    """Wait until there is something."""
    end = time.monotonic() + seconds
    while not (there := found()):
        if time.monotonic() > end:
            raise SystemExit("waited in vain")
        time.sleep(0.1)
    return there


def memory(folder: Path) -> None:
    """Give detection too little memory."""
    more = ["--config", "shard_size=0", "--set-resources", "detect:mem_mb=200*attempt", "--retries", "3"]
    status = start(folder, "results/videos/clip0/keypoints.npz", *more).wait()
    logs = "".join(path.read_text() for path in sorted((folder / ".snakemake/slurm_logs/rule_detect").rglob("*.log")))
    killed_at = sorted({int(limit) >> 20 for limit in re.findall(r"exceeded memory limit \(\d+ > (\d+)\)", logs)})
    console.print(f"memory: status {status}; detection was killed at {killed_at} MiB")


def cancel(folder: Path) -> None:
    """Cancel a job of a shard, and have the rest made."""
    process = start(folder, "--config", "shard_size=1")
    jobs = wait_for(lambda: running("shard_videos"))
    subprocess.run(["scancel", jobs[0]], check=True)
    status = process.wait()
    text = said(folder)
    again = text.count("Trying to restart job")
    metrics = len(list((folder / "results/signers").rglob("metrics.json")))
    submitted = text.count("has been submitted with SLURM jobid")
    console.print(
        f"cancel: job {jobs[0]} cancelled; status {status}, {submitted} jobs, {again} tried again, {metrics} results"
    )


def mistake(folder: Path) -> None:
    """Say what the tables say of the broken video; run again."""
    console.print((folder / "results/tables/failed.csv").read_text(), markup=False)
    process = start(folder, "--config", "shard_size=1")
    status = process.wait()
    submitted = said(folder).count("has been submitted with SLURM jobid")
    console.print(f"mistake: again, status {status}, {submitted} jobs")
    shutil.copy(SOURCE, folder / "broken.mp4")


def killed(folder: Path) -> None:
    """Kill Snakemake, cancel its jobs, go on."""
    process = start(folder, "--config", "shard_size=1")
    wait_for(lambda: running("shard_videos"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    console.print(f"killed: {len(running('shard_videos'))} job runs on")
    run = re.search(r"run ID: (\S+)", said(folder))
    assert run is not None
    subprocess.run(["scancel", "--name", run[1].rstrip(".")], check=True)
    wait_for(lambda: [] if subprocess.run(["squeue", "-h"], capture_output=True, check=True).stdout else ["none"])
    status = start(folder, "--config", "shard_size=1").wait()
    locked = "Directory cannot be locked" in said(folder) or "LockException" in said(folder)
    console.print(f"killed: the same command ends with {status}{', locked' if locked else ''}")
    if locked:
        unlock = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--unlock"]
        subprocess.run([*unlock, "--cores", "1"], cwd=folder, check=True, capture_output=True)
        status = start(folder, "--config", "shard_size=1").wait()
        console.print(f"killed: after --unlock it ends with {status}")
    metrics = len(list((folder / "results/signers").rglob("metrics.json")))
    rows = (folder / "results/tables/failed.csv").read_text().strip().count("\n")
    console.print(f"killed: {metrics} results, {rows} rows in failed.csv")


SCENES = {scene.__name__: scene for scene in (memory, cancel, mistake, killed)}


def main() -> None:
    """Play the scenes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", nargs="*", choices=list(SCENES), default=list(SCENES))
    parser.add_argument("--keep", type=Path, help="folder of the project, which is kept")
    options = parser.parse_args()
    if why_not() is not None:
        raise SystemExit(why_not())
    folder = options.keep or Path(tempfile.mkdtemp(prefix="cluster-"))
    if not (folder / "config").exists():
        make_clips(folder, 6)
    with slurm(memory_is_enforced=True):
        for name in options.scenes:
            begun = time.monotonic()
            SCENES[name](folder)
            console.print(f"{name}: {time.monotonic() - begun:.0f} s")
    if options.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
