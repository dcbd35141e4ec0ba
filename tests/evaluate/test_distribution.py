import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from diffsign.evaluate.distribution import as_released, frechet_distance, kernel_distance


def gaussian(rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whitened(rows: int, columns: int, seed: int) -> torch.Tensor:
    """Rows whose sample mean is exactly 0 and whose sample covariance is exactly the identity."""
    x = gaussian(rows, columns, seed)
    x = x - x.mean(0)
    chol = torch.linalg.cholesky(torch.cov(x.T))
    return torch.linalg.solve_triangular(chol, x.T, upper=False).T


def test_equal_sets_are_at_distance_zero() -> None:
    x = gaussian(40, 8, 0)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x[:5], x[:5]) == pytest.approx(0, abs=1e-5), "fewer rows than features"


def test_shifted_gaussians_are_at_the_squared_shift() -> None:
    x = whitened(50, 6, 1)
    shift = torch.arange(6.0, dtype=torch.float64) / 2
    assert frechet_distance(x, x + shift) == pytest.approx(float((shift**2).sum()), rel=1e-6)


def test_scaled_gaussians_are_at_the_squared_difference_of_deviations() -> None:
    x = whitened(50, 6, 2)
    assert frechet_distance(x, 3 * x) == pytest.approx(6 * (3 - 1) ** 2, rel=1e-6)


def test_frechet_distance_equals_scipys_matrix_root() -> None:
    x, y = gaussian(60, 7, 3), gaussian(30, 7, 4) @ gaussian(7, 7, 5) + 0.3
    sx, sy = np.cov(x.numpy().T), np.cov(y.numpy().T)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum().item() + np.trace(sx + sy - 2 * sqrtm(sx @ sy).real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


def test_kernel_distance_equals_the_double_sum() -> None:
    x, y = gaussian(9, 4, 6).numpy(), gaussian(9, 4, 7).numpy() + 0.5

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 4 + 1) ** 3)

    within = sum(kernel(s[i], s[j]) for s in (x, y) for i in range(9) for j in range(9) if i != j) / (9 * 8)
    across = sum(kernel(a, b) for a in x for b in y) / 81
    assert kernel_distance(torch.tensor(x), torch.tensor(y)) == pytest.approx(within - 2 * across, rel=1e-9)


def test_kernel_distance_is_unbiased_where_frechet_distance_is_not() -> None:
    draws = [(gaussian(10, 16, 2 * s), gaussian(10, 16, 2 * s + 1)) for s in range(200)]
    kid = np.array([kernel_distance(x, y) for x, y in draws])
    assert abs(kid.mean()) < 3 * kid.std() / np.sqrt(len(kid))
    assert np.mean([frechet_distance(x, y) for x, y in draws[:20]]) > 5


@pytest.mark.parametrize(("rows", "columns"), [(4, 16), (60, 7), (30, 30)])
def test_distances_are_those_of_torchmetrics(rows: int, columns: int) -> None:
    x, y = gaussian(rows, columns, 8), gaussian(rows, columns, 9) @ gaussian(columns, columns, 10) + 0.3
    metric = FrechetInceptionDistance(feature=Identity(columns), normalize=True).double()
    metric.set_dtype(torch.float64)
    metric.update(x, real=True)
    metric.update(y, real=False)
    assert frechet_distance(x, y) == pytest.approx(float(metric.compute()), rel=1e-5)
    assert kernel_distance(x, y) == pytest.approx(float(poly_mmd(x, y)), rel=1e-9)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_finite_have_no_distance(bad: float) -> None:
    x, y = gaussian(6, 3, 0), gaussian(6, 3, 1)
    y[2, 1] = bad
    assert np.isnan(frechet_distance(x, y)) and np.isnan(frechet_distance(y, x))
    assert np.isnan(kernel_distance(x, y))


def test_constant_features_are_at_the_distance_of_their_means() -> None:
    x = torch.zeros(5, 4)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * 2**2)
    assert frechet_distance(x, x) == 0


class Identity(torch.nn.Module):
    """Stands for the network: features as they are."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.num_features = columns

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def test_kernel_distance_refuses_unequal_sets() -> None:
    with pytest.raises(ValueError, match="equally many"):
        kernel_distance(gaussian(4, 2, 0), gaussian(5, 2, 0))


def test_bytes_wrap_to_negatives_as_in_the_released_code(shape) -> None:
    frames = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    frames = np.ascontiguousarray(frames.repeat(32, 1).repeat(32, 2))
    assert frames.shape == (1, 512, 512, 3)
    wrapped = as_released(frames)
    assert (wrapped == (256 - frames.astype(int)) % 256).all()
    assert wrapped[frames == 0].max() == 0 and wrapped[frames == 1].min() == 255


class Means(torch.nn.Module):
    """Stands for the network: cubed means of four tiles, on bytes as Inception takes them."""

    num_features = 12

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.dtype == torch.uint8
        tiles = torch.nn.functional.adaptive_avg_pool2d(images.double(), (2, 2))
        return (tiles.flatten(1) / 255) ** 3


def test_fid_as_released_is_the_number_that_torchmetrics_gives_for_bytes(make_picture) -> None:
    real = np.stack([make_picture(t) for t in range(20)])
    fake = np.stack([make_picture(t, seed=1) for t in range(20)])
    network = Means()
    metric = FrechetInceptionDistance(feature=network, normalize=True)
    metric.used_custom_model = False  # as for Inception: torchmetrics scales and casts the pictures itself
    for frames, is_real in ((real, True), (fake, False)):
        resized = [np.asarray(Image.fromarray(f).resize((512, 512), Image.Resampling.BILINEAR)) for f in frames]
        metric.update(torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2), real=is_real)
    features = [network(torch.from_numpy(as_released(f)).permute(0, 3, 1, 2)) for f in (real, fake)]
    ours = frechet_distance(*features)
    assert ours == pytest.approx(float(metric.compute()), rel=1e-6)
    correct = [network(torch.from_numpy(f).permute(0, 3, 1, 2)) for f in (real, fake)]
    assert abs(ours - frechet_distance(*correct)) > 0.05 * ours, "the mistake changes the number"
