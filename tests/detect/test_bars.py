"""Black bars are found, and a dark film has none."""

from __future__ import annotations

import numpy as np

from diffsign.detect.bars import find_bars


def film(frames: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(60, 200, (frames, 96, 128, 3), dtype=np.uint8)


def test_a_film_without_bars() -> None:
    assert find_bars(film()) == (0, 0, 0, 0)


def test_bars_on_two_sides() -> None:
    barred = film()
    barred[:, :12], barred[:, -24:] = 3, 3
    left, top, right, bottom = find_bars(barred)
    assert (left, right) == (0, 0)
    np.testing.assert_allclose([top, bottom], [0.125, 0.25], atol=0.01)


def test_what_is_black_for_a_moment_or_altogether_is_no_bar() -> None:
    fading = film()
    fading[:3] = 0
    assert find_bars(fading) == (0, 0, 0, 0)
    assert find_bars(np.zeros((3, 96, 128, 3), np.uint8)) == (0, 0, 0, 0)
    jacket = film()
    jacket[:, -30:, 20:] = 5
    assert find_bars(jacket) == (0, 0, 0, 0)
