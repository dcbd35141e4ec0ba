"""What the faults are tried on: small files of every kind that is read, and how each is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import openpyxl
import pytest
import torch
from PIL import Image

from diffsign.config.schema import read_config
from diffsign.config.sheets import SignerRow, VideoRow, read_sheet
from diffsign.geometry.camera import Camera
from diffsign.ingest.source import probe_source
from diffsign.records.clip import read_clip, write_clip
from diffsign.records.conditioning import Conditioning, load_conditioning, save_conditioning
from diffsign.records.keypoints import COUNT, Keypoints, load_keypoints, save_keypoints
from diffsign.records.manifest import Located, Manifest, load_manifest, save_manifest
from diffsign.records.metrics import Evaluation, load_metrics, metric, save_metrics
from diffsign.records.motion import Motion, load_motion, save_motion
from diffsign.records.picture import read_picture

#: How many damaged files are read of each kind: a few in every run of the tests, more by ``DIFFSIGN_FAULTS=7000``.
READS = int(os.environ.get("DIFFSIGN_FAULTS", "40"))

hypothesis.settings.register_profile(
    "faults",
    max_examples=READS,
    deadline=None,
    database=None,
    derandomize=READS <= 40,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.generate],
)


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: file name, with the suffix that readers choose by.
        write: makes a whole one.
        read: reads it, or raises.
        exact: damage may not change what is read: it is the same as of the whole file, or refused.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    exact: bool = True


def _keypoints(path: Path) -> None:
    points = np.random.default_rng(0).random((3, COUNT, 3), dtype=np.float32)
    save_keypoints(path, Keypoints(points, 24.0, 64, 48, world=np.dstack([points, points[..., :1]]), detector="test"))


def _conditioning(path: Path) -> None:
    words, pictures = [torch.rand(1, 4, 8) for _ in range(2)], [torch.rand(1, 1, 5) for _ in range(2)]
    save_conditioning(path, Conditioning("demo", "a", "b", True, ("x.png",), *words, None, None, *pictures))


def _manifest(path: Path) -> None:
    from diffsign.config.family import family_named, resolve_families

    base = Located(path=str(path.parent), id="x", commit=None, bytes=7)
    family = family_named("demo", resolve_families(None))
    save_manifest(path, Manifest(name="demo", architecture="sd", family=family, base=base))


def _metrics(path: Path) -> None:
    numbers = {"fid": metric(1.5, 9, network="x"), "kid": metric(None, 0, reason="too few frames")}
    record = {"video": "a", "signer": "b", "kind": "text", "family": "demo", "frames": 9, "fps": 24, "width": 8}
    save_metrics(path, Evaluation(**record, height=8, metrics=numbers, series={"x": [0.5, None]}))


def _clip(path: Path, depth: bool = False) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), dtype=np.uint8)
    write_clip(path, frames[..., 0].astype(np.uint16) if depth else frames, 24, depth=depth)


def _book(path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["video", "path", "start"], ["a", "a.mp4", 1.5], ["b", "b.mp4", None]):
        book.active.append(row)
    book.save(path)


def _picture(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(path)


SHEET = 'signer\timage\ttext\tseed\na\tx.png\t"a ""tall"" woman\nin red"\t3\n# note\nb\t\ta man\t\n'
CONFIG = "results: out\ningest: {fps: 24, height: 512}\nvideos: videos.tsv\ngenerate: {batch_size: 4}\n"

KINDS = [
    Kind("keypoints.npz", _keypoints, load_keypoints),
    Kind(
        "motion.npz",
        lambda path: save_motion(path, Motion.rest(3, Camera.facing(64, 48, 80), 24.0, 10, 12)),
        load_motion,
    ),
    Kind("conditioning.safetensors", _conditioning, load_conditioning),
    Kind("family.json", _manifest, load_manifest),
    Kind("metrics.json", _metrics, load_metrics),
    Kind("color.mkv", _clip, read_clip),
    Kind("depth.mkv", lambda path: _clip(path, depth=True), lambda path: read_clip(path, depth=True)),
    Kind("film.mp4", _clip, probe_source, exact=False),
    Kind("picture.png", _picture, lambda path: np.asarray(read_picture(path)), exact=False),
    Kind("picture.jpg", _picture, lambda path: np.asarray(read_picture(path)), exact=False),
    Kind("picture.webp", _picture, lambda path: np.asarray(read_picture(path)), exact=False),
    Kind("picture.tif", _picture, lambda path: np.asarray(read_picture(path)), exact=False),
    Kind("picture.gif", _picture, lambda path: np.asarray(read_picture(path)), exact=False),
    Kind("signers.tsv", lambda path: path.write_text(SHEET), lambda path: read_sheet(path, SignerRow), exact=False),
    Kind("videos.xlsx", _book, lambda path: read_sheet(path, VideoRow), exact=False),
    Kind("config.yaml", lambda path: path.write_text(CONFIG), read_config, exact=False),
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param
