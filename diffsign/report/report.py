"""Make the report of all results: videos side by side, metrics and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffsign.config.report import ReportSettings
from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.records.failures import Failure
from diffsign.report.page import Report
from diffsign.report.results import find_results


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        metrics: the metrics of every result (.json of ``diffsign evaluate``).
        results: folder with ``videos/`` and ``signers/``, in which the videos are.
        config: config of the run, to show.
        failures: results that are not there.
    """

    metrics: tuple[Path, ...]
    results: Path
    config: Path | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        page: the report (.html); pages of single results go into a folder of its name beside it.
    """

    page: Path


def run(inputs: Inputs, outputs: Outputs, settings: ReportSettings) -> str:
    """Write the report of all results.

    Raises:
        DiffSignError: if a file of metrics is wrong, there is no such folder, or the config is no text.
    """
    results = find_results(inputs.metrics)
    folder = inputs.results
    if not folder.is_dir():
        raise DiffSignError(f"the folder of results '{folder}' does not exist; give the one with videos/ and signers/.")
    text = None
    if inputs.config is not None:
        try:
            text = require_file(inputs.config, "config file").read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DiffSignError(f"config file '{inputs.config}' is not UTF-8 text.") from error
    pages = Report(outputs.page, folder, settings).write(results, text, inputs.failures)
    beside = f", with a page for each in '{outputs.page.with_suffix('')}'" if pages else ""
    return f"{len(results)} results in '{outputs.page}'{beside}."
