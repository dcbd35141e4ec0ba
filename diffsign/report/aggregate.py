"""Put the metrics of all results into tables and plots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffsign.records.failures import Failure
from diffsign.report.expected import write_failures
from diffsign.report.plots import write_plots
from diffsign.report.results import find_results
from diffsign.report.tables import write_tables


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        metrics: the metrics of every result (.json of ``diffsign evaluate``).
        failures: results that are not there.
    """

    metrics: tuple[Path, ...]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        folder: ``tables/*.csv`` and ``figures/*`` in it.
    """

    folder: Path


def run(inputs: Inputs, outputs: Outputs) -> str:
    """Write the tables and plots of all results.

    Returns:
        What was written.

    Raises:
        DiffSignError: if a file of metrics is wrong, or two are of the same result.
    """
    write_failures(outputs.folder / "tables" / "failed.csv", inputs.failures)
    if inputs.failures and not inputs.metrics:
        return f"None of {len(inputs.failures)} results is there; '{outputs.folder}/tables/failed.csv' says why."
    results = find_results(inputs.metrics)
    tables = write_tables(outputs.folder / "tables", results)
    plots = write_plots(outputs.folder / "figures", results)
    missing = f"; {len(inputs.failures)} failed, see tables/failed.csv" if inputs.failures else ""
    return f"{len(results)} results: {len(tables)} tables and {len(plots)} plots in '{outputs.folder}'{missing}."
