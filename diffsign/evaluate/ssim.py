"""Structural similarity between frames of one clip."""

from __future__ import annotations

import cv2
import numpy as np

#: Half of the Gaussian window: pixels nearer to the border do not count.
MARGIN = 5
#: Half of the mean window of the released code.
UNIFORM_MARGIN = 3


def to_grey(frames: np.ndarray) -> np.ndarray:
    """Return the luma of RGB frames: (N, H, W, 3) uint8 to (N, H, W) uint8, ITU-R BT.601."""
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def ssim(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """SSIM of two pictures as Wang et al. (2004) define it: Gaussian window of 11 px, sigma 1.5, range 255.

    The map is OpenCV's. The standard mean is over the pixels whose window lies inside the picture, as in Wang's code
    and in scikit-image with ``gaussian_weights``.

    Args:
        first: (H, W) uint8 grey.
        second: (H, W) uint8 grey.

    Returns:
        The standard SSIM, NaN for a picture smaller than the window; and the mean over all pixels with the picture
        mirrored at its border, which torchmetrics gives.

    >>> picture = np.arange(400, dtype=np.uint8).reshape(20, 20)
    >>> ssim(picture, picture)
    (1.0, 1.0)
    """
    quality = cv2.quality.QualitySSIM.create(first)
    quality.compute(second)
    similarity = np.asarray(quality.getQualityMap())
    inside = similarity[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return (float(inside.mean(dtype=np.float64)) if inside.size else float("nan")), float(
        similarity.mean(dtype=np.float64)
    )


def ssim_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the standard :func:`ssim` of pairs of pictures, (N, H, W) uint8 grey each: (N,) float64."""
    return np.array([ssim(a, b)[0] for a, b in zip(first, second, strict=True)])


def ssim_uniform(first: np.ndarray, second: np.ndarray) -> float:
    """SSIM of two pictures as the released code measured it: scikit-image's defaults.

    A mean window of 7×7, the sample covariance, a range of 255, and the mean over the pixels whose window lies inside
    the picture. scikit-image itself, which the tests compare with, would be one more package for a metric that is only
    kept to compare with the paper.

    Args:
        first: (H, W) uint8 grey.
        second: (H, W) uint8 grey.
    """
    window = 2 * UNIFORM_MARGIN + 1
    x, y = first.astype(np.float64), second.astype(np.float64)
    sample = window**2 / (window**2 - 1)
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (
        cv2.boxFilter(picture, -1, (window, window)) for picture in (x, y, x * x, y * y, x * y)
    )
    var_x = sample * (mean_xx - mean_x**2)
    var_y = sample * (mean_yy - mean_y**2)
    covariance = sample * (mean_xy - mean_x * mean_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    inside = similarity[UNIFORM_MARGIN:-UNIFORM_MARGIN, UNIFORM_MARGIN:-UNIFORM_MARGIN]
    return float(inside.mean()) if inside.size else float("nan")
