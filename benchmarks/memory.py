"""Memory of detect and clean by the length of a clip and by its cuts.

    python benchmarks/memory.py --json memory.json

Each case runs in a process of its own, whose peak is reported beside what it had taken before it began.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from pathlib import Path

import numpy as np
import tables
from rich.table import Table

from diffsign.clean.steps import clean_keypoints
from diffsign.config.clean import CleanSettings
from diffsign.config.detect import DetectSettings
from diffsign.files import atomic
from diffsign.records.clip import iter_clip
from diffsign.records.keypoints import COUNT, Keypoints

DEMO = Path(__file__).parents[1] / "config" / "demo" / "source.mp4"


def peak() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def clean_case(frames: int) -> None:
    """Clean keypoints of a body at rest whose points tremble."""
    rng = np.random.default_rng(0)
    points = np.ones((frames, COUNT, 3), np.float32)
    points[..., :2] = rng.uniform(100, 400, (1, COUNT, 2))
    points[..., :2] += rng.normal(size=(frames, COUNT, 2)).astype(np.float32)
    world = np.concatenate([points[..., :2] / 333, points[..., :1] / 3330, points[..., 2:]], axis=-1)
    clean_keypoints(Keypoints(points, 24.0, 512, 512, world=world), CleanSettings())


def detect_case(cuts: int) -> None:
    """Detect 48 frames of the demo signer, the networks told of so many cuts."""
    from diffsign.detect.holistic import HolisticDetector
    from diffsign.detect.process import quiet_natives

    frames = list(iter_clip(DEMO))[:48]
    with quiet_natives():
        detector = HolisticDetector(DetectSettings())
        for number, frame in enumerate(frames):
            if cuts and number % (len(frames) // cuts) == 0:
                detector.forget()
            detector(frame)
        detector.close()


CASES = {
    **{f"clean, {frames} frames": (clean_case, frames) for frames in (480, 14400)},
    **{f"detect, 48 frames, {cuts} cuts": (detect_case, cuts) for cuts in (0, 24)},
}


def measure(case: str, queue: multiprocessing.Queue) -> None:
    """Run a case and report its memory and seconds."""
    run, size = CASES[case]
    before, start = peak(), time.perf_counter()
    run(size)
    queue.put({"case": case, "before_mb": before, "peak_mb": peak(), "seconds": time.perf_counter() - start})


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the measured values go")
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    table = Table("case", "before, MB", "peak, MB", "seconds")
    rows = []
    for case in CASES:
        queue = context.Queue()
        process = context.Process(target=measure, args=(case, queue))
        process.start()
        rows.append(queue.get())
        process.join()
        table.add_row(case, *(f"{rows[-1][name]:.0f}" for name in ("before_mb", "peak_mb", "seconds")))
    with atomic(given.json) as temporary:
        temporary.write_text(json.dumps(rows, indent=2) + "\n")
    tables.show(table)


if __name__ == "__main__":
    main()
