"""Structural similarity between frames of one clip."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from scipy.ndimage import uniform_filter
from torchmetrics.functional.image import structural_similarity_index_measure


def to_grey(frames: np.ndarray) -> np.ndarray:
    """Return the luma of RGB frames: (N, H, W, 3) uint8 to (N, H, W) uint8, ITU-R BT.601."""
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def ssim_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """SSIM of pairs of pictures as Wang et al. (2004) define it: Gaussian window of 1.5 px.

    Args:
        first: (N, H, W) uint8 grey.
        second: (N, H, W) uint8 grey.

    Returns:
        (N,) float64, 1 for equal pictures.
    """
    x, y = (torch.from_numpy(np.ascontiguousarray(grey))[:, None].float() / 255 for grey in (first, second))
    values = structural_similarity_index_measure(x, y, data_range=1.0, reduction="none")
    assert isinstance(values, torch.Tensor)
    return values.reshape(-1).double().numpy()


def ssim_uniform(first: np.ndarray, second: np.ndarray, window: int = 7) -> float:
    """SSIM of two pictures as the released code measured it: scikit-image's defaults.

    A mean window of 7×7, the sample covariance, a range of 255, and the mean over the pixels whose
    window lies inside the picture.

    Args:
        first: (H, W) uint8 grey.
        second: (H, W) uint8 grey.
        window: odd width of the window in pixels.
    """
    x, y = first.astype(np.float64), second.astype(np.float64)
    sample = window**2 / (window**2 - 1)
    mean_x, mean_y = uniform_filter(x, window), uniform_filter(y, window)
    var_x = sample * (uniform_filter(x * x, window) - mean_x**2)
    var_y = sample * (uniform_filter(y * y, window) - mean_y**2)
    covariance = sample * (uniform_filter(x * y, window) - mean_x * mean_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    margin = window // 2
    return float(similarity[margin:-margin, margin:-margin].mean())
