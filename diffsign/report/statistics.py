"""Means with intervals, and differences between methods with their significance, over clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

#: Draws of the bootstrap and of the permutation test, and what they start from.
DRAWS, SEED = 10_000, 0
#: Pieces in which they are drawn.
BATCHES = 100
#: Fewest clips of which an interval or a test says anything.
FEWEST = 5


@dataclass(frozen=True)
class Estimate:
    """A mean over clips.

    Attributes:
        mean: NaN of no clips.
        low: lower end of the 95 % interval, NaN of fewer than :data:`FEWEST` clips.
        high: upper end.
        n: clips with a value.
    """

    mean: float
    low: float
    high: float
    n: int


def estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """Return the mean with its 95 % interval by the bootstrap over clips (percentiles, Efron and Tibshirani 1993).

    >>> estimate([0.5, 0.7]).mean, estimate([0.5, 0.7]).n
    (0.6, 2)
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < FEWEST:
        return Estimate(float(values.mean()) if len(values) else float("nan"), float("nan"), float("nan"), len(values))
    rng = np.random.default_rng(SEED)
    means = np.concatenate([_resampled_means(values, rng) for _ in range(BATCHES)])
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(values.mean()), float(low), float(high), len(values))


@dataclass(frozen=True)
class Difference:
    """How one method differs from another.

    Attributes:
        mean: of the differences clip by clip if paired, else of the means.
        low: lower end of its 95 % interval.
        high: upper end.
        p: of the permutation test, two-sided; NaN of fewer than :data:`FEWEST` clips.
        n: pairs, or clips of the smaller side.
        paired: the clips are the same.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int
    paired: bool


def difference(first: Mapping[str, float], second: Mapping[str, float]) -> Difference:
    """Compare two methods by their values by clip, paired over the clips that both have.

    Where they share fewer than :data:`FEWEST` clips all clips are compared, unpaired.

    Args:
        first: value by clip.
        second: likewise.
    """
    shared = sorted(set(first) & set(second))
    if len(shared) >= FEWEST:
        values = np.array([first[clip] - second[clip] for clip in shared])
        interval = estimate(values)
        test = (
            stats.permutation_test(
                (values,), np.mean, permutation_type="samples", n_resamples=DRAWS - 1, rng=SEED, batch=DRAWS // BATCHES
            )
            if np.any(values)
            else None
        )
        p = 1.0 if test is None else float(test.pvalue)
        return Difference(interval.mean, interval.low, interval.high, p, interval.n, True)
    one, two = (np.array(list(values.values())) for values in (first, second))
    count = min(len(one), len(two))
    mean = float(one.mean() - two.mean()) if count else float("nan")
    if count < FEWEST:
        return Difference(mean, float("nan"), float("nan"), float("nan"), count, False)
    rng = np.random.default_rng(SEED)
    draws = np.concatenate([_resampled_means(one, rng) - _resampled_means(two, rng) for _ in range(BATCHES)])
    low, high = np.percentile(draws, [2.5, 97.5])
    test = stats.permutation_test(
        (one, two), _difference_of_means, n_resamples=DRAWS - 1, rng=SEED, batch=DRAWS // BATCHES
    )
    return Difference(mean, float(low), float(high), float(test.pvalue), count, False)


def smallest_p(d: Difference) -> float:
    """Return the smallest p that a difference of so many clips could have had, NaN without a test.

    >>> smallest_p(Difference(0.1, 0.05, 0.2, 0.5, 6, True))
    0.03125
    """
    if np.isnan(d.p):
        return float("nan")
    return 2 ** (1 - d.n) if d.paired else 2 / math.comb(2 * d.n, d.n)


def _resampled_means(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values[rng.integers(0, len(values), (DRAWS // BATCHES, len(values)))].mean(1)


def _difference_of_means(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
    return np.mean(first, axis=axis) - np.mean(second, axis=axis)


def holm(p: Sequence[float]) -> list[float]:
    """Return p values adjusted for how many there are (Holm 1979); NaN is left alone.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    defined = np.flatnonzero(np.isfinite(values))
    adjusted = values.copy()
    running = 0.0
    for rank, index in enumerate(defined[np.argsort(values[defined], kind="stable")]):
        running = max(running, min(1.0, (len(defined) - rank) * values[index]))
        adjusted[index] = running
    return [float(value) for value in adjusted]
