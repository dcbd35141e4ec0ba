"""The Inception v3 whose features FID and KID compare, with the weights that the user brings.

The network is that of Szegedy et al. (2016) as FID has used it since TensorFlow 1 (Heusel et al. 2017): its average
pools leave out the padding, its last block pools by maximum, and it was trained on 1008 classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffsign.evaluate.weights_file import load_into
from diffsign.models.device import best_device

#: The public file with this layout.
EXPECTED = (
    "weights-inception-2015-12-05-6726825d.pth of torch-fidelity, or pt_inception-2015-12-05-6726825d.pth of "
    "pytorch-fid"
)
#: Pixels of the network's square input.
SIZE = 299


@dataclass(frozen=True)
class Conv:
    """A convolution with normalisation: its name in the file, its channels, kernel (height, width) and stride."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True


#: What a branch of a block does, one after the other; convolutions in a tuple stand side by side.
Step = Conv | str | tuple[Conv, Conv]
Block = tuple[tuple[Step, ...], ...]


def _block_a(pooled: int) -> Block:
    return (
        (Conv("branch1x1", 64),),
        (Conv("branch5x5_1", 48), Conv("branch5x5_2", 64, (5, 5))),
        (Conv("branch3x3dbl_1", 64), Conv("branch3x3dbl_2", 96, (3, 3)), Conv("branch3x3dbl_3", 96, (3, 3))),
        ("average", Conv("branch_pool", pooled)),
    )


def _block_b() -> Block:
    return (
        (Conv("branch3x3", 384, (3, 3), 2, padded=False),),
        (
            Conv("branch3x3dbl_1", 64),
            Conv("branch3x3dbl_2", 96, (3, 3)),
            Conv("branch3x3dbl_3", 96, (3, 3), 2, padded=False),
        ),
        ("shrink",),
    )


def _block_c(inner: int) -> Block:
    row, column = (1, 7), (7, 1)
    return (
        (Conv("branch1x1", 192),),
        (Conv("branch7x7_1", inner), Conv("branch7x7_2", inner, row), Conv("branch7x7_3", 192, column)),
        (
            Conv("branch7x7dbl_1", inner),
            Conv("branch7x7dbl_2", inner, column),
            Conv("branch7x7dbl_3", inner, row),
            Conv("branch7x7dbl_4", inner, column),
            Conv("branch7x7dbl_5", 192, row),
        ),
        ("average", Conv("branch_pool", 192)),
    )


def _block_d() -> Block:
    return (
        (Conv("branch3x3_1", 192), Conv("branch3x3_2", 320, (3, 3), 2, padded=False)),
        (
            Conv("branch7x7x3_1", 192),
            Conv("branch7x7x3_2", 192, (1, 7)),
            Conv("branch7x7x3_3", 192, (7, 1)),
            Conv("branch7x7x3_4", 192, (3, 3), 2, padded=False),
        ),
        ("shrink",),
    )


def _block_e(pool: str) -> Block:
    row, column = (1, 3), (3, 1)
    return (
        (Conv("branch1x1", 320),),
        (Conv("branch3x3_1", 384), (Conv("branch3x3_2a", 384, row), Conv("branch3x3_2b", 384, column))),
        (
            Conv("branch3x3dbl_1", 448),
            Conv("branch3x3dbl_2", 384, (3, 3)),
            (Conv("branch3x3dbl_3a", 384, row), Conv("branch3x3dbl_3b", 384, column)),
        ),
        (pool, Conv("branch_pool", 192)),
    )


#: The network up to its features, by the names of the file; "shrink" is a maximum over 3×3 with stride 2.
LAYERS: dict[str, Conv | str | Block] = {
    "Conv2d_1a_3x3": Conv("", 32, (3, 3), 2, padded=False),
    "Conv2d_2a_3x3": Conv("", 32, (3, 3), padded=False),
    "Conv2d_2b_3x3": Conv("", 64, (3, 3)),
    "pool 1": "shrink",
    "Conv2d_3b_1x1": Conv("", 80),
    "Conv2d_4a_3x3": Conv("", 192, (3, 3), padded=False),
    "pool 2": "shrink",
    "Mixed_5b": _block_a(32),
    "Mixed_5c": _block_a(64),
    "Mixed_5d": _block_a(64),
    "Mixed_6a": _block_b(),
    "Mixed_6b": _block_c(128),
    "Mixed_6c": _block_c(160),
    "Mixed_6d": _block_c(160),
    "Mixed_6e": _block_c(192),
    "Mixed_7a": _block_d(),
    "Mixed_7b": _block_e("average"),
    "Mixed_7c": _block_e("maximum"),
}


def _pool(x: Tensor, kind: str) -> Tensor:
    if kind == "average":
        return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return functional.max_pool2d(x, 3, stride=1, padding=1) if kind == "maximum" else functional.max_pool2d(x, 3, 2)


class _Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, channels: int, conv: Conv) -> None:
        super().__init__()
        padding = (conv.kernel[0] // 2, conv.kernel[1] // 2) if conv.padded else (0, 0)
        self.conv = nn.Conv2d(channels, conv.channels, conv.kernel, conv.stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(conv.channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _Mixed(nn.Module):
    """A block: branches side by side, their channels joined."""

    def __init__(self, channels: int, block: Block) -> None:
        super().__init__()
        self.channels = 0
        self._block = block
        for branch in block:
            width = channels
            for step in branch:
                side_by_side = step if isinstance(step, tuple) else (step,)
                convs = [conv for conv in side_by_side if isinstance(conv, Conv)]
                for conv in convs:
                    self.add_module(conv.name, _Convolution(width, conv))
                width = sum(conv.channels for conv in convs) if convs else width
            self.channels += width

    def _step(self, x: Tensor, step: Step) -> Tensor:
        if isinstance(step, str):
            return _pool(x, step)
        if isinstance(step, Conv):
            return self.get_submodule(step.name)(x)
        return torch.cat([self._step(x, conv) for conv in step], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for branch in self._block:
            y = x
            for step in branch:
                y = self._step(y, step)
            outputs.append(y)
        return torch.cat(outputs, dim=1)


class InceptionV3(nn.Module):
    """From pictures (N, 3, 299, 299) in [-1, 1] to features (N, 2048), the mean over the last map."""

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for name, layer in LAYERS.items():
            if isinstance(layer, Conv):
                self.add_module(name, _Convolution(channels, layer))
                channels = layer.channels
            elif not isinstance(layer, str):
                block = _Mixed(channels, layer)
                self.add_module(name, block)
                channels = block.channels

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, 2048)."""
        for name, layer in LAYERS.items():
            x = _pool(x, layer) if isinstance(layer, str) else self.get_submodule(name)(x)
        return x.mean(dim=(2, 3))


def resize_as_tensorflow_1(x: Tensor, size: int) -> Tensor:
    """Scale pictures (N, C, H, W) bilinearly to a square as TensorFlow 1 did: corner pixels lie on corner pixels."""
    for axis in (2, 3):
        length = x.shape[axis]
        place = torch.arange(size, dtype=x.dtype, device=x.device) * (length / size)
        low = place.floor().long().clamp(max=length - 1)
        share = (place - low).view(-1, 1) if axis == 2 else place - low
        first, second = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp(max=length - 1))
        x = first + (second - first) * share
    return x


class Inception:
    """Inception's features of frames, for FID and KID.

    Args:
        weights: the file with the weights.

    Raises:
        DiffSignError: if the file is missing or has another layout.
    """

    def __init__(self, weights: str | Path) -> None:
        self.name = f"Inception v3 ({Path(weights).name}, 2048 features)"
        self._model = InceptionV3()
        load_into(self._model, weights, "Inception weights", EXPECTED)
        self._model.to(best_device())

    @torch.inference_mode()
    def frames(self, frames: np.ndarray) -> Tensor:
        """Return Inception's features of frames: (N, H, W, 3) uint8 to (N, 2048) float32."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(best_device()).permute(0, 3, 1, 2).float()
        return self._model((resize_as_tensorflow_1(pixels, SIZE) - 128) / 128).cpu()
