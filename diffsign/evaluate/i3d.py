"""I3D, whose features of short clips FVD compares (Carreira and Zisserman 2017; Unterthiner et al. 2018)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffsign.errors import DiffSignError
from diffsign.evaluate.weights_file import load_into
from diffsign.files import require_file
from diffsign.models.device import best_device

EXPECTED = (
    "rgb_imagenet.pt of pytorch-i3d or i3d_pretrained_400.pt of VideoGPT (a state dict, 400 classes of Kinetics), or "
    "i3d_torchscript.pt of StyleGAN-V (TorchScript)"
)
#: Frames of a clip, pixels of its square pictures, and frames from the start of one to that of the next.
LENGTH, SIZE, STEP = 16, 224, 4
CLASSES = 400

#: Channels of the branches of each block, and the pool before it as (kernel, stride) over time, height and width.
BLOCKS: dict[str, tuple[int, int, int, int, int, int]] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
Triple = tuple[int, int, int]
POOLS: dict[str, tuple[Triple, Triple]] = {
    "Conv3d_2b_1x1": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}


def _padded(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Pad clips (N, C, T, H, W) with zeros as TensorFlow's "same" does, the odd one behind."""
    padding: list[int] = []
    for length, size, step in zip(x.shape[2:], kernel, stride, strict=True):
        total = max(size - (step if length % step == 0 else length % step), 0)
        padding = [total // 2, total - total // 2, *padding]
    return functional.pad(x, padding)


def _pool(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    return functional.max_pool3d(_padded(x, kernel, stride), kernel, stride)


class _Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU; the last one has neither of these."""

    def __init__(self, channels: int, out: int, kernel: Triple, stride: Triple = (1, 1, 1), last: bool = False) -> None:
        super().__init__()
        self._kernel, self._stride = kernel, stride
        self.conv3d = nn.Conv3d(channels, out, kernel, stride, bias=last)
        self.bn = None if last else nn.BatchNorm3d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv3d(_padded(x, self._kernel, self._stride))
        return x if self.bn is None else functional.relu(self.bn(x))


class _Mixed(nn.Module):
    """A block: four branches side by side, their channels joined."""

    def __init__(self, channels: int, out: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        one, three = (1, 1, 1), (3, 3, 3)
        self.b0 = _Convolution(channels, out[0], one)
        self.b1a, self.b1b = _Convolution(channels, out[1], one), _Convolution(out[1], out[2], three)
        self.b2a, self.b2b = _Convolution(channels, out[3], one), _Convolution(out[3], out[4], three)
        self.b3b = _Convolution(channels, out[5], one)
        self.channels = out[0] + out[2] + out[4] + out[5]

    def forward(self, x: Tensor) -> Tensor:
        pooled = _pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], dim=1)


class I3D(nn.Module):
    """From clips (N, 3, T, 224, 224) in [-1, 1] to the logits of Kinetics' classes, (N, 400), the mean over time."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = _Convolution(3, 64, (7, 7, 7), (2, 2, 2))
        self.Conv3d_2b_1x1 = _Convolution(64, 64, (1, 1, 1))
        self.Conv3d_2c_3x3 = _Convolution(64, 192, (3, 3, 3))
        self._order = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3", *BLOCKS]
        channels = 192
        for name, out in BLOCKS.items():
            block = _Mixed(channels, out)
            self.add_module(name, block)
            channels = block.channels
        self.logits = _Convolution(channels, CLASSES, (1, 1, 1), last=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, 400)."""
        for name in self._order:
            if name in POOLS:
                x = _pool(x, *POOLS[name])
            x = self.get_submodule(name)(x)
        x = self.logits(functional.avg_pool3d(x, (2, 7, 7), stride=1))
        return x.mean(dim=(2, 3, 4))


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.split("/")[1:2] == ["code"] for name in archive.namelist())


class ClipNetwork:
    """I3D's features of clips of frames.

    Args:
        weights: a state dict in the layout of :class:`I3D`, or a TorchScript module that is called with
            ``rescale=False, resize=False, return_features=True``.

    Raises:
        DiffSignError: if the file is missing, or neither.
    """

    def __init__(self, weights: str | Path) -> None:
        path = require_file(weights, "FVD weights")
        self.name = f"I3D ({path.name})"
        self._arguments: dict[str, bool] = {}
        if _is_torchscript(path):
            self._model: Any = torch.jit.load(str(path), map_location=best_device()).eval()
            self._arguments = {"rescale": False, "resize": False, "return_features": True}
        else:
            network = I3D()
            load_into(network, path, "FVD weights", EXPECTED)
            self._model = network.to(best_device())
        self._path = path

    @torch.inference_mode()
    def clips(self, clips: np.ndarray) -> Tensor:
        """Return the features (N, D) float32 of clips (N, T, 224, 224, 3) uint8."""
        pixels = torch.from_numpy(np.ascontiguousarray(clips)).to(best_device()).permute(0, 4, 1, 2, 3).float()
        try:
            features = self._model(pixels / 127.5 - 1, **self._arguments)
        except RuntimeError as error:
            if not self._arguments:
                raise
            raise DiffSignError(
                f"FVD weights '{self._path}': the TorchScript module does not take clips of {LENGTH}×{SIZE}×{SIZE} "
                f"with rescale, resize and return_features; expected is {EXPECTED}."
            ) from error
        return features.flatten(1).cpu()
