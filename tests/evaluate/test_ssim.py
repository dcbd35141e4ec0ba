import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from small_clips import make_picture

from diffsign.evaluate.ssim import ssim_pairs, ssim_uniform, to_grey


@pytest.fixture(scope="module")
def pair() -> np.ndarray:
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


def test_gaussian_ssim_equals_the_formula_of_wang(pair: np.ndarray) -> None:
    x, y = pair.astype(np.float64) / 255

    def blur(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, 1.5, mode="mirror", radius=5)

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    full = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim_pairs(pair[:1], pair[1:])[0] == pytest.approx(full.mean(), abs=1e-4)


def test_uniform_ssim_equals_a_loop_over_windows(pair: np.ndarray) -> None:
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
