"""``diffsign report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.report import ReportSettings


@app.command()
@with_settings(ReportSettings)
def report(
    page: Annotated[Path, typer.Argument(help="Page to write (.html).")],
    metrics: Annotated[list[Path], typer.Argument(help="Metrics of every result (.json of `diffsign evaluate`).")],
    *,
    results: Annotated[Path, typer.Option(help="Folder with videos/ and signers/, where the videos are.")],
    config: Annotated[Path | None, typer.Option(help="Config of the run, to show on the page.")] = None,
    settings: ReportSettings,
) -> None:
    """Make a report of all results: videos side by side, metrics and what they mean; it needs no network."""
    from diffsign.report.report import Inputs, Outputs, run

    typer.echo(run(Inputs(tuple(metrics), results, config), Outputs(page), settings))
