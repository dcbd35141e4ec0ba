"""Charts of the page: per-frame values as SVG coordinates, drawn in the page's own colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.records.metric_definitions import DETECTED_PARTS
from diffsign.records.metrics import Evaluation
from diffsign.report.series import runs, series

ROLES = ("source", "avatar", "result")
WIDTH, HEIGHT = 1000.0, 100.0
#: Title and unit of each chart, and the series that it shows: (name, class of its colour, label).
CHARTS = {
    "SSIM with the frame before": (
        "",
        [(f"ssim_successive_{role}", role, role) for role in ROLES],
    ),
    "Distance of the hands": (
        "hand sizes",
        [("hands_error_source", "source", "from source"), ("hands_error_avatar", "avatar", "from avatar")],
    ),
    "Handshape error": (
        "°",
        [
            ("handshape_error_source", "source", "against source"),
            ("handshape_error_avatar", "avatar", "against avatar"),
        ],
    ),
    "Opening of the mouth": (
        "eye distances",
        [(f"mouth_{role}", role, role) for role in ROLES],
    ),
    "Height of the brows": ("eye distances", [(f"brow_{role}", role, role) for role in ROLES]),
    "Warping error": ("", [("warping_error_avatar", "avatar", "avatar"), ("warping_error_result", "result", "result")]),
}


@dataclass(frozen=True)
class Line:
    """One line: its colour's class, its label and its stretches of ``x,y`` points in the chart's units."""

    role: str
    label: str
    stretches: list[str]


@dataclass(frozen=True)
class Chart:
    """One chart: title, what its axis runs from and to, its lines, and a sentence for those who don't see it."""

    title: str
    unit: str
    low: str
    high: str
    lines: list[Line]
    summary: str


@dataclass(frozen=True)
class Row:
    """One row of the timeline: when a part is found in a clip, as (left, width) in per cent."""

    part: str
    role: str
    spans: list[tuple[float, float]]
    share: str


def _stretches(values: np.ndarray, low: float, high: float) -> list[str]:
    x = (np.arange(len(values)) + 0.5) / len(values) * WIDTH
    y = HEIGHT - (values - low) / (high - low) * HEIGHT
    texts = []
    for start, end in runs(np.isfinite(values)):
        if end - start == 1:
            texts.append(f"{x[start] - 2:.1f},{y[start]:.1f} {x[start] + 2:.1f},{y[start]:.1f}")
        else:
            texts.append(" ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[start:end], y[start:end], strict=True)))
    return texts


def _chart(result: Evaluation, title: str, unit: str, names: list[tuple[str, str, str]]) -> Chart | None:
    lines = [(role, label, series(result, name)) for name, role, label in names]
    lines = [(role, label, values) for role, label, values in lines if np.isfinite(values).any()]
    if not lines:
        return None
    everything = np.concatenate([values for _, _, values in lines])
    low, high = float(np.nanmin(everything)), float(np.nanmax(everything))
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = max(low - margin, 0.0) if low >= 0 else low - margin, high + margin
    means = ", ".join(f"{label} {np.nanmean(values):.3g}" for _, label, values in lines)
    return Chart(
        title=title,
        unit=unit,
        low=f"{low:.2g}",
        high=f"{high:.2g}",
        lines=[Line(role, label, _stretches(values, low, high)) for role, label, values in lines],
        summary=f"{title} over {result.frames} frames{f' in {unit}' if unit else ''}; means: {means}.",
    )


def make_charts(result: Evaluation) -> list[Chart]:
    """Return the charts of one result; those without any value are left out."""
    charts = [_chart(result, title, unit, names) for title, (unit, names) in CHARTS.items()]
    return [chart for chart in charts if chart is not None]


def make_timeline(result: Evaluation) -> list[Row]:
    """Return when hands and face are found in source, avatar and result."""
    rows = []
    for part, name in DETECTED_PARTS.items():
        for role in ROLES:
            values = series(result, f"{part}_found_{role}")
            if not np.isfinite(values).any():
                continue
            seen = values > 0.5
            spans = [(100 * start / len(seen), 100 * (end - start) / len(seen)) for start, end in runs(seen)]
            rows.append(Row(name, role, spans, f"{100 * seen.mean():.0f} %"))
    return rows
