"""What the faults are tried on: small files of every kind that is read, and how each is read."""

from __future__ import annotations

import json
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
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderDimensions
from pose_format.utils.generic import reduce_holistic
from pose_format.utils.holistic import holistic_components
from safetensors.torch import save_file

from diffsign.body.model import load_body
from diffsign.body.shipped import copy_shipped
from diffsign.config.schema import read_config
from diffsign.config.sheets import SignerRow, VideoRow, read_sheet
from diffsign.detect.openpose import read_folder
from diffsign.detect.pose_file import read_pose_file
from diffsign.geometry.camera import Camera
from diffsign.import_motion.formats import read_parameters
from diffsign.ingest.source import probe_source
from diffsign.models.weights import shapes_of
from diffsign.records.clip import read_clip, write_clip
from diffsign.records.conditioning import Conditioning, load_conditioning, save_conditioning
from diffsign.records.failures import Failure, load_failures, save_failures
from diffsign.records.keypoints import COUNT, Keypoints, load_keypoints, save_keypoints
from diffsign.records.manifest import Located, Manifest, load_manifest, save_manifest
from diffsign.records.metrics import Evaluation, load_metrics, metric, save_metrics
from diffsign.records.motion import Motion, load_motion, save_motion
from diffsign.records.picture import read_picture
from diffsign.records.placement import Placement, load_placement, save_placement

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
        share: of the damaged files that other kinds have; less for large files.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    exact: bool = True
    share: float = 1.0


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


def _pose(path: Path) -> None:
    """Write two frames of MediaPipe's reduced points as ``pose-format`` does."""
    header = PoseHeader(0.2, PoseHeaderDimensions(width=64, height=48, depth=0), holistic_components("XYZC", 10))
    data = np.random.default_rng(0).uniform(0, 40, (2, 1, header.total_points(), 3))
    pose = reduce_holistic(Pose(header, NumPyPoseBody(24.0, data, np.ones(data.shape[:3]))))
    with path.open("wb") as stream:
        pose.write(stream)


def _weights(path: Path) -> None:
    save_file({"a.weight": torch.rand(4, 3), "a.bias": torch.rand(4)}, path)


def _amass(path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"poses": rng.normal(size=(2, 165)), "trans": np.zeros((2, 3)), "betas": np.zeros(16)}
    np.savez(path, mocap_frame_rate=np.array(24.0), **arrays)


def _openpose(path: Path) -> None:
    sizes = {"pose": 25, "face": 70, "hand_left": 21, "hand_right": 21}
    person = {f"{name}_keypoints_2d": [1.5] * 3 * size for name, size in sizes.items()}
    path.write_text(json.dumps({"version": 1.3, "people": [person]}))


def _placement(path: Path) -> None:
    save_placement(path, Placement(64, 48, 24.0, None, 0.5, ((0.5, 0.0, 4.0), (0.0, 0.5, 0.0))))


def _failures(path: Path) -> None:
    save_failures(path, [Failure(video="a", signer="b", stage="fit", log="fit.log", message="Error: no hands.")])


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
    Kind("placement.json", _placement, load_placement),
    Kind("failures.json", _failures, load_failures),
    Kind("body.npz", copy_shipped, load_body, exact=False, share=0.02),
    Kind("a.safetensors", _weights, lambda path: shapes_of(path, "network"), exact=False),
    Kind("a.pose", _pose, read_pose_file, exact=False),
    Kind("amass.npz", _amass, read_parameters, exact=False),
    Kind("a_1_keypoints.json", _openpose, lambda path: read_folder(path.parent), exact=False),
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
