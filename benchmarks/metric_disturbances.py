r"""Which metric moves when something known goes wrong: ``docs/metrics.md``'s table.

A clip is its own result, and then is disturbed in one way at a time: in its pictures, in the keypoints that a detector
gave, or in both. A metric has moved when it leaves its undisturbed value by more than the smallest difference that
:data:`MOVED` allows.

    diffsign fetch demo demo.json --clip
    python benchmarks/metric_disturbances.py results/videos/demo --family demo.json --docs docs/metrics.md
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tables import replace_between

from diffsign.config.evaluate import EvaluateSettings
from diffsign.evaluate.parameters import RIGID_FACE
from diffsign.evaluate.stage import Inputs, evaluate
from diffsign.files import atomic
from diffsign.geometry.alignment import best_rotation
from diffsign.records.clip import read_clip, write_clip
from diffsign.records.keypoints import FACE, LEFT_HAND, RIGHT_HAND, Keypoints, load_keypoints, save_keypoints
from diffsign.records.metric_definitions import format_value

#: Metrics of the table, with the change that counts as one, in the metric's own unit.
MOVED = {
    "signing_presence_source": 0.01,
    "signing_handshape_source": 0.01,
    "signing_orientation_source": 0.01,
    "signing_location_source": 0.01,
    "signing_movement_source": 0.01,
    "signing_contact_source": 0.01,
    "signing_mouth_source": 0.01,
    "signing_brows_source": 0.01,
    "signing_head_source": 0.01,
    "hands_recall_source": 0.01,
    "hands_precision_source": 0.01,
    "hands_pck_strict_source": 0.01,
    "hands_pck_source": 0.01,
    "handshape_error_source": 0.5,
    "delay_source": 10.0,
    "mouth_agreement_source": 0.05,
    "brow_agreement_source": 0.05,
    "hands_ndtw_source": 0.1,
    "dtw_mje_source": 0.005,
    "ssim_successive": 0.005,
    "flicker": 0.05,
    "fid": 0.1,
}
BEGIN, END = "<!-- benchmarks/metric_disturbances.py writes from here -->", "<!-- to here -->"


@dataclass
class Scene:
    """Frames (T, H, W, 3) and keypoints of source and result; disturbances change either."""

    frames: np.ndarray
    result: Keypoints
    source: Keypoints


Change = Callable[[Scene, np.random.Generator], None]


def _third(scene: Scene) -> slice:
    count = len(scene.frames)
    return slice(count // 3, 2 * count // 3)


def _without_hand(keypoints: Keypoints, frames: slice, hand: slice) -> Keypoints:
    points = keypoints.points.copy()
    world = None if keypoints.world is None else keypoints.world.copy()
    points[frames, hand] = 0
    if world is not None:
        world[frames, hand] = 0
    return keypoints.with_points(points, world=world)


def nothing(scene: Scene, rng: np.random.Generator) -> None:
    """Leave all as it is."""


def hand_removed(scene: Scene, rng: np.random.Generator) -> None:
    """The right hand is gone for a third of the clip."""
    scene.result = _without_hand(scene.result, _third(scene), RIGHT_HAND)


def hand_added(scene: Scene, rng: np.random.Generator) -> None:
    """The result shows a right hand for a third of the clip where the source has none."""
    scene.source = _without_hand(scene.source, _third(scene), RIGHT_HAND)


def hand_mirrored(scene: Scene, rng: np.random.Generator) -> None:
    """The right hand is its mirror image, in place: thumb where the little finger was."""
    points, world = scene.result.points.copy(), scene.result.world
    x = points[:, RIGHT_HAND, 0]
    points[:, RIGHT_HAND, 0] = x.mean(1, keepdims=True) * 2 - x
    if world is not None:
        world = world.copy()
        world[:, RIGHT_HAND, 0] *= -1
    scene.result = scene.result.with_points(points, world=world)


def handshape_exchanged(scene: Scene, rng: np.random.Generator) -> None:
    """The fingers of the right hand are closed to a fist, palm and place as they were."""
    points, world = scene.result.points.copy(), scene.result.world
    for array in [points] if world is None else [points, world := world.copy()]:
        hand = array[:, RIGHT_HAND, :2] if array is points else array[:, RIGHT_HAND, :3]
        for knuckle in (5, 9, 13, 17):
            back = hand[:, 0] - hand[:, knuckle]
            hand[:, knuckle + 1] = hand[:, knuckle] - 0.25 * back
            hand[:, knuckle + 2] = hand[:, knuckle] + 0.15 * back
            hand[:, knuckle + 3] = hand[:, knuckle] + 0.4 * back
        array[:, RIGHT_HAND, : hand.shape[-1]] = hand
    scene.result = scene.result.with_points(points, world=world)


def frames_shuffled(scene: Scene, rng: np.random.Generator) -> None:
    """The frames are in another order, pictures and points."""
    _reorder(scene, rng.permutation(len(scene.frames)))


def late_by_two_frames(scene: Scene, rng: np.random.Generator) -> None:
    """Everything is late by two frames (83 ms at 24 a second), pictures and points."""
    late = 2
    _reorder(scene, np.maximum(np.arange(len(scene.frames)) - late, 0))


def _reorder(scene: Scene, order: np.ndarray) -> None:
    world = scene.result.world
    scene.frames = scene.frames[order]
    scene.result = scene.result.with_points(scene.result.points[order], world=None if world is None else world[order])


def blurred(scene: Scene, rng: np.random.Generator) -> None:
    """The pictures are blurred, Gaussian, sigma 4 pixels."""
    scene.frames = np.stack([cv2.GaussianBlur(frame, (0, 0), 4) for frame in scene.frames])


def flickering(scene: Scene, rng: np.random.Generator) -> None:
    """The pictures' brightness jumps by up to 8 % from frame to frame."""
    gain = 1 + rng.uniform(-0.08, 0.08, (len(scene.frames), 1, 1, 1))
    scene.frames = np.clip(scene.frames * gain, 0, 255).astype(np.uint8)


def hand_shifted(scene: Scene, rng: np.random.Generator) -> None:
    """The right hand is one palm lower."""
    points = scene.result.points.copy()
    palm = np.linalg.norm(points[:, RIGHT_HAND.start + 5, :2] - points[:, RIGHT_HAND.start + 17, :2], axis=-1)
    points[:, RIGHT_HAND, 1] += np.percentile(palm, 90)
    scene.result = scene.result.with_points(points)


def face_still(scene: Scene, rng: np.random.Generator) -> None:
    """Mouth and brows stay as they are when a face is first seen; the head moves as it did."""
    points = scene.result.points.copy()
    face = points[:, FACE, :2]
    seen = (points[:, FACE, 2] > 0).all(1)
    usual = face[np.argmax(seen)].copy()
    rigid = usual[RIGID_FACE]
    for frame in np.flatnonzero(seen):
        rotation = best_rotation(rigid, face[frame, RIGID_FACE])
        face[frame] = (usual - rigid.mean(0)) @ rotation.T + face[frame, RIGID_FACE].mean(0)
    scene.result = scene.result.with_points(points)


def head_tilted(scene: Scene, rng: np.random.Generator) -> None:
    """The head is tilted by 20° for a third of the clip."""
    points = scene.result.points.copy()
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    face = points[_third(scene), FACE, :2]
    middle = face.mean(1, keepdims=True)
    points[_third(scene), FACE, :2] = (face - middle) @ turn.T + middle
    scene.result = scene.result.with_points(points)


DISTURBANCES: dict[str, Change] = {
    "none": nothing,
    "hand removed": hand_removed,
    "hand added": hand_added,
    "hand mirrored": hand_mirrored,
    "handshape exchanged": handshape_exchanged,
    "hand one palm lower": hand_shifted,
    "face still": face_still,
    "head tilted": head_tilted,
    "2 frames late": late_by_two_frames,
    "frames shuffled": frames_shuffled,
    "blur": blurred,
    "flicker": flickering,
}


def measure(folder: Path, family: Path, change: Change) -> dict[str, float | None]:
    """Return the metrics of a clip that is its own result, disturbed."""
    frames, info = read_clip(folder / "clip.mkv")
    keypoints = load_keypoints(folder / "keypoints.npz")
    both = (keypoints.confidence[:, hand].mean(1) > 0 for hand in (LEFT_HAND, RIGHT_HAND))
    if not all(found.any() for found in both):
        raise SystemExit(f"{folder}: the clip must show both hands.")
    scene = Scene(frames, keypoints, keypoints)
    change(scene, np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as text:
        where = Path(text)
        write_clip(where / "result.mkv", list(scene.frames), info.fps)
        save_keypoints(where / "result.npz", scene.result)
        save_keypoints(where / "source.npz", scene.source)
        inputs = Inputs(
            result=where / "result.mkv",
            source=folder / "clip.mkv",
            avatar=folder / "avatar" / "color.mkv",
            mask=folder / "avatar" / "mask.mkv",
            source_keypoints=where / "source.npz",
            avatar_keypoints=folder / "avatar" / "keypoints.npz",
            result_keypoints=where / "result.npz",
            family=family,
            source_text="a person signing",
        )
        evaluation, _ = evaluate(inputs, EvaluateSettings(worst_moments=0))
    return {name: evaluation.value(name) for name in MOVED}


def table(values: dict[str, dict[str, float | None]]) -> str:
    """Return the table in Markdown: metrics as rows; what has moved is bold."""
    lines = ["| metric | " + " | ".join(values) + " |", "| --- |" + " ---: |" * len(values)]
    for name, least in MOVED.items():
        usual = values["none"][name]
        cells = []
        for measured in values.values():
            value = measured[name]
            text = format_value(name, value)
            moved = (value is None) != (usual is None) or (
                value is not None and usual is not None and abs(value - usual) > least
            )
            cells.append(f"**{text}**" if moved else text)
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure every disturbance and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="results/videos/NAME of a run: clip, keypoints, avatar")
    parser.add_argument("--family", type=Path, required=True, help="manifest of a family with a CLIP, for FID")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--docs", type=Path, help="page whose table is replaced")
    given = parser.parse_args()
    values = {name: measure(given.folder, given.family, change) for name, change in DISTURBANCES.items()}
    text = table(values)
    print(text)  # noqa: T201
    if given.json:
        with atomic(given.json) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n")
    if given.docs:
        replace_between(given.docs, BEGIN, END, text.splitlines())


if __name__ == "__main__":
    main()
