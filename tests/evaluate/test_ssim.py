import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from diffsign.evaluate.ssim import ssim, ssim_pairs, ssim_uniform, to_grey


@pytest.fixture(scope="module")
def pair(make_picture) -> np.ndarray:
    return to_grey(np.stack([make_picture(0), make_picture(5)]))


def test_equal_pictures_have_ssim_one(pair: np.ndarray) -> None:
    assert ssim_pairs(pair, pair) == pytest.approx([1.0, 1.0], abs=1e-5)
    assert ssim_uniform(pair[0], pair[0]) == pytest.approx(1.0, abs=1e-12)


def test_two_flat_pictures_compare_in_luminance_alone() -> None:
    dark, light = np.full((1, 32, 32), 50, np.uint8), np.full((1, 32, 32), 200, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 50 * 200 + c1) / (50**2 + 200**2 + c1)
    assert ssim_pairs(dark, light)[0] == pytest.approx(expected, abs=1e-4)
    assert ssim_uniform(dark[0], light[0]) == pytest.approx(expected, abs=1e-9)


def random_pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    pairs = [tuple(rng.integers(0, 256, (2, 40, 57), dtype=np.uint8)) for _ in range(3)]
    smooth = gaussian_filter(rng.uniform(0, 255, (64, 64)), 2)
    smooth = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    flat = np.full((64, 64), 9, np.uint8)
    return [*pairs, (smooth, np.roll(smooth, 3, 1)), (smooth, flat), (flat, flat), (smooth, 255 - smooth)]


@pytest.mark.parametrize("first, second", random_pairs())
def test_ssim_is_that_of_scikit_image(first: np.ndarray, second: np.ndarray) -> None:
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert ssim(first, second)[0] == pytest.approx(structural_similarity(first, second, **wang), abs=2e-5)
    assert ssim_uniform(first, second) == pytest.approx(structural_similarity(first, second), abs=1e-12)


@pytest.mark.parametrize("first, second", random_pairs())
def test_ssim_with_border_is_that_of_torchmetrics(first: np.ndarray, second: np.ndarray) -> None:
    x, y = (torch.from_numpy(grey)[None, None].float() for grey in (first, second))
    expected = structural_similarity_index_measure(x, y, data_range=255.0)
    assert ssim(first, second)[1] == pytest.approx(float(expected), abs=2e-4)


def test_a_picture_smaller_than_the_window_has_no_ssim() -> None:
    tiny = np.zeros((8, 8), np.uint8)
    assert np.isnan(ssim(tiny, tiny)[0])
    assert np.isnan(ssim_uniform(tiny[:5, :5], tiny[:5, :5]))


def test_pictures_of_different_size_are_refused() -> None:
    with pytest.raises(cv2.error):
        ssim(np.zeros((20, 20), np.uint8), np.zeros((20, 30), np.uint8))


def test_uniform_ssim_equals_a_loop_over_windows(pair: np.ndarray, shape) -> None:
    x, y = pair[0, 10:40, 15:50].astype(np.float64), pair[1, 10:40, 15:50].astype(np.float64)
    values = []
    for row in range(x.shape[0] - 6):
        for column in range(x.shape[1] - 6):
            a, b = x[row : row + 7, column : column + 7].ravel(), y[row : row + 7, column : column + 7].ravel()
            (va, cov), (_, vb) = np.cov(a, b, ddof=1)
            c1, c2 = 2.55**2, 7.65**2
            values.append(
                (2 * a.mean() * b.mean() + c1)
                * (2 * cov + c2)
                / ((a.mean() ** 2 + b.mean() ** 2 + c1) * (va + vb + c2))
            )
    assert ssim_uniform(x.astype(np.uint8), y.astype(np.uint8)) == pytest.approx(np.mean(values), abs=1e-9)


def test_grey_is_bt601() -> None:
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert (to_grey(red) == round(0.299 * 255)).all()
