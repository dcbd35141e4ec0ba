r"""How steady, how legible and how fast the ways are to keep frames alike.

    diffsign fetch demo demo.json
    python benchmarks/temporal.py results/videos/demo resources/body/body.npz demo.json \
        --signer results/signers/words/conditioning.safetensors --json temporal.json

Each variant is a set of generation settings; those of :data:`VARIANTS` are measured with each of ``--steps``, and any
other can be given as ``--variant NAME={"noise":"mesh"}``. Flicker is measured along the avatar's movement, as
``diffsign evaluate`` does; hands are looked for again and compared with those of the avatar's rendering. A border is
where one run of the networks ends and the next begins: the error there over the error elsewhere, both in errors of the
avatar's rendering at the same frames, says whether it shows (1 is no seam).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tables
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from diffsign.config.detect import DetectSettings
from diffsign.config.generate import GenerateSettings
from diffsign.config.settings import parse
from diffsign.detect.stage import detect_clip
from diffsign.evaluate.flicker import estimate_warp, shrink, warping_error
from diffsign.evaluate.legibility import found, handshape_error, part_agreement, presence
from diffsign.evaluate.ssim import ssim_pairs, to_grey
from diffsign.files import atomic
from diffsign.generate.avatar import Avatar, load_avatar
from diffsign.generate.generator import Generator
from diffsign.models.device import use_threads
from diffsign.models.sizing import Sizing, chosen_size
from diffsign.records.clip import ClipInfo, iter_clip, probe_clip, write_clip
from diffsign.records.conditioning import load_conditioning
from diffsign.records.keypoints import Keypoints, load_keypoints
from diffsign.records.manifest import load_manifest

VARIANTS: dict[str, dict[str, Any]] = {
    "own noise": {"noise": "frame"},
    "shared noise": {"noise": "shared"},
    "mesh noise": {"noise": "mesh"},
    "cross-frame": {"noise": "shared", "temporal": "cross-frame"},
    "cross-frame, mesh noise": {"noise": "mesh", "temporal": "cross-frame"},
}
HANDS = ("left_hand", "right_hand")


def part(path: Path, frames: range) -> Iterator[np.ndarray]:
    """Yield some frames of a clip."""
    return islice(iter_clip(path), frames.start, frames.stop)


def rows(keypoints: Keypoints, frames: range) -> Keypoints:
    """Return the keypoints of some frames."""
    total = len(keypoints)
    cut = {
        field.name: value[frames.start : frames.stop]
        for field in fields(keypoints)
        if isinstance(value := getattr(keypoints, field.name), np.ndarray) and len(value) == total
    }
    return replace(keypoints, **cut)


class Scene:
    """A stretch of a video's results: avatar, controls, and what moves where."""

    def __init__(self, folder: Path, body: Path, frames: range, size: tuple[int, int]) -> None:
        self.folder, self.frames = folder, frames
        clip = probe_clip(folder / "avatar" / "color.mkv")
        whole = load_avatar(folder / "motion.npz", body, clip)
        self.avatar = Avatar(whole.motion.rows(slice(frames.start, frames.stop)), whole.body)
        self.info = ClipInfo(clip.width, clip.height, clip.fps, len(frames))
        self.keypoints = rows(load_keypoints(folder / "avatar" / "keypoints.npz"), frames)
        sizing = Sizing.of(*size, 1)
        colour, mask = (
            [shrink(sizing.control(frame)) for frame in part(folder / "avatar" / f"{name}.mkv", frames)]
            for name in ("color", "mask")
        )
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in colour]
        self.inside = [frame[..., 0] > 127 for frame in mask]
        self.warps = [estimate_warp(*pair) for pair in pairwise(grey)]
        self.avatar_error = self.flicker(np.stack(colour))

    def flicker(self, frames: np.ndarray) -> np.ndarray:
        """Return the warping error (T − 1,) of frames (T, H, W, 3) uint8 on the signer."""
        small = [shrink(frame) for frame in frames]
        pairs = zip(small, small[1:], self.warps, self.inside[1:], strict=False)
        return np.array([warping_error(before, after, warp, region) for before, after, warp, region in pairs])


def legibility(scene: Scene, frames: np.ndarray, threads: int) -> dict[str, float]:
    """Look for the hands on a result: share found again, points in place, error of the handshape in degrees."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mkv"
        write_clip(clip, [cv2.resize(frame, (scene.info.width, scene.info.height)) for frame in frames], scene.info.fps)
        seen = detect_clip(clip, DetectSettings(require_person=False), threads)
    again = [presence(found(scene.keypoints, hand), found(seen, hand)) for hand in HANDS]
    wanted = sum(hand.in_reference for hand in again)
    kept = sum(hand.recall * hand.in_reference for hand in again if hand.in_reference)
    correct = np.concatenate([part_agreement(scene.keypoints, seen, hand).correct for hand in HANDS])
    shape = np.concatenate([handshape_error(scene.keypoints, seen, hand) for hand in HANDS])
    body = part_agreement(scene.keypoints, seen, "body").correct
    return {
        "hands_redetected": kept / wanted if wanted else float("nan"),
        "hands_pck": float(np.nanmean(correct)) if np.isfinite(correct).any() else float("nan"),
        "handshape_error": float(np.nanmean(shape)) if np.isfinite(shape).any() else float("nan"),
        "body_pck": float(np.nanmean(body)),
    }


def measure(generator: Generator, scene: Scene, size: tuple[int, int], threads: int) -> tuple[dict, np.ndarray]:
    """Generate the stretch and measure it; returns figures and frames (T, H, W, 3) uint8."""
    sizing = Sizing.of(*size, generator.factor)
    streams = {name: part(scene.folder / "control" / f"{name}.mkv", scene.frames) for name in generator.controls}
    start, processor = time.perf_counter(), time.process_time()
    total = len(scene.frames)
    frames = np.stack(list(generator.frames(streams, total, range(total), sizing)))
    spent = {"seconds": time.perf_counter() - start, "processor_seconds": time.process_time() - processor}
    error = scene.flicker(frames)
    starts = {window.kept[0] for window in generator.windows(total)} - {0}
    border = np.array([frame in starts for frame in range(1, total)])
    relative = error / scene.avatar_error
    return {
        "warping_error": float(np.nanmean(error)),
        "times_avatar": float(np.nanmean(error) / np.nanmean(scene.avatar_error)),
        "border_over_inside": float(relative[border].mean() / relative[~border].mean()) if border.any() else None,
        "ssim_successive": float(np.mean(ssim_pairs(*(to_grey(frames[part]) for part in (np.s_[:-1], np.s_[1:]))))),
        **legibility(scene, frames, threads),
        **{f"{name}_per_frame": value / total for name, value in spent.items()},
    }, frames


def main() -> None:
    """Measure every variant, print a table, write JSON and a sheet of pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, help="folder of a video's results, as results/videos/demo")
    parser.add_argument("body", type=Path, help="body file of its motion")
    parser.add_argument("family", type=Path, help="manifest of the model family")
    parser.add_argument("--signer", type=Path, required=True, help="conditioning of a signer, from diffsign encode")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--sheet", type=Path, help="picture of some frames of every variant")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=JSON", help="in place of the built-in")
    parser.add_argument("--steps", type=int, nargs="+", help="denoising steps; by default the preset's")
    parser.add_argument("--first", type=int, default=0, help="first frame")
    parser.add_argument("--frames", type=int, help="frames; by default all that follow")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    given = {name: json.loads(text) for name, _, text in (item.partition("=") for item in arguments.variant)}
    manifest, signer = load_manifest(arguments.family), load_conditioning(arguments.signer)
    clip = probe_clip(arguments.video / "avatar" / "color.mkv")
    size = chosen_size(manifest.family, GenerateSettings(), clip)
    last = min(clip.frames, arguments.first + arguments.frames) if arguments.frames else clip.frames
    scene = Scene(arguments.video, arguments.body, range(arguments.first, last), size)
    results: dict[str, dict] = {}
    pictures: list[np.ndarray] = []
    for steps in arguments.steps or [None]:
        for name, changes in (given or VARIANTS).items():
            values = {"steps": steps, "batch_size": arguments.batch_size, **changes}
            settings = parse(GenerateSettings, values, f"variant '{name}'")
            generator = Generator(manifest, signer, settings, scene.avatar)
            label = f"{name}, {generator.sampling.steps} steps"
            with torch.inference_mode():
                results[label], frames = measure(generator, scene, size, arguments.threads)
            pictures.append(np.hstack(frames[np.linspace(0, len(frames) - 1, 6).astype(int)]))
            Console().print(label, {key: value and round(value, 5) for key, value in results[label].items()})
    table = Table("variant", *next(iter(results.values())))
    for label, figures in results.items():
        table.add_row(label, *("" if value is None else f"{value:.4g}" for value in figures.values()))
    tables.show(table)
    if arguments.sheet:
        Image.fromarray(np.vstack(pictures)).save(arguments.sheet)
    if arguments.json:
        with atomic(arguments.json) as temporary:
            report = {"frames": len(scene.frames), "family": manifest.name, "size": size, "variants": results}
            temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
