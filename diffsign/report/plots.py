"""Plots over all results, for papers: one style, vector and bitmap."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot

from diffsign.files import atomic
from diffsign.records.metric_definitions import DETECTED_PARTS, METRIC_DEFINITIONS
from diffsign.records.metrics import Evaluation
from diffsign.report.methods import Column
from diffsign.report.results import Results
from diffsign.report.series import runs, series
from diffsign.report.statistics import FEWEST

#: Okabe and Ito's colours, told apart with any colour vision.
COLOURS = {"source": "#0072B2", "avatar": "#E69F00", "result": "#D55E00"}
NAMES = {"source": "source", "avatar": "avatar", "result": "result"}
INK, FAINT = "#222222", "#B8B8B8"
#: Clips that a plot of many panels shows at most.
PANELS = 12
#: Metrics of the plot of legibility, and how the axis is called.
LEGIBILITY = {
    "hands_recall_source": "hands kept (%)",
    "hands_precision_source": "hands not invented (%)",
    "hands_pck_strict_source": "hand points in place (%)",
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


@dataclass(frozen=True)
class Overview:
    """What the plots need of all results: a few numbers of each, and the per-frame values of the first.

    Attributes:
        values: by metric and signer, one value for each clip that has one; shares in per cent.
        signers: their names.
        shown: the first :data:`PANELS` results.
        count: how many results there are.
    """

    values: dict[str, dict[str, list[float]]]
    signers: list[str]
    shown: list[Evaluation]
    count: int


def overview(results: Results) -> Overview:
    """Read what the plots need."""
    values: dict[str, dict[str, list[float]]] = {name: {} for name in LEGIBILITY}
    signers: dict[str, None] = {}
    for result in results.without_series("drawing plots"):
        signers[result.signer] = None
        for name in LEGIBILITY:
            value = result.value(name)
            if value is not None:
                scale = 100 if METRIC_DEFINITIONS[name].unit == "share" else 1
                values[name].setdefault(result.signer, []).append(scale * value)
    return Overview(values, list(signers), list(itertools.islice(results, PANELS)), len(results))


def _label(result: Evaluation) -> str:
    return f"{result.signer}, {result.video}"


def legibility_plot(all_results: Overview) -> Plot:
    """Each clip a dot, each signer's mean a bar, for the metrics that say whether signing can be read."""
    signers = all_results.signers
    height = 0.9 + 0.28 * len(signers)
    plot = Plot(figsize=(7.2, height), layout="constrained")
    panels = plot.subplots(1, len(LEGIBILITY), sharey=True)
    for axes, (name, title) in zip(panels, LEGIBILITY.items(), strict=True):
        for row, signer in enumerate(signers):
            values = np.array(all_results.values[name].get(signer, []))
            if len(values) == 0:
                axes.text(0, row, " –", va="center")
                continue
            axes.plot(values, np.full(len(values), row), "o", color=COLOURS["result"], alpha=0.45, ms=4, mew=0)
            axes.plot([values.mean()] * 2, [row - 0.3, row + 0.3], color=INK, lw=1.6)
        axes.set_title(title)
        share = METRIC_DEFINITIONS[name].unit == "share"
        axes.set_xlim(0, 103 if share else 1.08 * max(axes.get_xlim()[1], 1e-3))
        axes.set_ylim(len(signers) - 0.4, -0.6)
        axes.grid(axis="x", color=FAINT, lw=0.4)
        axes.set_axisbelow(True)
    panels[0].set_yticks(range(len(signers)), signers)
    for axes in panels[1:]:
        axes.tick_params(left=False)
    return plot


def _panels(all_results: Overview, height: float, draw: Callable[[Axes, Evaluation], None]) -> Plot:
    shown = all_results.shown
    columns = 1 if len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    plot = Plot(figsize=(7.2, 0.5 + height * rows), layout="constrained")
    grid = plot.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, result in zip(grid.flat, shown, strict=False):
        draw(axes, result)
        axes.set_title(_label(result))
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_axis_off()
    for axes in grid[-1]:
        axes.set_xlabel("seconds")
    if all_results.count > len(shown):
        plot.suptitle(f"the first {len(shown)} of {all_results.count} results", x=0.01, ha="left", fontsize=7)
    return plot


def _draw_ssim(axes: Axes, result: Evaluation) -> None:
    for who, colour in COLOURS.items():
        values = series(result, f"ssim_successive_{who}")
        axes.plot(np.arange(len(values)) / result.fps, values, color=colour, label=NAMES[who])
    axes.set_ylabel("SSIM")
    axes.set_ylim(top=1.005)
    axes.margins(x=0)


def ssim_plot(all_results: Overview) -> Plot:
    """SSIM of successive frames over time, source, avatar and result of every clip."""
    plot = _panels(all_results, 1.5, _draw_ssim)
    handles, labels = plot.axes[0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper right", ncols=3)
    return plot


def _draw_detection(axes: Axes, result: Evaluation) -> None:
    labels: dict[float, str] = {}
    for part, name in DETECTED_PARTS.items():
        for who, colour in COLOURS.items():
            row = len(labels) + 0.5 * (len(labels) // len(COLOURS))
            seen = series(result, f"{part}_found_{who}") > 0.5
            spans = [(start / result.fps, (end - start) / result.fps) for start, end in runs(seen)]
            axes.broken_barh(spans, (row - 0.36, 0.72), color=colour, lw=0)
            labels[row] = f"{name}, {NAMES[who]}" if who == "source" else NAMES[who]
    axes.set_yticks(list(labels), list(labels.values()), fontsize=6)
    axes.set_ylim(max(labels) + 0.6, -0.6)
    axes.set_xlim(0, result.frames / result.fps)


def detection_plot(all_results: Overview) -> Plot:
    """When the detector finds hands and face, in source, avatar and result of every clip."""
    return _panels(all_results, 1.7, _draw_detection)


PLOTS = {"legibility": legibility_plot, "ssim": ssim_plot, "detection": detection_plot}


def comparison_plot(names: Sequence[str], columns: Sequence[Column], title: str, starts: Sequence[int] = ()) -> Plot:
    """Draw the mean of each method with its interval, one panel for each metric; the best is filled.

    Args:
        names: of the methods.
        columns: one for each metric.
        title: of the plot.
        starts: methods before which a line is drawn, because another run begins.
    """
    many = len(names) > PANELS
    wide = min(6 if many else 3, max(1, len(columns)))
    rows = -(-max(1, len(columns)) // wide)
    height = 0.75 + (0.17 if many else 0.24) * len(names)
    plot = Plot(figsize=(12.0 if many else 7.2, 0.4 + height * rows), layout="constrained")
    grid = plot.subplots(rows, wide, squeeze=False, sharey=True)
    for axes, column in zip(grid.flat, columns, strict=False):
        definition = column.definition
        scale = 100 if definition.unit == "share" else 1
        for row, cell in enumerate(column.cells):
            e = cell.estimate
            if not e.n:
                axes.text(0.02, row, "–", va="center", transform=axes.get_yaxis_transform())
                continue
            if math.isfinite(e.low):
                axes.plot([scale * e.low, scale * e.high], [row, row], color=INK, lw=1.2, solid_capstyle="round")
            face = COLOURS["result"] if cell.best else "white"
            axes.plot([scale * e.mean], [row], "o", ms=5, mfc=face, mec=COLOURS["result"])
            if cell.worse:
                axes.annotate("*", (scale * e.mean, row), (0, 1), textcoords="offset points", ha="center", fontsize=9)
        arrow = {"higher": " ↑", "lower": " ↓", "": ""}[definition.better]
        unit = " (%)" if scale == 100 else f" ({definition.unit})" if definition.unit else ""
        axes.set_title(textwrap.fill(f"{definition.title}{arrow}{unit}", 26 if many else 34), fontsize=7)
        for start in starts:
            axes.axhline(start - 0.5, color=FAINT, lw=0.6)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.margins(x=0.12)
        axes.grid(axis="x", color=FAINT, lw=0.4)
        axes.set_axisbelow(True)
    for axes in list(grid.flat)[len(columns) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_yticks(
            range(len(names)), [textwrap.shorten(name, 40 if many else 28, placeholder="…") for name in names]
        )
    counts = sorted({cell.estimate.n for column in columns for cell in column.cells if cell.estimate.n})
    said = [f"n = {'–'.join(map(str, counts[:: max(1, len(counts) - 1)]))}"] if counts else []
    said += ["filled: best"] if any(cell.best for column in columns for cell in column.cells) else []
    said += ["line: 95 % interval"] if counts and counts[-1] >= FEWEST else []
    said += ["*: significantly worse"] if any(cell.worse for column in columns for cell in column.cells) else []
    plot.suptitle(f"{title} ({'; '.join(said)})" if said else title, x=0.01, ha="left", fontsize=9)
    return plot


def save_plot(draw: Callable[[], Plot], stem: Path) -> list[Path]:
    """Write a plot as ``.png``, ``.svg`` and ``.pdf``, with the same bytes every time; return their paths."""
    written = []
    metadata = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with _style():
        plot = draw()
        for suffix, about in metadata.items():
            path = stem.with_suffix(suffix)
            with atomic(path) as temporary:
                plot.savefig(temporary, metadata=about)
            written.append(path)
    return written


def write_plots(folder: Path, results: Results) -> list[Path]:
    """Write every plot of a run to ``folder``; return their paths."""
    everything = overview(results)
    return [path for name, draw in PLOTS.items() for path in save_plot(lambda d=draw: d(everything), folder / name)]
