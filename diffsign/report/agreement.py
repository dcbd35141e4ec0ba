"""How much viewers agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def krippendorff(units: Sequence[Mapping[str, float]], *, nominal: bool) -> float:
    """Return Krippendorff's alpha: 1 is full agreement, 0 what chance gives.

    Args:
        units: what was judged, each with its values by viewer; those with fewer than two are left out.
        nominal: values are names; else they are numbers on a scale (interval).

    Returns:
        Alpha (Krippendorff 2011), NaN if nothing can be compared or all values are the same.

    >>> krippendorff([{"a": 1, "b": 1}, {"a": 2, "b": 2}], nominal=True)
    1.0
    """
    judged = [np.array(list(unit.values()), dtype=np.float64) for unit in units if len(unit) > 1]
    if not judged:
        return float("nan")

    def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        difference = first[:, None] - second[None]
        return (difference != 0).astype(float) if nominal else difference**2

    everything = np.concatenate(judged)
    count = len(everything)
    observed = sum(float(distance(unit, unit).sum()) / (len(unit) - 1) for unit in judged) / count
    expected = float(distance(everything, everything).sum()) / (count * (count - 1))
    return 1 - observed / expected if expected else float("nan")
