"""LPIPS: how far apart two pictures look, by the features of a network that knows photographs (Zhang et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from diffsign.errors import DiffSignError
from diffsign.evaluate.weights_file import load_into
from diffsign.models.device import best_device
from diffsign.models.weights import shapes_of

EXPECTED = "alexnet-owt-7be5be79.pth or vgg16-397923af.pth of torchvision (ImageNet)"
#: Mean and deviation of ImageNet's colours for pictures in [-1, 1], as LPIPS has them.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


@dataclass(frozen=True)
class Backbone:
    """A network as its file names it.

    Attributes:
        title: what tables call it.
        short: name of its calibration, version 0.1, which comes with torchmetrics.
        layers: convolutions as (channels, kernel, stride, padding), each followed by a ReLU; "keep" takes the features
            there, "pool n" is a maximum over n×n with stride 2.
    """

    title: str
    short: str
    layers: tuple[tuple[int, int, int, int] | str, ...]


def _vgg16() -> tuple[tuple[int, int, int, int] | str, ...]:
    layers: list[tuple[int, int, int, int] | str] = []
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [*[(channels, 3, 1, 1)] * count, "keep", "pool 2"]
    return tuple(layers[:-1])


ALEXNET = Backbone(
    "AlexNet",
    "alex",
    (
        *((64, 11, 4, 2), "keep", "pool 3", (192, 5, 1, 2), "keep", "pool 3"),
        *((384, 3, 1, 1), "keep", (256, 3, 1, 1), "keep", (256, 3, 1, 1), "keep"),
    ),
)
VGG16 = Backbone("VGG16", "vgg", _vgg16())


class Features(nn.Module):
    """A backbone: pictures (N, 3, H, W) to the features after each layer that LPIPS looks at."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self._kept: list[int] = []
        channels = 3
        for layer in backbone.layers:
            if layer == "keep":
                self._kept.append(len(layers) - 1)
            elif isinstance(layer, str):
                layers.append(nn.MaxPool2d(int(layer.split()[1]), stride=2))
            else:
                layers += [nn.Conv2d(channels, *layer), nn.ReLU()]
                channels = layer[0]
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return one map (N, C, h, w) for each layer that is looked at."""
        maps = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self._kept:
                maps.append(x)
        return maps


def _calibration(short: str) -> list[Tensor]:
    """Return the weights of the channels of each layer, (1, C, 1, 1), as Zhang et al. fitted them to people."""
    file = resources.files("torchmetrics") / "functional" / "image" / "lpips_models" / f"{short}.pth"
    with resources.as_file(file) as path:
        state = torch.load(path, map_location="cpu", weights_only=True)
    return [state[name] for name in sorted(state)]


class LPIPS:
    """LPIPS, version 0.1, of pairs of frames.

    Args:
        weights: file of the backbone, AlexNet or VGG16; which one is seen by its first layer.

    Raises:
        DiffSignError: if the file is missing or is neither.
    """

    def __init__(self, weights: str | Path) -> None:
        first = shapes_of(Path(weights), "LPIPS weights").get("features.0.weight", ())
        backbone = next((net for net in (ALEXNET, VGG16) if first == (64, 3, *[net.layers[0][1]] * 2)), None)
        if backbone is None:
            raise DiffSignError(f"LPIPS weights '{weights}' are of neither AlexNet nor VGG16; expected is {EXPECTED}.")
        self.name = f"LPIPS 0.1, {backbone.title} ({Path(weights).name})"
        self._features = Features(backbone)
        load_into(self._features, weights, "LPIPS weights", EXPECTED)
        self._features.to(best_device())
        self._channels = [values.to(best_device()) for values in _calibration(backbone.short)]
        self._shift, self._scale = (torch.tensor(v, device=best_device()).view(1, 3, 1, 1) for v in (SHIFT, SCALE))

    def _unit_features(self, frames: np.ndarray) -> list[Tensor]:
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(best_device()).permute(0, 3, 1, 2).float()
        maps = self._features((pixels / 127.5 - 1 - self._shift) / self._scale)
        return [values / (values.square().sum(1, keepdim=True).sqrt() + 1e-10) for values in maps]

    @torch.inference_mode()
    def distance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the distances (N,) of pairs of frames, (N, H, W, 3) uint8 each; 0 for equal ones.

        Raises:
            ValueError: if the frames differ in size, or are smaller than the network can take.
        """
        if first.shape != second.shape:
            raise ValueError(f"frames of {first.shape} and {second.shape} cannot be compared")
        total = torch.zeros(len(first), device=best_device())
        pairs = zip(self._unit_features(first), self._unit_features(second), self._channels, strict=True)
        for one, other, channels in pairs:
            total += ((one - other).square() * channels).sum(1).mean((1, 2))
        return total.cpu().double().numpy()
