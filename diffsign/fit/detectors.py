"""Where detectors see points of the body: not quite at its joints.

MediaPipe marks the wrist nearer to the fingers than the joint is, knuckles nearer to the wrist, finger tips short of
the skin's end, shoulders and elbows nearer to the trunk. The offsets were measured by ``benchmarks/offsets.py`` on
synthetic signers whose joints are known; they are means over both sides. What the offsets leave differs from point to
point: an elbow is marked less surely than a knuckle or an eyelid. That spread decides how hard a point pulls.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from diffsign.fit.bends import BendTable
from diffsign.records.keypoints import NAMES

FOLDER = Path(__file__).parent / "offsets"
#: Spread, in thousandths of the picture's height, of a point that pulls with all of its weight.
EXACT = 1.25


@dataclass(frozen=True)
class Detector:
    """Where a detector marks points, and how surely.

    Attributes:
        offsets: (137, 3) from the body's own points, metres in the axes of the resting body.
        bends: what the detector's finger bends mean; None if nothing is known of them.
        trust: (137,) factors on the weight of each point, at most 1: ``EXACT`` over the point's measured spread.
    """

    offsets: np.ndarray
    trust: np.ndarray
    bends: BendTable | None = None


@cache
def detector_of(name: str) -> Detector:
    """Return what is known of the detector that wrote ``name`` into the keypoints; no offsets if nothing is."""
    table = FOLDER / f"{Path((name.split() or [name])[0]).name}.json"
    if not table.exists():
        return Detector(np.zeros((len(NAMES), 3)), np.ones(len(NAMES)))
    measured = json.loads(table.read_text())
    spread = np.array([measured["spread"].get(point, 0.0) for point in NAMES])
    bends = measured.get("bends")
    table = BendTable(np.array(bends["total"], float), np.array(bends["extra"], float)) if bends else None
    return Detector(both_sides(measured["offsets"]), EXACT / np.maximum(spread, EXACT), table)


def both_sides(offsets: dict[str, list[float]]) -> np.ndarray:
    """Return (137, 3) for offsets by the name of the left point; the right ones are their mirror images."""
    out = np.zeros((len(NAMES), 3))
    for name, offset in offsets.items():
        out[NAMES.index(name)] = offset
        if name.startswith("left_"):
            out[NAMES.index(name.replace("left_", "right_", 1))] = np.array(offset) * [-1, 1, 1]
    return out
