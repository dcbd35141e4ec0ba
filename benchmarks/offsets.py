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
from pathlib import Path

import numpy as np
from truth import load_truth

from diffsign.body.model import load_body
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


def main() -> None:
    """Measure the offsets and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="table to write")
    parser.add_argument("--keypoints", type=Path, nargs="+", required=True, help="detected keypoints of each clip")
    parser.add_argument("--truth", type=Path, nargs="+", required=True, help="truth of each clip, in the same order")
    parser.add_argument("--body", type=Path, default=Path("resources/body/body.npz"), help="body file")
    given = parser.parse_args()
    body = load_body(given.body)
    model, definition = reduced(body), body.landmark_definition()
    carrier = np.zeros(len(NAMES), dtype=int)
    for k in range(len(NAMES)):
        parts = np.flatnonzero(model.part_point == k)
        carrier[k] = model.part_joint[parts[model.part_weight[parts].argmax()]]
    matrix, side = np.zeros((len(NAMES), 3, 3)), np.zeros((len(NAMES), 3))
    seen_clips = []
    for found, path in zip(given.keypoints, given.truth, strict=True):
        keypoints, truth = load_keypoints(found), load_truth(path)
        vertices, recipe, camera = truth.vertices, truth.recipe, truth.camera
        if vertices is None or recipe is None:
            parser.error(f"{path} is not the truth of a synthetic signer")
        solid = definition.joint_weights @ truth.joints + definition.vertex_weights @ vertices[:, definition.used]
        turned = world_rotations(rotvec_to_rotmat(recipe.rotvecs.astype(float)))
        seen = camera.to_camera(solid)
        gain = np.zeros((*seen.shape[:2], 2, 3))
        gain[..., 0, 0] = gain[..., 1, 1] = camera.K[0, 0] / seen[..., 2]
        gain[..., :, 2] = -camera.K[0, 0] * seen[..., :2] / seen[..., 2:] ** 2
        slope = gain @ camera.R @ turned[:, carrier]
        off = keypoints.xy - camera.project(solid)
        limit = OUTLIER * camera.height / 512
        weight = (keypoints.confidence > SURE) & (np.linalg.norm(off, axis=-1) < limit)
        matrix += np.einsum("tk,tkac,tkad->kcd", weight.astype(float), slope, slope)
        side += np.einsum("tk,tkac,tka->kc", weight.astype(float), slope, off)
        unit = camera.height / 1000
        seen_clips.append((slope / unit, np.where(keypoints.confidence[..., None] > SURE, off / unit, np.nan)))
    flip = np.array([-1.0, 1.0, 1.0])
    table = {}
    for k in MEASURED:
        twin = NAMES.index(swap_sides(NAMES[k]))
        both = matrix[k] + matrix[twin] * np.outer(flip, flip) + RIDGE * np.eye(3)
        offset = np.linalg.solve(both, side[k] + side[twin] * flip)
        table[NAMES[k]] = [round(float(value), 4) for value in offset]
    offsets = both_sides(table)
    away = np.concatenate(
        [np.linalg.norm(off - (slope @ offsets[..., None])[..., 0], axis=-1) for slope, off in seen_clips]
    )
    twins = [NAMES.index(swap_sides(name)) for name in NAMES]
    sure = np.isfinite(away).mean(0) > 0.1
    spread = np.nanmedian(np.concatenate([away, away[:, twins]])[:, sure], axis=0) / 1.1774
    report = {
        "frames": len(away),
        "clips": [Path(path).parent.name for path in given.truth],
        "offsets": table,
        "spread": {NAMES[k]: round(float(value), 2) for k, value in zip(np.flatnonzero(sure), spread, strict=True)},
    }
    with atomic(given.json) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
