"""Distances between the features of two sets of frames: FID and KID."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

#: Frames that the released code read, and the size that it brought them to.
RELEASED_FRAMES = 1000
RELEASED_SIZE = 512
#: Frames over which the kernel matrices of KID are built at most.
KID_FRAMES = 2000


def _finite(*features: Tensor) -> bool:
    return all(bool(torch.isfinite(values).all()) for values in features)


def _square(rows: Tensor) -> Tensor:
    """Return a matrix (at most D, D) with the same product RᵀR as that of the rows (N, D)."""
    return torch.linalg.qr(rows, mode="r").R if len(rows) > rows.shape[1] else rows


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """Fréchet distance of two sets of features (Heusel et al. 2017), in float64.

    Args:
        real: (N, D), at least two rows.
        generated: (M, D), at least two rows.

    Returns:
        |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½), not below 0; NaN if a feature is not finite.

    >>> corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> round(frechet_distance(corners, corners + 2.0), 6)  # two steps along each of two axes
    8.0
    """
    if not _finite(real, generated):
        return float("nan")
    first, second = real.double(), generated.double()
    shift = ((first.mean(0) - second.mean(0)) ** 2).sum()
    # With Σ₁ = AᵀA and Σ₂ = BᵀB the trace of (Σ₁ Σ₂)^½ is the sum of the singular values of A Bᵀ.
    a, b = (_square((x - x.mean(0)) / (len(x) - 1) ** 0.5) for x in (first, second))
    spread = (a**2).sum() + (b**2).sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()
    return max(0.0, float(shift + spread))


def kernel_distance(real: Tensor, generated: Tensor) -> float:
    """Unbiased squared MMD with the cubic kernel (x·y / D + 1)³ (KID, Bińkowski et al. 2018), in float64.

    Args:
        real: (N, D), at least two rows.
        generated: (N, D), as many rows. Above :data:`KID_FRAMES` rows, evenly spaced ones are taken.

    Returns:
        The distance, which can fall below 0; NaN if a feature is not finite.
    """
    if len(real) != len(generated):
        raise ValueError(f"{len(real)} and {len(generated)} rows; the estimator takes equally many")
    if not _finite(real, generated):
        return float("nan")
    kept = np.unique(np.linspace(0, len(real) - 1, min(len(real), KID_FRAMES)).round().astype(int))
    x, y = real.double()[kept], generated.double()[kept]
    rows, width = x.shape
    within = [(a @ a.T / width + 1) ** 3 for a in (x, y)]
    across = (x @ y.T / width + 1) ** 3
    pairs = rows * (rows - 1)
    return float(sum((k.sum() - k.diagonal().sum()) / pairs for k in within) - 2 * across.mean())


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
