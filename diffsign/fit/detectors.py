"""Where detectors see points of the body: not quite at its joints.

MediaPipe marks the wrist nearer to the fingers than the joint is, knuckles nearer to the wrist, finger tips short of
the skin's end, shoulders and elbows nearer to the trunk. The offsets were measured by ``benchmarks/offsets.py`` on
synthetic signers whose joints are known; they are means over both sides, metres in the axes of the resting body.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from diffsign.core.keypoints import NAMES

FOLDER = Path(__file__).parent / "offsets"


@cache
def detector_offsets(detector: str) -> np.ndarray:
    """Return (137, 3) how far from the body's own points a detector marks them; zeros for one not measured."""
    offsets = np.zeros((len(NAMES), 3))
    table = FOLDER / f"{Path((detector.split() or [detector])[0]).name}.json"
    if not table.exists():
        return offsets
    for name, offset in json.loads(table.read_text())["offsets"].items():
        offsets[NAMES.index(name)] = offset
        if name.startswith("left_"):
            offsets[NAMES.index(name.replace("left_", "right_", 1))] = np.array(offset) * [-1, 1, 1]
    return offsets
