"""The stages ``aggregate`` and ``report``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from diffsign.config.report import ReportSettings
from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.report.page import write_page
from diffsign.report.plots import write_plots
from diffsign.report.tables import load_all, write_tables


def aggregate(folder: Path, metrics: Iterable[Path]) -> None:
    """Write ``tables/*.csv`` and ``figures/*`` of all results into ``folder``."""
    results = load_all(metrics)
    write_tables(folder / "tables", results)
    write_plots(folder / "figures", results)


def report(
    out: Path, metrics: Iterable[Path], folder: Path, settings: ReportSettings, config: Path | None = None
) -> None:
    """Write the page of all results to ``out``; their videos are found in ``folder``.

    Raises:
        DiffSignError: if a file of metrics is wrong, there is no such folder, or the config is no text.
    """
    results = load_all(metrics)
    if not folder.is_dir():
        raise DiffSignError(f"the folder of results '{folder}' does not exist; give the one with videos/ and signers/.")
    text = None
    if config is not None:
        try:
            text = require_file(config, "config file").read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DiffSignError(f"config file '{config}' is not UTF-8 text.") from error
    write_page(out, results, folder, settings, text)
