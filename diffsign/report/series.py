"""Per-frame values, made ready for plots and the page."""

from __future__ import annotations

import numpy as np

from diffsign.records.metrics import Evaluation


def series(result: Evaluation, name: str) -> np.ndarray:
    """(T,) float64, NaN where the series is undefined; all NaN if it was not measured."""
    values = result.series.get(name)
    if values is None:
        return np.full(result.frames, np.nan)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def runs(where: np.ndarray) -> list[tuple[int, int]]:
    """Return the stretches of (T,) bool that are True, as (first, one past last)."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.asarray(where, dtype=np.int8), 0]))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
