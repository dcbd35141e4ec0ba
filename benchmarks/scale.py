"""How long Snakemake plans, and how much memory it takes, for sheets of many clips.

    python benchmarks/scale.py --clips 1000 10000                  the workflow as it is: above 500 clips in shards
    python benchmarks/scale.py --clips 1000 --config shard_size=0  every step of every clip a job
    python benchmarks/scale.py --clips 1000 10000 --two            a design that was not taken: two large jobs a clip
    python benchmarks/scale.py --clips 1000 --finished             and a run that is finished

Sheets and files are made in a temporary folder; nothing is computed. A finished run is made by creating every file that
the plan names, and telling Snakemake so (``--touch``).
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORDS = ("red", "green", "blue", "white", "black")


#: Two jobs a clip, one up to the avatar and one for all signers, with the files that the steps make.
TWO = """
import csv
VIDEOS = [row["video"] for row in csv.DictReader(open("config/videos.tsv"), delimiter="\\t")]
SIGNERS = [row["signer"] for row in csv.DictReader(open("config/signers.tsv"), delimiter="\\t")]
MADE = ["clip.mkv", "clip.mp4", "audio.mka", "keypoints.npz", "keypoints.mp4", "keypoints.clean.npz", "motion.fit.npz",
        "motion.npz", *[f"avatar/{name}.mkv" for name in ("color", "depth", "normal", "mask")], "avatar/overlay.mp4",
        *[f"control/{name}.mkv" for name in ("pose", "canny", "depth")]]
RESULTS = ["clip.mkv", "clip.mp4", "keypoints.npz", "metrics.json"]

rule all:
    input: expand("results/signers/{signer}/{video}/metrics.json", video=VIDEOS, signer=SIGNERS)

rule avatar:
    input: "videos/{video}.mp4"
    output: expand("results/videos/{{video}}/{name}", name=MADE)
    shell: "true"

rule signers:
    input: expand("results/videos/{{video}}/{name}", name=MADE)
    output: expand("results/signers/{signer}/{{video}}/{name}", signer=SIGNERS, name=RESULTS)
    shell: "true"
"""


@dataclass(frozen=True)
class Plan:
    """What a dry run took.

    Attributes:
        seconds: on the wall.
        cpu: seconds of a core.
        megabytes: largest memory of the process.
        jobs: how many it would do.
        said: its output.
    """

    seconds: float
    cpu: float
    megabytes: float
    jobs: int
    said: str


@contextmanager
def project(clips: int, signers: int) -> Iterator[Path]:
    """Make a folder with sheets of so many clips and signers."""
    with tempfile.TemporaryDirectory(prefix="diffsign-scale-") as name:
        folder = Path(name)
        (folder / "config").mkdir()
        (folder / "videos").mkdir()
        names = [f"clip{number:05d}" for number in range(clips)]
        for name in names:
            (folder / f"videos/{name}.mp4").write_bytes(b"not looked at")
        rows = "".join(f"{name}\tvideos/{name}.mp4\n" for name in names)
        (folder / "config/videos.tsv").write_text(f"video\tpath\n{rows}")
        shirts = "".join(f"signer{number}\ta woman with a {WORDS[number % 5]} shirt\n" for number in range(signers))
        (folder / "config/signers.tsv").write_text(f"signer\ttext\n{shirts}")
        (folder / "config/config.yaml").write_text("videos: config/videos.tsv\nsigners: config/signers.tsv\n")
        yield folder


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder, on the Snakefile there is in it, or ours."""
    snakefile = folder / "Snakefile" if (folder / "Snakefile").exists() else ROOT / "Snakefile"
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--cores", "1", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-4000:])
    return done


def plan(folder: Path, *arguments: str) -> Plan:
    """Time a dry run."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = snakemake(folder, "--dry-run", "--quiet", "rules", *arguments)
    seconds = time.monotonic() - started
    said = done.stdout + done.stderr
    found = re.search(r"^total +(\d+)$", said, flags=re.M)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Plan(seconds, cpu, after.ru_maxrss / 1024, int(found[1]) if found else 0, said)


def finish(folder: Path, *arguments: str) -> None:
    """Make the folder look as after a run."""
    table = snakemake(folder, "--summary", *arguments).stdout.splitlines()
    for line in table[1:]:
        path = folder / line.split("\t")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'{"repairs": 0}' if path.name == "signers.json" else b"x")
    snakemake(folder, "--touch", "--quiet", "all", *arguments)


def main() -> None:
    """Print a table, one row for each number of clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1000], help="rows of the sheet of videos")
    parser.add_argument("--signers", type=int, default=3, help="rows of the sheet of signers")
    parser.add_argument("--finished", action="store_true", help="also time a run in which everything is there")
    parser.add_argument("--two", action="store_true", help="measure two large jobs a clip instead")
    parser.add_argument("--config", nargs="*", default=[], help="keys of the config, KEY=VALUE")
    options = parser.parse_args()
    more = ["--config", *options.config] if options.config else []
    say("clips  signers  what      jobs    seconds  of a core  MB (largest so far)")
    for clips in options.clips:
        with project(clips, options.signers) as folder:
            if options.two:
                (folder / "Snakefile").write_text(TWO)
            done = {"new": plan(folder, *more)}
            if options.finished:
                finish(folder, *more)
                done["finished"] = plan(folder, *more)
            for what, took in done.items():
                counts = f"{clips:<6} {options.signers:<8} {what:<9} {took.jobs:<7}"
                say(f"{counts} {took.seconds:<8.1f} {took.cpu:<10.1f} {took.megabytes:.0f}")


if __name__ == "__main__":
    main()
