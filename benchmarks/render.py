"""Speed and memory of rendering: frames a second by pass and by threads, and where the time goes.

    python benchmarks/render.py results/videos/demo/motion.npz resources/body/body.npz --json render.json

Each case is a ``diffsign render`` of its own with some or all passes. CPU seconds are those of the command and of the
Blenders that it starts; ``start`` is a case with one frame. Run it with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import tables
from rich.table import Table

from diffsign.avatar.blender import render_clips
from diffsign.avatar.passes import PASSES
from diffsign.body.model import load_body
from diffsign.config.render import RenderSettings
from diffsign.files import atomic
from diffsign.records.motion import load_motion
from diffsign.render.render import avatar_scene

#: Cases by name: passes and frames; None is all frames.
CASES: dict[str, tuple[tuple[str, ...], int | None]] = {
    "start": (PASSES, 1),
    "color, mask": (("color", "mask"), None),
    "depth, normal": (("depth", "normal"), None),
    "all passes": (PASSES, None),
}


def _render(motion_path: Path, body_path: Path, case: str, frames: int, threads: int, pipe: object) -> None:
    passes, only = CASES[case]
    motion = load_motion(motion_path)
    motion = motion.rows(slice(0, min(only or frames, len(motion))))
    begin = time.perf_counter()
    settings = RenderSettings()
    with tempfile.TemporaryDirectory() as folder:
        scene = avatar_scene(motion, load_body(body_path), settings)
        render_clips(scene, folder, passes, settings, threads=threads)
    wall = time.perf_counter() - begin
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    pipe.send(  # type: ignore[attr-defined]
        {
            "frames": len(motion),
            "wall": wall,
            "cpu": sum(usage.ru_utime + usage.ru_stime for usage in used),
            "own_mb": used[0].ru_maxrss / 1024,
            "blender_mb": used[1].ru_maxrss / 1024,
        }
    )


def measure(motion: Path, body: Path, case: str, frames: int, threads: int) -> dict[str, float]:
    """Render one case in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_render, args=(motion, body, case, frames, threads, theirs))
    process.start()
    process.join()
    return ours.recv()


def main() -> None:
    """Measure all cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", type=Path, help="motion (.npz)")
    parser.add_argument("body", type=Path, help="its body file (.npz)")
    parser.add_argument("--frames", type=int, default=72, help="at most so many (default: 72)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="threads (default: 1 2)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="default: all")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()

    rows = []
    table = Table("passes", "threads", "frames", "s", "frames a second", "CPU s", "peak MB, own", "peak MB, a Blender")
    for threads in given.threads:
        for case in given.cases:
            row = measure(given.motion, given.body, case, given.frames, threads)
            rows.append({"case": case, "threads": threads, **row})
            table.add_row(
                case,
                str(threads),
                str(row["frames"]),
                f"{row['wall']:.1f}",
                f"{row['frames'] / row['wall']:.2f}",
                f"{row['cpu']:.1f}",
                f"{row['own_mb']:.0f}",
                f"{row['blender_mb']:.0f}",
            )
    tables.show(table)
    if given.json:
        with atomic(given.json) as temporary:
            temporary.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
