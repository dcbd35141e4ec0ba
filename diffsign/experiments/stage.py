"""The stage ``experiments``: the results of several runs in one table, as CSV and as Markdown."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file
from diffsign.records.metric_definitions import METRIC_DEFINITIONS

#: Metrics of the table: the paper's, and those that say whether the signing is still there.
METRICS = (
    "ssim_successive",
    "ssim_first_frame",
    "fid",
    "fid_released",
    "directional_similarity",
    "hands_recall_source",
    "hands_precision_source",
)


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        tables: ``tables/clips.csv`` of every run; the folder above ``tables`` is the experiment's name.
    """

    tables: tuple[Path, ...]


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        table: every metric's mean over the clips of a signer and the number of clips that it has a value for (``n_…``).
        markdown: the same for people.
    """

    table: Path
    markdown: Path | None = None


@dataclass
class Summary:
    """One signer of one experiment.

    Attributes:
        experiment: name of the run.
        signer: id.
        kind: image, text or multimodal.
        family: model family.
        values: of each metric, those clips that have one.
    """

    experiment: str
    signer: str
    kind: str
    family: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def mean(self, metric: str) -> float | None:
        """Return the mean over the clips that have a value, or None."""
        values = self.values.get(metric)
        return fmean(values) if values else None

    def count(self, metric: str) -> int:
        """Return the number of clips that have a value."""
        return len(self.values.get(metric, ()))


def run(inputs: Inputs, outputs: Outputs, *, threads: int | None = None) -> str:
    """Write the comparison of several runs. ``threads`` has no effect.

    Raises:
        DiffSignError: if a table is missing or no table of clips.
    """
    rows = [summary for path in inputs.tables for summary in read_table(path)]
    metrics = [name for name in METRICS if any(name in row.values for row in rows)]
    with atomic(outputs.table) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        columns = [column for name in metrics for column in (name, f"n_{name}")]
        writer.writerow(["experiment", "signer", "kind", "family", *columns])
        for row in rows:
            cells = [cell for name in metrics for cell in (_number(row.mean(name)), row.count(name))]
            writer.writerow([row.experiment, row.signer, row.kind, row.family, *cells])
    if outputs.markdown is not None:
        with atomic(outputs.markdown) as temporary:
            temporary.write_text(as_markdown(rows, metrics), encoding="utf-8")
    return f"{outputs.table}: {len(rows)} signers of {len(inputs.tables)} experiments."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def read_table(path: Path) -> list[Summary]:
    """Return one run's signers from its table of clips.

    Raises:
        DiffSignError: if it is missing or no table of clips.
    """
    with require_file(path, "table of clips").open(newline="", encoding="utf-8") as stream:
        table = csv.DictReader(stream)
        missing = {"signer", "kind", "family"} - set(table.fieldnames or ())
        if missing:
            raise DiffSignError(f"'{path}' is no table of clips: it has no column {', '.join(sorted(missing))}.")
        signers: dict[str, Summary] = {}
        for row in table:
            new = Summary(path.resolve().parents[1].name, row["signer"], row["kind"], row["family"])
            summary = signers.setdefault(row["signer"], new)
            for name in METRICS:
                if name in row:
                    values = summary.values.setdefault(name, [])
                    if row[name] and math.isfinite(value := float(row[name])):
                        values.append(value)
    return list(signers.values())


def as_markdown(rows: list[Summary], metrics: list[str]) -> str:
    """Return the comparison as a Markdown table; beside each value stands how many clips have it."""
    titles = [METRIC_DEFINITIONS[name].title if name in METRIC_DEFINITIONS else name for name in metrics]
    lines = ["| experiment | signer | family | " + " | ".join(titles) + " |", "|---" * (3 + len(metrics)) + "|"]
    for row in rows:
        cells = [row.experiment, row.signer, row.family]
        for name in metrics:
            value = row.mean(name)
            cells.append("–" if value is None else f"{value:.3f} (n = {row.count(name)})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
