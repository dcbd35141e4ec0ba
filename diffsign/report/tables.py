"""Tables over all results, written row by row; what is averaged is kept as counts, means and deviations."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffsign.files import atomic
from diffsign.records.metric_definitions import METRIC_DEFINITIONS
from diffsign.records.metrics import Evaluation
from diffsign.report.corpus import CorpusTable
from diffsign.report.results import Results

#: Columns of the paper's table (DiffSign, section on results), and the released code's beside them.
PAPER = {
    "ssim_successive": "SSIM",
    "fid": "FID",
    "directional_similarity": "directional similarity",
    "ssim_first_frame": "SSIM (released)",
    "fid_released": "FID (released)",
}
KINDS = ("image", "text", "multimodal", "unknown")
ABOUT = ("signer", "video", "kind", "family", "untrained")
LONG = (*ABOUT, "metric", "title", "value", "unit", "better", "frames", "network", "settings", "reason")
#: Columns of the networks in the table of clips, and a metric that rests on each.
NETWORKS = {
    "network_keypoints": "hands_recall_source",
    "network_fid": "fid",
    "network_clip": "directional_similarity",
    "network_lpips": "lpips",
    "network_fvd": "fvd",
    "network_faces": "face_distance_source",
    "translator": "back_bleu",
}
WIDE = (*ABOUT, "frames", *NETWORKS, *METRIC_DEFINITIONS)
BREAKS = (
    *("signer", "video", "start_seconds", "end_seconds", "parameter", "against"),
    *("what", "worst_frame", "start", "end"),
)
SIGNERS = ("signer", "kind", "family", "metric", "title", "unit", "better", "network", "mean", "sd", "clips")
PAPER_COLUMNS = (
    *("prompt", "clips", "FID network", "CLIP network"),
    *(column for title in PAPER.values() for column in (title, f"{title} sd", f"{title} n")),
)

Row = dict[str, Any]


@dataclass
class Spread:
    """Count, mean and sample standard deviation of values that come one by one (Welford 1962).

    >>> spread = Spread()
    >>> for value in (1.0, 2.0, 6.0):
    ...     spread.add(value)
    >>> spread.count, spread.mean, round(spread.sd, 6)
    (3, 3.0, 2.645751)
    """

    count: int = 0
    mean: float = math.nan
    _squares: float = field(default=0.0, repr=False)

    def add(self, value: float) -> None:
        """Take in one value."""
        self.count += 1
        before = 0.0 if self.count == 1 else self.mean
        self.mean = before + (value - before) / self.count
        self._squares += (value - before) * (value - self.mean)

    @property
    def sd(self) -> float:
        """Sample standard deviation, NaN of fewer than two values."""
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else math.nan


def _network(result: Evaluation, name: str) -> str:
    return (result.metrics[name].network or "") if name in result.metrics else ""


def long_rows(result: Evaluation) -> Iterator[Row]:
    """Yield one row for every metric of a result, with its network, the frames it rests on and its settings."""
    about = {key: getattr(result, key) for key in ABOUT}
    for name, metric in result.metrics.items():
        definition = METRIC_DEFINITIONS.get(name)
        yield about | {
            "metric": name,
            "title": definition.title if definition else name,
            "value": metric.value,
            "unit": definition.unit if definition else "",
            "better": definition.better if definition else "",
            "frames": metric.frames,
            "network": metric.network or "",
            "settings": "; ".join(f"{key}={value}" for key, value in metric.settings.items()),
            "reason": metric.reason or "",
        }


def clip_row(result: Evaluation) -> Row:
    """Return a result's row: one column for every metric, and the networks behind them."""
    networks = {column: _network(result, name) for column, name in NETWORKS.items()}
    about = {key: getattr(result, key) for key in (*ABOUT, "frames")}
    return about | networks | {name: result.value(name) for name in METRIC_DEFINITIONS}


def break_rows(result: Evaluation) -> Iterator[Row]:
    """Yield one row for every second and parameter in which the signing breaks."""
    for broken in result.breaks:
        yield {
            "signer": result.signer,
            "video": result.video,
            "start_seconds": broken.start / result.fps,
            "end_seconds": broken.end / result.fps,
            "worst_frame": broken.worst,
        } | {name: getattr(broken, name) for name in ("parameter", "against", "what", "start", "end")}


class SignerTable:
    """Mean and standard deviation over the clips of each signer; metrics of different networks stay apart."""

    def __init__(self) -> None:
        self._spreads: dict[tuple[str, ...], Spread] = {}

    def add(self, result: Evaluation) -> None:
        """Take in one result."""
        for name, metric in result.metrics.items():
            if metric.value is not None:
                key = (result.signer, result.kind, result.family, name, metric.network or "")
                self._spreads.setdefault(key, Spread()).add(metric.value)

    def rows(self) -> Iterator[Row]:
        """Yield one row for each signer, metric and network."""
        for (signer, kind, family, name, network), spread in self._spreads.items():
            definition = METRIC_DEFINITIONS.get(name)
            titles = (definition.title, definition.unit, definition.better) if definition else (name, "", "")
            numbers = (spread.mean, spread.sd, spread.count)
            values = (signer, kind, family, name, *titles, network, *numbers)
            yield dict(zip(SIGNERS, values, strict=True))


class PaperTable:
    """The paper's table: metrics by kind of prompt, one row for each pair of networks behind them."""

    def __init__(self) -> None:
        self._clips: dict[tuple[str, str, str], int] = {}
        self._spreads: dict[tuple[str, str, str], Mapping[str, Spread]] = {}

    def add(self, result: Evaluation) -> None:
        """Take in one result."""
        key = (result.kind, _network(result, "fid"), _network(result, "directional_similarity"))
        self._clips[key] = self._clips.get(key, 0) + 1
        spreads = self._spreads.setdefault(key, {name: Spread() for name in PAPER})
        for name in PAPER:
            value = result.value(name)
            if value is not None:
                spreads[name].add(value)

    def rows(self) -> Iterator[Row]:
        """Yield one row for each kind of prompt and pair of networks, each value with its number of clips."""
        for kind, fid, clip in sorted(self._clips, key=lambda key: (KINDS.index(key[0]), *key[1:])):
            row: Row = {"prompt": kind, "clips": self._clips[kind, fid, clip], "FID network": fid, "CLIP network": clip}
            for name, title in PAPER.items():
                spread = self._spreads[kind, fid, clip][name]
                row |= {title: spread.mean, f"{title} sd": spread.sd, f"{title} n": spread.count}
            yield row


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else value


class _Writer:
    """A CSV file that takes rows and appears when all are written."""

    def __init__(self, stack: ExitStack, path: Path, columns: tuple[str, ...]) -> None:
        temporary = stack.enter_context(atomic(path))
        stream = stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))
        self._writer = csv.writer(stream, lineterminator="\n")
        self._columns = columns
        self._writer.writerow(columns)

    def write(self, row: Row) -> None:
        self._writer.writerow([_cell(row[column]) for column in self._columns])


def write_tables(folder: Path, results: Results) -> list[Path]:
    """Write the tables of a run to ``folder`` as CSV; return their paths."""
    columns = {"clips": WIDE, "metrics": LONG, "breaks": BREAKS, "signers": SIGNERS, "paper": PAPER_COLUMNS}
    paths = {name: folder / f"{name}.csv" for name in columns}
    signers, corpus, paper = SignerTable(), CorpusTable(), PaperTable()
    with ExitStack() as stack:
        tables = {name: _Writer(stack, paths[name], columns[name]) for name in columns}
        for result in results.without_series("writing tables"):
            tables["clips"].write(clip_row(result))
            for row in long_rows(result):
                tables["metrics"].write(row)
            for row in break_rows(result):
                tables["breaks"].write(row)
            signers.add(result)
            corpus.add(result)
            paper.add(result)
        for name, summary in (("signers", signers), ("signers", corpus), ("paper", paper)):
            for row in summary.rows():
                tables[name].write(row)
    return list(paths.values())
