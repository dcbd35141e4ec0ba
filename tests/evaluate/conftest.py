"""Small clips, keypoints and a tiny CLIP with random weights, as fixtures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from diffsign.config.family import family_named, resolve_families
from diffsign.records.clip import write_clip
from diffsign.records.keypoints import COUNT, LEFT_HAND, RIGHT_HAND, Keypoints, save_keypoints
from diffsign.records.manifest import Located, Manifest, save_manifest

WIDTH, HEIGHT, FRAMES, FPS = 96, 64, 5, 24.0


def _make_hand(bend: float, size: float = 10.0) -> np.ndarray:
    """(21, 3) a hand whose finger joints all bend by ``bend`` radians, towards the viewer; wrist at the origin."""
    points = np.zeros((21, 3))
    for finger in range(5):
        angle = np.pi / 2 + (finger - 2) * 0.3
        straight, inward = np.array([np.cos(angle), -np.sin(angle), 0.0]), np.array([0.0, 0.0, 1.0])
        at = np.zeros(3)
        for k, length in enumerate((size, size / 2, size / 3, size / 4)):
            at = at + length * (np.cos(k * bend) * straight + np.sin(k * bend) * inward)
            points[1 + 4 * finger + k] = at
    return points


def _make_keypoints(frames: int = FRAMES, seed: int = 0) -> Keypoints:
    """Points all over the picture, two hands of a sensible shape, all found; mouth and brows moving."""
    rng = np.random.default_rng(seed)
    points = np.ones((frames, COUNT, 3), np.float32)
    points[..., :2] = rng.uniform([10, 10], [WIDTH - 10, HEIGHT - 10], (COUNT, 2))
    face = points[:, 67:]
    face[:, 36, :2], face[:, 45, :2] = (30, 20), (50, 20)
    face[:, 62, :2] = (40, 30)
    face[:, 66, 0], face[:, 66, 1] = 40, 31 + np.linspace(0, 6, frames)
    face[:, 17:27, 1] = 5 - np.linspace(1.5, 0, frames)[:, None] ** 2
    points[:, LEFT_HAND, :2] = _make_hand(0.3)[:, :2] + [60, 40]
    points[:, RIGHT_HAND, :2] = _make_hand(0.6)[:, :2] + [30, 40]
    return Keypoints(points=points, fps=FPS, width=WIDTH, height=HEIGHT, detector="test")


def _make_picture(shift: int, seed: int = 0) -> np.ndarray:
    """A textured background with a textured square that moves by ``shift`` pixels."""
    rng = np.random.default_rng(seed)
    frame = rng.integers(40, 90, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    frame[20:44, 20 + shift : 44 + shift] = rng.integers(120, 250, (6, 6, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    return frame


def _make_tiny_clip(folder: Path, seed: int = 0) -> Path:
    """Write a CLIP with random weights in the layout of transformers."""
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    folder.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    special = {"bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}
    text = CLIPTextConfig(vocab_size=len(tokens), max_position_embeddings=77, **special, **shape)
    vision = CLIPVisionConfig(image_size=32, patch_size=8, **shape)
    torch.manual_seed(seed)
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=16)
    CLIPModel(config).save_pretrained(folder)
    return folder


def _write_result(folder: Path, clip: Path) -> dict[str, Path]:
    """Write clips, keypoints and a manifest; the result flickers and its right hand is lost in one frame."""
    rng = np.random.default_rng(5)
    moving = [_make_picture(2 * t) for t in range(FRAMES)]
    mask = [np.where(frame.max(-1, keepdims=True) > 110, 255, 0).astype(np.uint8).repeat(3, -1) for frame in moving]
    noisy = [np.clip(f.astype(int) + rng.integers(-25, 25, f.shape), 0, 255).astype(np.uint8) for f in moving]
    paths = {}
    for name, frames in {"source": moving, "avatar": moving, "mask": mask, "result": noisy}.items():
        paths[name] = folder / f"{name}.mkv"
        write_clip(paths[name], frames, FPS)
    keypoints = _make_keypoints()
    lost = keypoints.points.copy()
    lost[2, RIGHT_HAND, 2] = 0
    for name, points in {"source": keypoints, "avatar": keypoints, "result": keypoints.with_points(lost)}.items():
        paths[f"{name}_keypoints"] = folder / f"{name}.npz"
        save_keypoints(paths[f"{name}_keypoints"], points)
    paths["family"] = folder / "demo.json"
    _write_manifest(paths["family"], clip, trained=False)
    return paths


def _write_manifest(path: Path, clip: Path | None, trained: bool) -> None:
    """Write the manifest of a family whose folder holds nothing but its card."""
    base = path.with_suffix("")
    base.mkdir()
    (base / "diffsign.json").write_text(json.dumps({"family": "demo", "trained": trained}))
    family = family_named("demo", resolve_families())
    located = None if clip is None else Located(path=str(clip), id=str(clip), bytes=1)
    here = Located(path=str(base), id=str(base), bytes=1)
    save_manifest(path, Manifest(name="demo", architecture="sd", family=family, base=here, clip=located))


def _weights_by_formula(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights that are the same everywhere and forever, so that features of other implementations can be written down.

    Tensor n has ``sin(12.9898 i + n)`` at place i: times √(6 / fan-in) in convolutions, 1 + half of it as variance,
    1 + 0.3 of it as scale, a tenth of it elsewhere.
    """
    tensors = {}
    for number, (name, tensor) in enumerate(network.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        wave = np.sin(np.arange(tensor.numel()) * 12.9898 + number).reshape(tensor.shape)
        if name.endswith("running_var"):
            wave = 1 + 0.5 * wave
        elif name.endswith("bn.weight"):
            wave = 1 + 0.3 * wave
        elif tensor.ndim > 1:
            wave = wave * np.sqrt(6 / np.prod(tensor.shape[1:]))
        else:
            wave = 0.1 * wave
        tensors[name] = torch.tensor(wave, dtype=torch.float32)
    return tensors


def _frames_by_formula(*shape: int) -> np.ndarray:
    """Pictures of waves, uint8: ``127 sin(0.37 i) + 128`` at place i."""
    return (np.sin(np.arange(np.prod(shape)) * 0.37) * 127 + 128).astype(np.uint8).reshape(shape)


@pytest.fixture(scope="session")
def weights_by_formula() -> Callable[[torch.nn.Module], dict[str, torch.Tensor]]:
    return _weights_by_formula


@pytest.fixture(scope="session")
def frames_by_formula() -> Callable[..., np.ndarray]:
    return _frames_by_formula


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shape() -> SimpleNamespace:
    """Size, length and rate of the small clips."""
    return SimpleNamespace(width=WIDTH, height=HEIGHT, frames=FRAMES, fps=FPS)


@pytest.fixture(scope="session")
def make_hand() -> Callable[..., np.ndarray]:
    return _make_hand


@pytest.fixture(scope="session")
def make_keypoints() -> Callable[..., Keypoints]:
    return _make_keypoints


@pytest.fixture(scope="session")
def make_picture() -> Callable[..., np.ndarray]:
    return _make_picture


@pytest.fixture(scope="session")
def write_manifest() -> Callable[..., None]:
    return _write_manifest


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, tiny_clip: Path) -> dict[str, Path]:
    return _write_result(tmp_path_factory.mktemp("files of one result"), tiny_clip)
