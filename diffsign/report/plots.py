"""Plots over all results, for papers: one style, vector and bitmap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot

from diffsign.files import atomic
from diffsign.records.metric_definitions import DEFINITIONS, PARTS
from diffsign.records.metrics import Metrics
from diffsign.report.series import runs, series

#: Okabe and Ito's colours, told apart with any colour vision.
COLOURS = {"source": "#0072B2", "avatar": "#E69F00", "result": "#D55E00"}
NAMES = {"source": "source", "avatar": "avatar", "result": "result"}
INK, FAINT = "#222222", "#B8B8B8"
#: Clips that a plot of many panels shows at most.
PANELS = 12
#: Figures of the plot of legibility, and how the axis is called.
LEGIBILITY = {
    "hands_redetected_source": "hands found again (%)",
    "hands_pck_source": "hand points in place (%)",
    "face_redetected_source": "face found again (%)",
    "handshape_error_source": "handshape error (°)",
}
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "svg.hashsalt": "diffsign",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "text.parse_math": False,
}


@contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context(STYLE):
        yield


def _values(metrics: Sequence[Metrics], name: str) -> np.ndarray:
    found = [value for m in metrics if (value := m.value(name)) is not None]
    return np.array(found) * (100 if DEFINITIONS[name].unit == "share" else 1)


def _label(metrics: Metrics) -> str:
    return f"{metrics.signer}, {metrics.video}"


def legibility_plot(results: Sequence[Metrics]) -> Plot:
    """Each clip a dot, each signer's mean a bar, for the figures that say whether signing can be read."""
    signers = sorted({m.signer for m in results})
    height = 0.9 + 0.28 * len(signers)
    plot = Plot(figsize=(7.2, height), layout="constrained")
    panels = plot.subplots(1, len(LEGIBILITY), sharey=True)
    for axes, (name, title) in zip(panels, LEGIBILITY.items(), strict=True):
        for row, signer in enumerate(signers):
            values = _values([m for m in results if m.signer == signer], name)
            if len(values) == 0:
                axes.text(0, row, " –", va="center")
                continue
            axes.plot(values, np.full(len(values), row), "o", color=COLOURS["result"], alpha=0.45, ms=4, mew=0)
            axes.plot([values.mean()] * 2, [row - 0.3, row + 0.3], color=INK, lw=1.6)
        axes.set_title(title)
        share = DEFINITIONS[name].unit == "share"
        axes.set_xlim(0, 103 if share else 1.08 * max(axes.get_xlim()[1], 1e-3))
        axes.set_ylim(len(signers) - 0.4, -0.6)
        axes.grid(axis="x", color=FAINT, lw=0.4)
        axes.set_axisbelow(True)
    panels[0].set_yticks(range(len(signers)), signers)
    for axes in panels[1:]:
        axes.tick_params(left=False)
    return plot


def _panels(results: Sequence[Metrics], height: float, draw: Callable[[Axes, Metrics], None]) -> Plot:
    shown = results[:PANELS]
    columns = 1 if len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    plot = Plot(figsize=(7.2, 0.5 + height * rows), layout="constrained")
    grid = plot.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, metrics in zip(grid.flat, shown, strict=False):
        draw(axes, metrics)
        axes.set_title(_label(metrics))
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_axis_off()
    for axes in grid[-1]:
        axes.set_xlabel("seconds")
    if len(results) > PANELS:
        plot.suptitle(f"the first {PANELS} of {len(results)} results", x=0.01, ha="left", fontsize=7)
    return plot


def _draw_ssim(axes: Axes, metrics: Metrics) -> None:
    for who, colour in COLOURS.items():
        values = series(metrics, f"ssim_successive_{who}")
        axes.plot(np.arange(len(values)) / metrics.fps, values, color=colour, label=NAMES[who])
    axes.set_ylabel("SSIM")
    axes.set_ylim(top=1.005)
    axes.margins(x=0)


def ssim_plot(results: Sequence[Metrics]) -> Plot:
    """SSIM of successive frames over time, source, avatar and result of every clip."""
    plot = _panels(results, 1.5, _draw_ssim)
    handles, labels = plot.axes[0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper right", ncols=3)
    return plot


def _draw_detection(axes: Axes, metrics: Metrics) -> None:
    labels: dict[float, str] = {}
    for part, name in PARTS.items():
        for who, colour in COLOURS.items():
            row = len(labels) + 0.5 * (len(labels) // len(COLOURS))
            seen = series(metrics, f"{part}_found_{who}") > 0.5
            spans = [(start / metrics.fps, (end - start) / metrics.fps) for start, end in runs(seen)]
            axes.broken_barh(spans, (row - 0.36, 0.72), color=colour, lw=0)
            labels[row] = f"{name}, {NAMES[who]}" if who == "source" else NAMES[who]
    axes.set_yticks(list(labels), list(labels.values()), fontsize=6)
    axes.set_ylim(max(labels) + 0.6, -0.6)
    axes.set_xlim(0, metrics.frames / metrics.fps)


def detection_plot(results: Sequence[Metrics]) -> Plot:
    """When the detector finds hands and face, in source, avatar and result of every clip."""
    return _panels(results, 1.7, _draw_detection)


PLOTS = {"legibility": legibility_plot, "ssim": ssim_plot, "detection": detection_plot}


def write_plots(folder: Path, results: Sequence[Metrics]) -> list[Path]:
    """Write every plot to ``folder`` as ``.png``, ``.svg`` and ``.pdf``; return their paths."""
    written = []
    metadata = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    for name, draw in PLOTS.items():
        with _style():
            plot = draw(results)
            for suffix, about in metadata.items():
                path = folder / f"{name}{suffix}"
                with atomic(path) as temporary:
                    plot.savefig(temporary, metadata=about)
                written.append(path)
    return written
