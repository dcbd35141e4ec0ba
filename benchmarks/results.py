"""Memory and time of aggregate and report by the number of results.

    python benchmarks/results.py results/signers/words/demo/metrics.json --results 1000 30000 --json results.json

The results are copies of one metrics file under other names. Each command runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tables
from rich.table import Table

from diffsign.files import atomic
from diffsign.records.metrics import load_metrics, save_metrics

SIGNERS = ("first", "second", "third")


def make(folder: Path, metrics: Path, results: int) -> Path:
    """Write so many metrics files, of three signers, and return the sheet of their videos."""
    result = load_metrics(metrics)
    videos = -(-results // len(SIGNERS))
    for signer in SIGNERS:
        for number in range(videos):
            path = folder / "signers" / signer / f"v{number}" / "metrics.json"
            save_metrics(path, result.model_copy(update={"video": f"v{number}", "signer": signer}))
    sheet = folder / "videos.tsv"
    sheet.write_text("video\tsay\n" + "".join(f"v{number}\thello\n" for number in range(videos)), encoding="utf-8")
    return sheet


def measure(arguments: list[str]) -> dict[str, float]:
    """Run a command; return its seconds, CPU seconds and peak MB."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "diffsign", *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"diffsign {arguments[0]} failed")
    return {
        "wall": time.perf_counter() - begin,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def main() -> None:
    """Measure both commands at each number of results and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("metrics", type=Path, help="metrics file to copy (.json of diffsign evaluate)")
    parser.add_argument("--results", type=int, nargs="+", default=[1000, 30_000], help="default: 1000 30000")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    rows = []
    table = Table("command", "results", "s", "CPU s", "peak MB")
    for results in given.results:
        with tempfile.TemporaryDirectory() as folder:
            sheet = make(Path(folder), given.metrics, results)
            of = ["--videos", str(sheet), *(word for signer in SIGNERS for word in ("--signer", signer))]
            commands = {
                "aggregate": ["aggregate", folder, *of],
                "report": ["report", f"{folder}/report.html", "--results", folder, *of],
            }
            for name, arguments in commands.items():
                row = measure(arguments)
                rows.append({"command": name, "results": results, **row})
                table.add_row(name, str(results), f"{row['wall']:.0f}", f"{row['cpu']:.0f}", f"{row['peak_mb']:.0f}")
    tables.show(table)
    if given.json:
        with atomic(given.json) as temporary:
            temporary.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
