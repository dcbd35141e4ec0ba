"""Results of a made-up run: two signers, two videos, and the videos' files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffsign.records.clip import write_clip
from diffsign.records.metric_definitions import DEFINITIONS, PARTS
from diffsign.records.metrics import Metrics, figure, to_series

FRAMES, FPS = 12, 24.0


def make_metrics(signer: str = "anna", video: str = "hello", shift: float = 0.0, **changes) -> Metrics:
    """Metrics with every figure at 0.5 + shift and every series of the page."""
    figures = {}
    for name, definition in DEFINITIONS.items():
        network = "tiny CLIP" if definition.group == "likeness" else None
        figures[name] = figure(0.5 + shift, FRAMES, network=network)
    figures["reference_similarity"] = figure(None, 0, reason="no reference picture describes the signer")
    wave = 0.5 + 0.1 * np.sin(np.arange(FRAMES))
    wave[3] = np.nan
    series = {f"ssim_successive_{who}": to_series(wave) for who in ("source", "avatar", "result")}
    for part in PARTS:
        for who in ("source", "avatar", "result"):
            seen = np.ones(FRAMES)
            if who == "result":
                seen[4:7] = 0
            series[f"{part}_found_{who}"] = to_series(seen)
    values = {
        "video": video,
        "signer": signer,
        "kind": "text",
        "family": "demo",
        "frames": FRAMES,
        "fps": FPS,
        "width": 64,
        "height": 64,
        "source_text": "a person signing",
        "signer_text": "a woman with red hair",
        "figures": figures,
        "series": series,
        "versions": {"torch": "2.0"},
    }
    return Metrics(**(values | changes))


def write_videos(folder: Path, metrics: Metrics) -> None:
    frames = [np.full((64, 64, 3), 20 * t, np.uint8) for t in range(FRAMES)]
    source, signer = folder / "videos" / metrics.video, folder / "signers" / metrics.signer / metrics.video
    for path in (source / "clip.mp4", source / "avatar" / "overlay.mp4", source / "control" / "pose.mp4"):
        write_clip(path, frames, FPS)
    write_clip(signer / "clip.mp4", frames, FPS)
