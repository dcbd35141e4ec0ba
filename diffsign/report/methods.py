"""What runs are compared by: their results, clip by clip, as methods."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diffsign.config.compare import CompareSettings
from diffsign.errors import DiffSignError, nearest
from diffsign.records.metric_definitions import METRIC_DEFINITIONS, MetricDefinition
from diffsign.records.metrics import Evaluation
from diffsign.report.results import find_results
from diffsign.report.statistics import Difference, Estimate, difference, estimate, holm, smallest_p

#: Level of significance.
ALPHA = 0.05


@dataclass
class Method:
    """The results of one method: a run, or a signer of a run.

    Attributes:
        name: what the table calls it.
        run: the run that it belongs to.
        values: by metric and network, a value for each clip; several signers of one clip are averaged.
        frames: by metric and network, how many frames (or pairs, or hands) these rest on.
    """

    name: str
    run: str = ""
    values: dict[tuple[str, str], dict[str, list[float]]] = field(default_factory=dict)
    frames: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def add(self, result: Evaluation, metrics: Iterable[str]) -> None:
        """Take in one result."""
        for name in metrics:
            metric = result.metrics.get(name)
            if metric is not None and metric.value is not None:
                clips = self.values.setdefault((name, metric.network or ""), {})
                clips.setdefault(result.video, []).append(metric.value)
                key = (name, metric.network or "")
                self.frames[key] = self.frames.get(key, 0) + metric.frames

    def clips(self, metric: str, network: str) -> dict[str, float]:
        """Return the value of each clip."""
        return {clip: sum(v) / len(v) for clip, v in self.values.get((metric, network), {}).items()}


@dataclass(frozen=True)
class Run:
    """A run that is compared: what it is called, and the metrics files of its results."""

    name: str
    paths: tuple[Path, ...]
    folder: Path | None


def find_run(text: str) -> Run:
    """Return the run that ``NAME=PATH`` or ``PATH`` names: a folder of results, or one metrics file.

    Raises:
        DiffSignError: if there is nothing of the kind.
    """
    name, equals, rest = text.partition("=")
    path = Path(rest if equals and not Path(text).exists() else text)
    if not (equals and not Path(text).exists()):
        name = path.resolve().name if path.is_dir() else path.resolve().parent.name
    if path.is_dir():
        files = sorted(path.glob("signers/*/*/metrics.json")) or sorted(path.rglob("*.json"))
        files = [file for file in files if file.name == "metrics.json" or file.parent == path]
    else:
        files = [path] if path.is_file() else []
    if not files:
        raise DiffSignError(
            f"run '{text}': there are no metrics at '{path}'; give a folder of results (with "
            "signers/*/*/metrics.json), a folder of metrics files, or one metrics file, or NAME=PATH to give it a name."
        )
    return Run(name, tuple(files), path if path.is_dir() else None)


def find_methods(runs: Sequence[Run], settings: CompareSettings) -> list[Method]:
    """Read the results of all runs as methods, in the order in which they are named.

    Raises:
        DiffSignError: if two runs have one name, or a metric is unknown.
    """
    for name in settings.metrics:
        if name not in METRIC_DEFINITIONS:
            raise DiffSignError(
                f"unknown metric '{name}'{nearest(name, METRIC_DEFINITIONS)}; docs/metrics.md lists them."
            )
    methods: dict[str, Method] = {}
    seen: set[str] = set()
    for run in runs:
        if run.name in seen:
            raise DiffSignError(f"two runs are called '{run.name}'; give one another name with NAME=PATH.")
        seen.add(run.name)
        whole = settings.by == "run" or (settings.by == "auto" and len(runs) > 1)
        for result in find_results(run.paths).without_series(f"reading {run.name}"):
            signer = f"{run.name}, {result.signer}" if len(runs) > 1 else result.signer
            name = run.name if whole else signer
            methods.setdefault(name, Method(name, run.name)).add(result, settings.metrics)
    return list(methods.values())


@dataclass(frozen=True)
class Cell:
    """What the table says of one method and metric.

    Attributes:
        estimate: mean, interval, number of clips.
        best: it is the best of the column.
        from_best: its difference from the best, with p adjusted over the column; None for the best itself.
        frames: how many frames (or pairs, or hands) the values rest on; 0 if it is not said.
    """

    estimate: Estimate
    best: bool
    from_best: Difference | None
    frames: int = 0

    @property
    def worse(self) -> bool:
        """Whether it is significantly worse than the best (p below :data:`ALPHA` after Holm's correction)."""
        return self.from_best is not None and self.from_best.p < ALPHA


@dataclass(frozen=True)
class Column:
    """One metric of the comparison, measured with one network.

    Attributes:
        metric: its name.
        definition: what it is.
        network: what it rests on, "" if on none.
        cells: one for each method.
        reach: smallest p that any of its differences could have had after the correction, NaN without a test.
    """

    metric: str
    definition: MetricDefinition
    network: str
    cells: list[Cell]
    reach: float = math.nan


def column(
    metric: str,
    definition: MetricDefinition,
    network: str,
    values: Sequence[Mapping[str, float]],
    frames: Sequence[int] | None = None,
    groups: Sequence[str] | None = None,
) -> Column:
    """Return one column of a comparison.

    Args:
        metric: its name.
        definition: what it is.
        network: what it rests on.
        values: of each method, by clip (or by whatever else the interval is over).
        frames: of each method, how many frames its values rest on.
        groups: of each method, among whom its best is sought; by default among all.
    """
    estimates = [estimate(list(clips.values())) for clips in values]
    bests: list[int | None] = [None] * len(values)
    differences: list[Difference | None] = [None] * len(values)
    p, reaches = [math.nan] * len(values), list[float]()
    for group in dict.fromkeys(groups or [""]):
        members = [number for number in range(len(values)) if not groups or groups[number] == group]
        best = _best([number for number in members if estimates[number].n], estimates, definition)
        for number in members:
            bests[number] = best
            if best is not None and number != best and estimates[number].n:
                differences[number] = difference(values[number], values[best])
        found = [differences[number] for number in members]
        for number, adjusted in zip(members, holm([d.p if d else math.nan for d in found]), strict=True):
            p[number] = adjusted
        tested = [smallest_p(d) for d in found if d and not math.isnan(d.p)]
        reaches += [len(tested) * min(tested)] if tested else []
    cells = []
    for number, (e, d, best) in enumerate(zip(estimates, differences, bests, strict=True)):
        corrected = Difference(d.mean, d.low, d.high, p[number], d.n, d.paired) if d else None
        is_best = best is not None and e.mean == estimates[best].mean
        cells.append(Cell(e, is_best, corrected, frames[number] if frames else 0))
    return Column(metric, definition, network, cells, min(reaches, default=math.nan))


def _best(defined: Sequence[int], estimates: Sequence[Estimate], definition: MetricDefinition) -> int | None:
    """Return which method is best, None if nothing is better, there is no other, or all are alike."""
    if not definition.better or len({estimates[number].mean for number in defined}) < 2:
        return None
    sign = 1 if definition.better == "higher" else -1
    return max(defined, key=lambda number: sign * estimates[number].mean)


def compare(methods: Sequence[Method], settings: CompareSettings) -> list[Column]:
    """Return the columns of the comparison: one for each metric, and for each network that it was measured with."""
    groups = [method.run for method in methods] if settings.best == "run" else None
    columns = []
    for name in settings.metrics:
        networks = sorted({network for method in methods for key, network in method.values if key == name})
        for network in networks:
            values = [method.clips(name, network) for method in methods]
            frames = [method.frames.get((name, network), 0) for method in methods]
            columns.append(column(name, METRIC_DEFINITIONS[name], network, values, frames, groups))
    return columns
