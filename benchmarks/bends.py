"""What a detector's finger bends mean, measured on clips whose truth is known.

    python benchmarks/fit.py --json fit.json --seeds 11 18 --work results/benchmarks/fit   # makes the clips
    python benchmarks/bends.py results/benchmarks/fit --seeds 11 18

The second command prints a table for ``diffsign/fit/offsets/mediapipe.json``: sums of the three bends of a finger as
the detector gives them, and by how much each joint is bent more than that, both in degrees and means over a bin.
``--clip`` and ``--truth`` add a clip's detected keypoints and its truth. Thumbs are left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

import numpy as np
from fit import true_points
from truth import load_truth

from diffsign.body.model import Body, load_body
from diffsign.fit.bends import BendTable
from diffsign.geometry.hand import finger_angles
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND, load_keypoints

#: Edges of the bins in degrees, and how sure a hand's points must be.
EDGES, SURE = (0, 40, 60, 80, 100, 130, 160, 200, 300), 0.3
#: Bins of fewer fingers say nothing.
FEWEST = 15


def pairs(body: Body, keypoints: Path, truth: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return detected and true bends of fingers (n, 3), degrees."""
    detected, known = load_keypoints(keypoints), load_truth(truth)
    if detected.world is None or known.vertices is None:
        raise SystemExit(f"Error: '{keypoints}' needs 3D points, and '{truth}' vertices and joints.")
    solid = true_points(body, known, known.vertices)
    out: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for hand in (LEFT_HAND, RIGHT_HAND):
        kept = detected.world[:, hand, 3].min(1) > SURE
        for rows, points in zip(out, (detected.world[kept][:, hand, :3], solid[kept][:, hand]), strict=True):
            rows.append(np.degrees(finger_angles(points.astype(np.float64)))[:, 3:].reshape(-1, 3))
    return np.concatenate(out[0]), np.concatenate(out[1])


def table_of(detected: np.ndarray, true: np.ndarray) -> BendTable:
    """Return the mean over each bin of the detected sums; nothing is added to straight and to impossible fingers."""
    total, extra = [0.0], [np.zeros(3)]
    sums = detected.sum(1)
    for low, high in itertools.pairwise(EDGES):
        inside = (sums >= low) & (sums < high)
        if inside.sum() >= FEWEST:
            total.append(float(sums[inside].mean()))
            extra.append((true - detected)[inside].mean(0))
    return BendTable(np.array([*total, float(EDGES[-1])]), np.stack([*extra, np.zeros(3)]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="the folder that benchmarks/fit.py worked in")
    parser.add_argument("--seeds", type=int, nargs="*", default=[11, 18], help="its seeds")
    parser.add_argument("--clip", type=Path, action="append", default=[], help="detected keypoints of another clip")
    parser.add_argument("--truth", type=Path, action="append", default=[], help="its truth")
    parser.add_argument("--body", type=Path, default=Path("resources/body/body.npz"), help="body file")
    given = parser.parse_args()
    body = load_body(given.body)
    files = [
        (given.work / f"seed{s}-source" / "keypoints.npz", given.work / f"seed{s}" / "truth.npz") for s in given.seeds
    ]
    measured = [pairs(body, *both) for both in [*files, *zip(given.clip, given.truth, strict=True)]]
    detected, true = (np.concatenate([pair[n] for pair in measured]) for n in (0, 1))
    table = table_of(detected, true)
    rows = {"total": table.total.round().tolist(), "extra": table.extra.round().tolist()}
    sys.stdout.write(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
