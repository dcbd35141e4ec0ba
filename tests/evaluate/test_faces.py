"""Faces: found and told apart by dlib and by a network of ArcFace's layout; whom the result is taken for."""

import warnings
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from skimage.transform import SimilarityTransform
from torch import nn
from torch.onnx._internal.torchscript_exporter import onnx_proto_utils

from diffsign.config.evaluate import EvaluateSettings
from diffsign.errors import DiffSignError
from diffsign.evaluate import faces as module
from diffsign.evaluate.faces import (
    ARCFACE_PLACES,
    ARCFACE_POINTS,
    ArcFaceRecogniser,
    DlibRecogniser,
    align_for_arcface,
    make_recogniser,
    missing,
)
from diffsign.evaluate.on_faces import Faces, anonymity, around_face, frames_with_faces, no_faces
from diffsign.records.clip import read_clip
from diffsign.records.keypoints import FACE, Keypoints
from diffsign.records.metrics_on_pictures import FACES
from diffsign.records.picture import read_picture

DEMO = Path(__file__).parents[2] / "config" / "demo"


class ByColour:
    """A recogniser whose descriptor of a picture is its first pixel; black has no face."""

    name, threshold = "by colour", 10.0

    def describe(self, picture: np.ndarray) -> np.ndarray | None:
        pixel = picture[0, 0].astype(float)
        return pixel if pixel.any() else None

    @staticmethod
    def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return cdist(first, second)


def pictures(*reds: int) -> np.ndarray:
    """Return pictures (N, 64, 96, 3) of one shade of red each."""
    return np.array(reds, np.uint8)[:, None, None, None] * np.array([1, 0, 0], np.uint8) + np.zeros(
        (64, 96, 1), np.uint8
    )


def measured(make_keypoints, source: tuple, result: tuple, references: tuple = (), others: tuple = (), **changes):
    recogniser = ByColour()
    for name, value in changes.items():
        setattr(recogniser, name, value)
    keypoints = make_keypoints(frames=len(source))
    faces = Faces(recogniser, {"source": keypoints, "result": keypoints}, most=100)  # type: ignore[arg-type]
    faces.add({"source": pictures(*source), "result": pictures(*result)})
    return anonymity(recogniser, faces, pictures(*references), pictures(*others))  # type: ignore[arg-type]


def test_distances_and_shares_on_paper(make_keypoints) -> None:
    metrics = measured(make_keypoints, (100, 102, 104), (150, 160, 109), references=(200,), others=(112,))
    assert set(metrics) == set(FACES)
    values = {name: metric.value for name, metric in metrics.items()}
    assert values["face_distance_source"] == 48, "of 46 48 50, 56 58 60, 5 7 9"
    assert values["face_distance_same"] == 2, "of 2, 2, 4"
    assert values["face_distance_others"] == pytest.approx(54), "of 8 10 12, 96 98 100"
    assert values["face_distance_reference"] == 50, "of 40, 50, 91"
    assert values["face_distance_result"] == 41, "of 10, 41, 51"
    assert values["face_matched"] == pytest.approx(1 / 3), "109 is 5 from 104"
    assert values["face_identified"] == 0, "150 and 109 are nearer to 112, 160 to 200"
    alone = measured(make_keypoints, (100, 102, 104), (150, 160, 109), references=(200,))
    assert alone["face_identified"].value == pytest.approx(2 / 3), "without 112, 109 and 150 are nearest to the source"
    assert {metric.network for metric in metrics.values()} == {"by colour"}
    assert metrics["face_matched"].settings == {
        "source_looked_at": 3,
        "result_looked_at": 3,
        "others": 2,
        "threshold": 10,
    }


def test_the_source_itself_is_recognised_and_constant_frames_are_at_no_distance(make_keypoints) -> None:
    metrics = measured(make_keypoints, (100, 100), (100, 100), references=(200,))
    assert metrics["face_distance_source"].value == metrics["face_distance_same"].value == 0
    assert metrics["face_matched"].value == metrics["face_identified"].value == 1


@pytest.mark.parametrize(
    ("source", "result", "reference", "name", "reason"),
    [
        ((0, 0), (9, 9), (5,), "face_distance_source", "no face is found in the source"),
        ((9, 9), (0, 0), (5,), "face_matched", "no face is found in the result"),
        ((9, 9), (9, 9), (), "face_distance_reference", "no face is found in 0 reference pictures"),
        ((9, 9), (9, 9), (0,), "face_identified", "no face of another person is known"),
        ((9,), (9,), (5,), "face_distance_same", "fewer than two faces"),
    ],
)
def test_where_a_face_is_missing_there_is_a_reason(make_keypoints, source, result, reference, name, reason) -> None:
    metric = measured(make_keypoints, source, result, reference)[name]
    assert metric.value is None and reason in (metric.reason or "")


def test_without_a_threshold_nobody_is_matched_and_the_rest_is_there(make_keypoints) -> None:
    metrics = measured(make_keypoints, (9, 9), (9, 9), (5,), threshold=None)
    assert "face_threshold" in (metrics["face_matched"].reason or "")
    assert metrics["face_identified"].value == 1


def test_frames_are_spread_over_those_that_show_a_face(make_keypoints) -> None:
    keypoints = make_keypoints(frames=10)
    points = keypoints.points.copy()
    points[:4, FACE, 2] = 0
    hidden = keypoints.with_points(points)
    assert frames_with_faces(hidden, 3).tolist() == [4, 6, 9]
    assert frames_with_faces(keypoints, 100).tolist() == list(range(10))
    points[..., FACE, 2] = 0
    assert frames_with_faces(keypoints.with_points(points), 2).tolist() == [0, 9], "the recogniser may see one"


def test_the_part_around_a_face_is_cut_out_and_enlarged() -> None:
    points = np.ones((70, 3))
    points[:, :2] = np.random.default_rng(0).uniform([40, 20], [60, 40], (70, 2))
    points[:2, :2] = [[40, 20], [60, 40]]
    frame = np.zeros((200, 160, 3), np.uint8)
    frame[40:80, 80:120] = 255  # where the points are, in a frame twice as large as their picture
    part = around_face(frame, points, 80, 100)
    assert part.shape == (200, 200, 3), "100 pixels are enlarged to 200"
    assert (part == 255).mean() == pytest.approx(0.16, abs=0.01), "a face of 40 in 100"
    points[:, 2] = 0
    assert around_face(frame, points, 80, 100) is frame


needs_dlib = pytest.mark.skipif(missing() is not None, reason="the extra identity is not installed")


def picture(name: str) -> np.ndarray:
    return np.array(read_picture(DEMO / name, "picture"))


@needs_dlib
def test_dlib_finds_rendered_faces_and_tells_them_apart() -> None:
    recogniser = make_recogniser(EvaluateSettings(face_threshold=0.5))
    assert isinstance(recogniser, DlibRecogniser) and recogniser.threshold == 0.5 and DlibRecogniser.threshold == 0.6
    source = read_clip(DEMO / "source.mp4")[0][[0, -1]]
    described = [
        recogniser.describe(frame) for frame in (*source, picture("reference.png"), picture("reference-2.png"))
    ]
    assert all(descriptor is not None for descriptor in described)
    stacked = np.stack([d for d in described if d is not None])
    distances = recogniser.distances(stacked, stacked)
    assert distances == pytest.approx(cdist(stacked, stacked), abs=1e-12)
    assert distances[0, 1] < 0.25 < distances[[0, 0, 2], [2, 3, 3]].min(), "one person below, others above"
    assert recogniser.describe(np.full((300, 300, 3), 128, np.uint8)) is None
    large = cv2.resize(source[0], None, fx=3, fy=3)
    again = recogniser.describe(large)
    assert again is not None and np.linalg.norm(again - stacked[0]) < 0.2, (
        "a large picture is searched in a smaller one"
    )


@needs_dlib
def test_a_result_that_is_the_source_is_recognised_and_another_person_is_not(make_keypoints) -> None:
    recogniser = DlibRecogniser()
    clip = read_clip(DEMO / "source.mp4")[0][[0, 20]]
    keypoints = make_keypoints(frames=2)
    unseen = keypoints.with_points(0 * keypoints.points, width=512, height=512)  # the whole picture is searched
    other, reference = picture("reference-2.png"), picture("reference.png")
    values = {}
    for name, result in (("same", clip), ("other", np.stack([other, other[:, ::-1]]))):
        faces = Faces(recogniser, {"source": unseen, "result": unseen}, most=2)
        faces.add({"source": clip, "result": result})
        metrics = anonymity(recogniser, faces, [reference], [other])
        values[name] = {key: metric.value for key, metric in metrics.items()}
    assert values["same"]["face_identified"] == 1 and values["other"]["face_identified"] == 0
    assert values["same"]["face_distance_source"] < values["same"]["face_distance_others"]
    assert values["other"]["face_distance_source"] > 1.5 * values["other"]["face_distance_same"]
    assert values["other"]["face_matched"] == 1, "rendered people are all one to its threshold, as docs/metrics.md says"


class Small(nn.Module):
    """A network in ArcFace's layout: convolution, normalisation, PReLU, linear."""

    def __init__(self, numbers: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, 4, 1), nn.BatchNorm2d(4), nn.PReLU(4), nn.Flatten())
        self.last = nn.Linear(4 * 28 * 28, numbers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.layers(x))


def exported(network: nn.Module, path: Path, size: int = 112) -> Path:
    """Write a network as ONNX; torch asks for the package onnx only to add functions, of which there are none."""
    with warnings.catch_warnings(), mock.patch.object(onnx_proto_utils, "_add_onnxscript_fn", lambda model, _: model):
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(network.eval(), (torch.zeros(1, 3, size, size),), str(path), dynamo=False)
    return path


def test_alignment_is_the_least_squares_similarity_of_scikit_image() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(60, 140, (68, 2))
    middles = np.array([points[part].mean(0) for part in ARCFACE_POINTS])
    # skimage estimates with Umeyama's rotation without reflection: the same minimum where there is none.
    middles = SimilarityTransform(scale=1.4, rotation=0.3, translation=(30, 20))(ARCFACE_PLACES) + rng.normal(
        0, 1, (5, 2)
    )
    for part, middle in zip(ARCFACE_POINTS, middles, strict=True):
        points[part] = middle
    reference = SimilarityTransform.from_estimate(middles, ARCFACE_PLACES)
    image = cv2.GaussianBlur(rng.integers(0, 256, (200, 240, 3), dtype=np.uint8), (0, 0), 4)
    expected = cv2.warpAffine(image, reference.params[:2], (112, 112))
    assert align_for_arcface(image, points) == pytest.approx(expected, abs=2)


@needs_dlib
def test_arcface_runs_as_in_torch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Small()
    path = exported(network, tmp_path / "w600k_tiny.onnx")
    recogniser = make_recogniser(EvaluateSettings(face_recogniser="arcface", arcface_weights=str(path)))
    assert isinstance(recogniser, ArcFaceRecogniser)
    assert recogniser.name == "ArcFace (w600k_tiny.onnx)" and recogniser.threshold is None
    face = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(face).permute(2, 0, 1)[None].float() / 127.5 - 1)[0].numpy()
    assert recogniser._descriptor(face) == pytest.approx(expected, abs=1e-4)
    descriptors = [recogniser.describe(picture(name)) for name in ("reference.png", "reference-2.png")]
    stacked = np.stack([d for d in descriptors if d is not None])
    assert stacked.shape == (2, 32)
    assert recogniser.distances(stacked, stacked) == pytest.approx(cdist(stacked, stacked, "cosine"), abs=1e-9)


@needs_dlib
def test_wrong_arcface_files_say_what_is_expected(tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    larger = exported(nn.Sequential(nn.Flatten(), nn.Linear(3 * 160 * 160, 8)), tmp_path / "larger.onnx", 160)
    single = exported(Small(1), tmp_path / "single.onnx")
    for path in (text, larger, single, tmp_path / "no.onnx"):
        with pytest.raises(DiffSignError, match=rf"ArcFace weights.*{path.name}"):
            make_recogniser(EvaluateSettings(face_recogniser="arcface", arcface_weights=str(path)))


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    off = make_recogniser(EvaluateSettings(face_recogniser="none"))
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    lacking = make_recogniser(EvaluateSettings())
    for reason, word in ((off, "switched off"), (lacking, "extra 'identity'")):
        assert isinstance(reason, str) and word in reason
        metrics = no_faces(reason)
        assert set(metrics) == set(FACES) and all(metric.reason == reason for metric in metrics.values())


def test_keypoints_say_where_the_face_is_whatever_the_size(make_keypoints) -> None:
    """Keypoints are in pixels of the source; frames come in its size, too."""
    seen = []

    class Keeps(ByColour):
        def describe(self, picture: np.ndarray) -> np.ndarray | None:
            seen.append(picture.shape)
            return None

    keypoints: Keypoints = make_keypoints(frames=2)
    faces = Faces(Keeps(), {"source": keypoints, "result": keypoints}, most=1)  # type: ignore[arg-type]
    faces.add({"source": pictures(1, 2), "result": pictures(3, 4)})
    assert len(seen) == 2 and faces.looked_at("result") == 1 and faces.descriptors("source").size == 0
