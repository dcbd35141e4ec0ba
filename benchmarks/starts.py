"""What a command costs that starts cold, and one that is forked from a process which has imported already.

    python benchmarks/starts.py FOLDER      a project that was run (benchmarks/kills.py --kills 0 --keep FOLDER)

Each command runs once by itself and three times by a server; seconds are those of a core, the server's included. The
server imports what a command needs when it is asked for it a second time.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import tables
from rich.table import Table

from diffsign.warm import VARIABLE
from diffsign.workflow.warm import warm_commands

VIDEO = "results/videos/filmed"
COMMANDS = {
    "clean": ["clean", f"{VIDEO}/keypoints.npz", "{out}/k.npz"],
    "smooth": ["smooth", f"{VIDEO}/motion.fit.npz", "{out}/m.npz", "--body", "resources/body/body.npz"],
    "encode": ["encode", "{out}/demo.json", "{out}/c.safetensors", "--text", "a woman", "--device", "cpu"],
}


def spent() -> float:
    """Return the seconds of a core that ended children have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(arguments: list[str], out: str, environment: dict[str, str]) -> float:
    """Run a command; return the seconds of a core that it took."""
    before = spent()
    command = [sys.executable, "-m", "diffsign", *(argument.format(out=out) for argument in arguments)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return spent() - before


def server_of(address: str) -> psutil.Process:
    """Return the server at an address."""
    return next(p for p in psutil.process_iter(["cmdline"]) if address in (p.info["cmdline"] or []))


def total(server: psutil.Process) -> float:
    """Return the seconds of a core that a server and what it has forked have taken."""
    times = server.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    os.chdir(parser.parse_args().folder)
    table = Table("command", "cold", "first", "second", "third", "server then, MB")
    with tempfile.TemporaryDirectory() as out, warm_commands() as warm:
        server = server_of(warm[VARIABLE])
        run(["fetch", "demo", "{out}/demo.json"], out, dict(os.environ))
        for name, arguments in COMMANDS.items():
            row = [run(arguments, out, dict(os.environ))]
            for _ in range(3):
                before = total(server)
                row.append(run(arguments, out, os.environ | warm) + total(server) - before)
            table.add_row(name, *(f"{seconds:.2f}" for seconds in row), str(server.memory_info().rss >> 20))
    tables.show(table)


if __name__ == "__main__":
    main()
