"""Does a detector mark real people as it marks rendered ones? What can be checked without truth: sizes and symmetry.

    python benchmarks/proportions.py --json proportions.json --docs docs/accuracy.md \
        --rendered results/benchmarks/fit/*/keypoints.clean.npz --real results/benchmarks/real/*/keypoints.clean.npz

The offsets and spreads of MediaPipe's points (``benchmarks/offsets.py``) were measured on rendered signers. If real
people have the same proportions in its points, and left the same as right, they carry over. Both must come
from the same detector: the 3D of a ``.pose`` file is made in another way.

A length is the median over frames in which the hand is sure, in lengths of the palm (wrist to the middle finger's
knuckle), from the detector's 3D. Lengths of the body are the 90th percentile over frames, in shoulder widths of the
picture, as foreshortening only shortens.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tables import replace_between

from diffsign.errors import DiffSignError
from diffsign.evaluate.signing import HANDS
from diffsign.files import atomic
from diffsign.records.keypoints import BODY_NAMES, Keypoints, load_keypoints

BEGIN, END = "<!-- benchmarks/proportions.py writes from here -->", "<!-- to here: proportions -->"
FINGERS = ("thumb", "index", "middle", "ring", "little")
#: Bones by name as pairs of a hand's points, and of the body's.
HAND_BONES = {
    "palm's width": (5, 17),
    **{f"{finger}, knuckle to tip": None for finger in FINGERS},
    "wrist to the thumb's joint": (0, 2),
    "wrist to the little finger": (0, 17),
}
BODY_BONES = {
    "ear to ear": ("left_ear", "right_ear"),
    "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}
SURE = 0.3


def hand_lengths(hand: np.ndarray) -> dict[str, np.ndarray]:
    """Return the lengths (T,) of a hand's parts in palm lengths, of hands (T, 21, 3)."""
    palm = np.linalg.norm(hand[:, 9] - hand[:, 0], axis=-1)
    lengths = {}
    for name, pair in HAND_BONES.items():
        if pair is None:
            first = 1 + 4 * FINGERS.index(name.split(",")[0])
            chain = np.diff(hand[:, first : first + 4], axis=1)
            lengths[name] = np.linalg.norm(chain, axis=-1).sum(1) / palm
        else:
            lengths[name] = np.linalg.norm(hand[:, pair[0]] - hand[:, pair[1]], axis=-1) / palm
    return lengths


def measure(clips: Iterable[Keypoints]) -> dict[str, dict[str, float]]:
    """Return the median length of each part over the clips, by side (``left``, ``right``, and ``body``)."""
    rows: dict[str, dict[str, list[float]]] = {}
    for keypoints in clips:
        if keypoints.world is not None:
            for side, rows_of_hand in HANDS.items():
                sure = (keypoints.confidence[:, rows_of_hand] > SURE).all(1)
                sure &= (keypoints.world[:, rows_of_hand, 3] > 0).all(1)
                if sure.sum() >= 3:
                    for name, values in hand_lengths(keypoints.world[sure][:, rows_of_hand, :3].astype(float)).items():
                        rows.setdefault(side, {}).setdefault(name, []).append(float(np.median(values)))
        for name, value in body_lengths(keypoints).items():
            rows.setdefault("body", {}).setdefault(name, []).append(value)
    return {side: {name: float(np.median(values)) for name, values in names.items()} for side, names in rows.items()}


def body_lengths(keypoints: Keypoints) -> dict[str, float]:
    """Return lengths of the body in shoulder widths, left and right apart."""

    def length(a: str, b: str) -> np.ndarray:
        rows = [BODY_NAMES.index(a), BODY_NAMES.index(b)]
        sure = (keypoints.confidence[:, rows] > SURE).all(1)
        gap = np.linalg.norm(keypoints.xy[:, rows[0]] - keypoints.xy[:, rows[1]], axis=-1)
        return np.where(sure, gap, np.nan)

    width = np.nanmedian(length("left_shoulder", "right_shoulder"))
    lengths = {}
    for name, (a, b) in BODY_BONES.items():
        for side in ("",) if a.startswith("left") else ("left_", "right_"):
            values = length(side + a, side + b)
            if np.isfinite(values).sum() >= 3 and width > 0:
                lengths[f"{side.rstrip('_')} {name}".strip()] = float(np.nanpercentile(values, 90) / width)
    return lengths


def table(figures: dict) -> list[str]:
    """Return the figures as lines of Markdown."""
    heads = [f"{kind} ({count} clips)" for kind, count in figures["clips"].items()]
    lines = [f"| | {' | '.join(heads)} | real, left against right |", "| --- | ---: | ---: | ---: |"]
    rendered, real = figures["rendered"], figures["real"]

    def both(of: dict, name: str) -> float:
        return float(np.mean([of[side][name] for side in HANDS if name in of.get(side, {})]))

    for name in HAND_BONES:
        a, b = both(rendered, name), both(real, name)
        sides = [real[side][name] for side in HANDS if name in real.get(side, {})]
        apart = f"{100 * (sides[0] / sides[1] - 1):+.1f} %" if len(sides) == 2 else ""
        lines.append(f"| {name} | {a:.2f} | {b:.2f} ({100 * (b / a - 1):+.0f} %) | {apart} |")
    for name in sorted({key.removeprefix("left ").removeprefix("right ") for key in real["body"]}):
        keys = [key for key in real["body"] if key.endswith(name)]
        a, b = (float(np.mean([of["body"].get(key, np.nan) for key in keys])) for of in (rendered, real))
        apart = f"{100 * (real['body'][keys[0]] / real['body'][keys[1]] - 1):+.1f} %" if len(keys) == 2 else ""
        lines.append(f"| {name} | {a:.2f} | {b:.2f} ({100 * (b / a - 1):+.0f} %) | {apart} |")
    return lines


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--rendered", type=Path, nargs="+", required=True, help="keypoints of rendered signers")
    parser.add_argument("--real", type=Path, nargs="+", required=True, help="keypoints of real people")
    parser.add_argument("--docs", type=Path, help="page to put the table into")
    given = parser.parse_args()
    kinds = {"rendered": given.rendered, "real": given.real}
    figures: dict = {kind: measure(map(load_keypoints, paths)) for kind, paths in kinds.items()}
    figures["clips"] = {kind: len(paths) for kind, paths in kinds.items()}
    with atomic(given.json) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n")
    print(*table(figures), sep="\n")  # noqa: T201
    if given.docs:
        replace_between(given.docs, BEGIN, END, table(figures))


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
