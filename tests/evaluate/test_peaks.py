"""Peaks: answers known on paper, and scipy's."""

import numpy as np
import pytest
from scipy import signal

from diffsign.evaluate.peaks import find_peaks


def test_a_valley_must_be_deep_enough_and_ends_are_no_peaks():
    assert find_peaks(np.array([5.0, 1.0, 4.0, 3.5, 3.8, 0.0, 9.0]), 1.0, 0.5).tolist() == [2]
    assert find_peaks(np.array([0.0, 2.0, 2.0, 2.0, 0.0]), 1.0, 0.5).tolist() == [2]
    assert find_peaks(np.zeros(5), 0.0, 0.0).tolist() == []
    assert find_peaks(np.array([]), 0.0, 0.0).tolist() == []


@pytest.mark.parametrize("seed", range(20))
def test_peaks_are_those_of_scipy(seed):
    random = np.random.default_rng(seed)
    values = random.normal(size=200).cumsum() if seed % 2 else random.integers(0, 6, 200).astype(float)
    height, prominence = float(np.median(values)), float(random.uniform(0, 2))
    expected = signal.find_peaks(values, height=height, prominence=prominence)[0]
    assert find_peaks(values, height, prominence).tolist() == expected.tolist()
