"""Results of a made-up run, as fixtures: two signers, two videos, and the videos' files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diffsign.records.clip import write_clip
from diffsign.records.metric_definitions import DETECTED_PARTS, METRIC_DEFINITIONS
from diffsign.records.metrics import Evaluation, metric, save_metrics, to_series

FRAMES, FPS = 12, 24.0


def _make_metrics(signer: str = "anna", video: str = "hello", shift: float = 0.0, **changes) -> Evaluation:
    """Evaluation with every figure at 0.5 + shift and every series of the page."""
    metrics = {}
    for name, definition in METRIC_DEFINITIONS.items():
        network = "tiny CLIP" if definition.group == "likeness" else None
        metrics[name] = metric(0.5 + shift, FRAMES, network=network)
    metrics["reference_similarity"] = metric(None, 0, reason="no reference picture describes the signer")
    wave = 0.5 + 0.1 * np.sin(np.arange(FRAMES))
    wave[3] = np.nan
    series = {f"ssim_successive_{who}": to_series(wave) for who in ("source", "avatar", "result")}
    for part in DETECTED_PARTS:
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
        "metrics": metrics,
        "series": series,
        "versions": {"torch": "2.0"},
    }
    return Evaluation(**(values | changes))


def _write_videos(folder: Path, metrics: Evaluation) -> None:
    frames = [np.full((64, 64, 3), 20 * t, np.uint8) for t in range(FRAMES)]
    source, signer = folder / "videos" / metrics.video, folder / "signers" / metrics.signer / metrics.video
    for path in (source / "clip.mp4", source / "avatar" / "overlay.mp4", source / "control" / "pose.mp4"):
        write_clip(path, frames, FPS)
    write_clip(signer / "clip.mp4", frames, FPS)


@pytest.fixture(scope="session")
def frame_count() -> int:
    """How many frames the made-up results have."""
    return FRAMES


@pytest.fixture(scope="session")
def make_metrics() -> Callable[..., Evaluation]:
    return _make_metrics


@pytest.fixture(scope="session")
def write_videos() -> Callable[[Path, Evaluation], None]:
    return _write_videos


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A folder of results with videos, and the paths of its metrics."""
    folder = tmp_path / "my results"
    paths = []
    for signer, video, shift in (("anna", "hello", 0.0), ("anna", "bye", 0.2), ("ben", "hello", -0.3)):
        metrics = _make_metrics(signer, video, shift, kind="text" if signer == "anna" else "image")
        path = folder / "signers" / signer / video / "metrics.json"
        save_metrics(path, metrics)
        _write_videos(folder, metrics)
        paths.append(path)
    return folder, paths
