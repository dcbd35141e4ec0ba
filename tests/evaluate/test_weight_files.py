"""Networks whose weights the user brings: as other implementations compute them, and what wrong files say."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as theirs
from torch import nn

from diffsign.config.evaluate import EvaluateSettings
from diffsign.errors import DiffSignError
from diffsign.evaluate.distribution import frechet_distance
from diffsign.evaluate.i3d import I3D, ClipNetwork
from diffsign.evaluate.inception import Inception, InceptionV3
from diffsign.evaluate.lpips import ALEXNET, LPIPS, VGG16, Features
from diffsign.evaluate.on_networks import PerceptualDistance, VideoDistance, perceptual_distance, video_distance


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory, weights_by_formula) -> Path:
    path = tmp_path_factory.mktemp("inception") / "weights-inception.pth"
    torch.save(weights_by_formula(InceptionV3()) | {"fc.weight": torch.zeros(1008, 2048)}, path)
    return path


@pytest.fixture(scope="module")
def i3d_file(tmp_path_factory: pytest.TempPathFactory, weights_by_formula) -> Path:
    path = tmp_path_factory.mktemp("i3d") / "i3d_pretrained_400.pt"
    torch.save(weights_by_formula(I3D()), path)
    return path


@pytest.fixture(scope="module", params=[ALEXNET, VGG16], ids=lambda backbone: backbone.short)
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, weights_by_formula):
    features = Features(request.param)
    features.load_state_dict(weights_by_formula(features))
    path = tmp_path_factory.mktemp("lpips") / f"{request.param.short}.pth"
    torch.save(features.state_dict() | {"classifier.6.bias": torch.zeros(1000)}, path)
    return SimpleNamespace(path=path, short=request.param.short, title=request.param.title, features=features.features)


def test_inceptions_features_are_those_of_torch_fidelity(inception_file: Path, frames_by_formula) -> None:
    """Of torch-fidelity 0.4.0's FeatureExtractorInceptionV3 with the same weights, every 300th of 2048."""
    frames = frames_by_formula(1, 90, 120, 3)
    frames = np.concatenate([frames, frames[:, :, ::-1], np.full_like(frames, 200)])
    network = Inception(str(inception_file))
    features = network.frames(frames)
    assert features.shape == (3, 2048) and "weights-inception.pth" in network.name
    assert features[:, ::300].numpy() == pytest.approx(
        np.array(
            [
                [8743.243, 4722.632, 0.0, 612.6, 22.411, 82.706, 88.499],
                [3268.235, 1765.049, 0.0, 230.482, 8.325, 30.315, 32.699],
                [1740.533, 939.868, 0.0, 121.643, 4.292, 17.047, 17.691],
            ]
        ),
        rel=1e-3,
    )
    assert features.mean(1).tolist() == pytest.approx([803.04297, 299.89139, 159.59239], rel=1e-4)


def test_i3ds_logits_are_those_of_pytorch_i3d(i3d_file: Path, frames_by_formula) -> None:
    """Of pytorch-i3d's InceptionI3d (as in cd-fvd 0.1.1, normalised with 0.001), same weights, every 57th of 400."""
    clip = frames_by_formula(1, 16, 224, 224, 3)
    logits = ClipNetwork(i3d_file).clips(np.concatenate([clip, clip[:, ::-1]]))
    expected = [
        [-16314.4, 11832.17, -6954.57, 1844.95, 3326.48, -8386.9, 13166.85, -17507.21],
        [-14662.65, 10615.6, -6213.82, 1604.77, 3058.09, -7618.88, 11924.87, -15832.75],
    ]
    assert logits[:, ::57].numpy() == pytest.approx(np.array(expected), rel=1e-4)


def test_lpips_is_that_of_torchmetrics(backbone, monkeypatch: pytest.MonkeyPatch, frames_by_formula) -> None:
    monkeypatch.setattr(theirs, "_get_tv_model_features", lambda net, pretrained=False: backbone.features)
    reference = theirs._LPIPS(net=backbone.short)
    first = frames_by_formula(3, 70, 90, 3)
    second = np.random.default_rng(0).integers(0, 256, first.shape, dtype=np.uint8)
    second[1] = 255
    pixels = (torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1 for frames in (first, second))
    with torch.no_grad():
        expected = reference(*pixels).flatten().numpy()
    network = LPIPS(backbone.path)
    assert network.distance(first, second) == pytest.approx(expected, rel=1e-4)
    assert network.distance(second, second).tolist() == [0, 0, 0]
    assert backbone.title in network.name and backbone.path.name in network.name
    with pytest.raises(ValueError, match="cannot be compared"):
        network.distance(first, second[:, :60])


def test_lpips_of_frames_too_small_has_no_value(backbone) -> None:
    watcher = PerceptualDistance(LPIPS(backbone.path))
    watcher.add(dict.fromkeys(("source", "result"), np.zeros((2, 40, 90, 3), np.uint8)))
    metric = watcher.metrics()["lpips"]
    assert metric.value is None and "64 pixels" in (metric.reason or "")
    assert np.isnan(watcher.series()["lpips"]).all()


class Means(nn.Module):
    """A TorchScript network that is called as StyleGAN-V's I3D: features are means of colour over space, by frame."""

    def forward(self, clips: torch.Tensor, rescale: bool, resize: bool, return_features: bool) -> torch.Tensor:
        return clips.mean(dim=(3, 4)).flatten(1)


class Other(nn.Module):
    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        return clips


def scripted(network: nn.Module, path: Path) -> str:
    torch.jit.script(network).save(str(path))
    return str(path)


def test_fvd_is_over_clips_of_16_frames_every_4(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    clips = {name: rng.integers(0, 256, (29, 224, 224, 3), dtype=np.uint8) for name in ("source", "result")}
    watcher = video_distance(EvaluateSettings(fvd_weights=scripted(Means(), tmp_path / "i3d_torchscript.pt")))
    assert watcher is not None
    for start in range(0, 29, 7):
        watcher.add({name: frames[start : start + 7] for name, frames in clips.items()})
    features = {
        name: torch.tensor(
            np.stack(
                [
                    (frames[s : s + 16].mean((1, 2)) / 127.5 - 1).T.ravel() for s in (0, 4, 8, 12)
                ]  # 3 colours × 16 frames
            )
        )
        for name, frames in clips.items()
    }
    metric = watcher.metrics()["fvd"]
    assert metric.frames == 4 and metric.network == "I3D (i3d_torchscript.pt)"
    assert metric.value == pytest.approx(frechet_distance(features["source"], features["result"]), rel=1e-3)


def test_fvd_of_equal_constant_and_short_clips(tmp_path: Path) -> None:
    path = scripted(Means(), tmp_path / "i3d.pt")
    for value, frames, expected in ((0, 24, 0.0), (255, 24, 48 * 2.0**2), (0, 19, None)):
        watcher = VideoDistance(ClipNetwork(path))
        black = np.zeros((frames, 30, 40, 3), np.uint8)
        watcher.add({"source": black, "result": black + np.uint8(value)})
        metric = watcher.metrics()["fvd"]
        assert metric.value == (expected if expected is None else pytest.approx(expected, abs=1e-5))
        assert (metric.reason is not None) == (expected is None)


def test_a_torchscript_of_something_else_is_one_sentence(tmp_path: Path) -> None:
    network = ClipNetwork(scripted(Other(), tmp_path / "other.pt"))
    with pytest.raises(DiffSignError, match=r"other\.pt.*i3d_torchscript\.pt"):
        network.clips(np.zeros((1, 16, 224, 224, 3), np.uint8))


MAKERS = {"Inception": Inception, "LPIPS": LPIPS, "FVD": ClipNetwork}


@pytest.mark.parametrize("what", MAKERS)
def test_wrong_files_say_what_is_expected(what: str, tmp_path: Path) -> None:
    make = MAKERS[what]
    with pytest.raises(DiffSignError, match=rf"{what} weights.*no\.pth"):
        make(str(tmp_path / "no.pth"))
    text = tmp_path / "text.pth"
    text.write_text("<html>not found</html>")
    with pytest.raises(DiffSignError, match=rf"{what} weights.*text\.pth"):
        make(str(text))
    other = tmp_path / "other.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, other)
    with pytest.raises(DiffSignError, match=rf"{what} weights.*other\.pth.*expected is "):
        make(str(other))


def test_a_missing_a_misshapen_and_a_broken_tensor_are_named(tmp_path: Path, weights_by_formula) -> None:
    weights = weights_by_formula(Features(ALEXNET))
    path = tmp_path / "alex.pth"
    for name, value, said in (
        ("features.3.weight", None, r"1 of 10 tensors are missing, such as 'features\.3\.weight'"),
        ("features.3.weight", torch.zeros(192, 64, 3, 3), "192×64×3×3 where 192×64×5×5 belongs"),
        ("features.3.bias", torch.full((192,), torch.nan), "not finite"),
    ):
        changed = {key: (value if key == name else tensor) for key, tensor in weights.items()}
        torch.save({key: tensor for key, tensor in changed.items() if tensor is not None}, path)
        with pytest.raises(DiffSignError, match=said):
            LPIPS(path)


def test_without_weights_nothing_is_measured_and_none_ship() -> None:
    assert perceptual_distance(EvaluateSettings()) is None
    assert video_distance(EvaluateSettings()) is None
