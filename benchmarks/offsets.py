"""Measure where a detector marks the points of the body, and how surely, on clips with known truth.

    python benchmarks/offsets.py --json diffsign/fit/offsets/mediapipe.json \
        --keypoints a/keypoints.clean.npz b/keypoints.clean.npz --truth a/truth.npz b/truth.npz

For every point of body and hands the constant offset, in the axes of the joint that carries it, is found that moves
the true point's picture onto the detected one: least squares over all frames, both sides together, robustly, with a
little weight on no offset. The face needs none: its landmarks are defined by where the detector sees them.

A point's spread is what its offset leaves: the standard deviation along either axis of the picture, in thousandths of
the picture's height, from the median distance to the true point (which is 1.1774 standard deviations).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from truth import load_truth

from diffsign.body.model import Body, load_body
from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.fit.detectors import both_sides
from diffsign.fit.points import reduced
from diffsign.geometry.kinematics import world_rotations
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.records.keypoints import LEFT_HAND, NAMES, load_keypoints

#: Points of the left side; the right side is their mirror image.
MEASURED = [*(NAMES.index(f"left_{name}") for name in ("shoulder", "elbow", "wrist", "ear", "eye"))]
MEASURED += list(range(LEFT_HAND.start, LEFT_HAND.stop))
#: Pixels of 512 beyond which a detected point is wrong rather than off; weight of no offset, pixels a metre squared.
OUTLIER, RIDGE = 20.0, 2e5
#: Least confidence of a point that is looked at.
SURE = 0.3


def swap_sides(name: str) -> str:
    """Return the name of the same point on the other side."""
    other = name.replace("left_", "right_", 1)
    return other if other != name else name.replace("right_", "left_", 1)


@dataclass(frozen=True)
class Observed:
    """How the detected points of one clip lie beside the true ones.

    Attributes:
        name: of the clip.
        slope: (T, 137, 2, 3) pixels by which a point moves in the picture when its offset, in metres in the axes of the
            joint that carries it, grows by one.
        off: (T, 137, 2) pixels from the true point to the detected one.
        sure: (T, 137) bool, where the detector is sure enough.
        right: (T, 137) bool, where the point is off rather than wrong.
        unit: a thousandth of the picture's height, in pixels.
    """

    name: str
    slope: np.ndarray
    off: np.ndarray
    sure: np.ndarray
    right: np.ndarray
    unit: float


def observe(keypoints_path: Path, truth_path: Path, body: Body, carrier: np.ndarray) -> Observed:
    """Compare one clip's detected points with its truth; ``carrier`` (137,) is the joint that carries each point.

    Raises:
        DiffSignError: if the truth is not a synthetic signer's.
    """
    keypoints, truth, definition = load_keypoints(keypoints_path), load_truth(truth_path), body.landmarks
    vertices, recipe, camera = truth.vertices, truth.recipe, truth.camera
    if vertices is None or recipe is None:
        raise DiffSignError(f"'{truth_path}' is not the truth of a synthetic signer, which offsets are measured on.")
    points = definition.joint_weights @ truth.joints + definition.vertex_weights @ vertices[:, definition.used]
    world = world_rotations(rotvec_to_rotmat(recipe.rotvecs.astype(float)))
    in_camera = camera.to_camera(points)
    gain = np.zeros((*in_camera.shape[:2], 2, 3))
    gain[..., 0, 0] = gain[..., 1, 1] = camera.K[0, 0] / in_camera[..., 2]
    gain[..., :, 2] = -camera.K[0, 0] * in_camera[..., :2] / in_camera[..., 2:] ** 2
    off = keypoints.xy - camera.project(points)
    sure = keypoints.confidence > SURE
    right = sure & (np.linalg.norm(off, axis=-1) < OUTLIER * camera.height / 512)
    return Observed(truth_path.parent.name, gain @ camera.R @ world[:, carrier], off, sure, right, camera.height / 1000)


def solve_offsets(clips: list[Observed]) -> dict[str, list[float]]:
    """Return the offset (3,) in metres of each measured point by least squares, both sides together."""
    matrix, side = np.zeros((len(NAMES), 3, 3)), np.zeros((len(NAMES), 3))
    for clip in clips:
        weight = clip.right.astype(float)
        matrix += np.einsum("tk,tkac,tkad->kcd", weight, clip.slope, clip.slope)
        side += np.einsum("tk,tkac,tka->kc", weight, clip.slope, clip.off)
    flip = np.array([-1.0, 1.0, 1.0])
    table = {}
    for k in MEASURED:
        twin = NAMES.index(swap_sides(NAMES[k]))
        both = matrix[k] + matrix[twin] * np.outer(flip, flip) + RIDGE * np.eye(3)
        table[NAMES[k]] = [round(float(v), 4) for v in np.linalg.solve(both, side[k] + side[twin] * flip)]
    return table


def spreads(clips: list[Observed], table: dict[str, list[float]]) -> dict[str, float]:
    """Return what the offsets leave of each point that is often sure, in thousandths of the picture's height."""
    offsets = both_sides(table)
    away = np.concatenate(
        [
            np.where(clip.sure, np.linalg.norm(clip.off - (clip.slope @ offsets[..., None])[..., 0], axis=-1), np.nan)
            / clip.unit
            for clip in clips
        ]
    )
    twins = [NAMES.index(swap_sides(name)) for name in NAMES]
    sure = np.isfinite(away).mean(0) > 0.1
    spread = np.nanmedian(np.concatenate([away, away[:, twins]])[:, sure], axis=0) / 1.1774
    return {NAMES[k]: round(float(value), 2) for k, value in zip(np.flatnonzero(sure), spread, strict=True)}


def main() -> None:
    """Measure the offsets and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="table to write")
    parser.add_argument("--keypoints", type=Path, nargs="+", required=True, help="detected keypoints of each clip")
    parser.add_argument("--truth", type=Path, nargs="+", required=True, help="truth of each clip, in the same order")
    parser.add_argument("--body", type=Path, default=Path("resources/body/body.npz"), help="body file")
    given = parser.parse_args()
    body = load_body(given.body)
    model = reduced(body)
    carrier = np.zeros(len(NAMES), dtype=int)
    for k in range(len(NAMES)):
        parts = np.flatnonzero(model.part_point == k)
        carrier[k] = model.part_joint[parts[model.part_weight[parts].argmax()]]
    pairs = zip(given.keypoints, given.truth, strict=True)
    clips = [observe(keypoints, truth, body, carrier) for keypoints, truth in pairs]
    table = solve_offsets(clips)
    report = {
        "frames": sum(len(clip.off) for clip in clips),
        "clips": [clip.name for clip in clips],
        "offsets": table,
        "spread": spreads(clips, table),
    }
    with atomic(given.json) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
