"""Distances between the features of two sets of frames: FID and KID."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

#: Frames that the released code read, and the size that it brought them to.
RELEASED_FRAMES = 1000
RELEASED_SIZE = 512
#: Frames over which the kernel matrices of KID are built at most.
KID_FRAMES = 2000


class _Features(torch.nn.Module):
    """Passes features through torchmetrics, which asks for a network."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """Fréchet distance of two sets of features (Heusel et al. 2017), in float64.

    Args:
        real: (N, D), at least two rows.
        generated: (M, D), at least two rows.

    Returns:
        |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½), not below 0.
    """
    metric = FrechetInceptionDistance(feature=_Features(real.shape[1]), normalize=True)
    metric.update(real.double(), real=True)
    metric.update(generated.double(), real=False)
    return max(0.0, float(metric.compute()))


def kernel_distance(real: Tensor, generated: Tensor) -> float:
    """Unbiased squared MMD with the cubic kernel (x·y / D + 1)³ (KID, Bińkowski et al. 2018), in float64.

    Args:
        real: (N, D), at least two rows.
        generated: (N, D), as many rows. Above :data:`KID_FRAMES` rows, evenly spaced ones are taken.
    """
    if len(real) != len(generated):
        raise ValueError(f"{len(real)} and {len(generated)} rows; the estimator takes equally many")
    kept = np.unique(np.linspace(0, len(real) - 1, min(len(real), KID_FRAMES)).round().astype(int))
    return float(poly_mmd(real.double()[kept], generated.double()[kept]))


def as_released(frames: np.ndarray) -> np.ndarray:
    """Return the frames that the network of the released code saw.

    It gave bytes to torchmetrics with ``normalize=True``, which stands for floats in [0, 1]: they are
    multiplied by 255 and cast to bytes, and as bytes wrap, ``v`` becomes ``-v`` modulo 256.

    Args:
        frames: (N, H, W, 3) uint8.

    Returns:
        (N, 512, 512, 3) uint8.
    """
    size = (RELEASED_SIZE, RELEASED_SIZE)
    if frames.shape[1:3] != size:
        scaled = [np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR)) for frame in frames]
        frames = np.stack(scaled)
    return (torch.from_numpy(np.ascontiguousarray(frames)) * 255).byte().numpy()
