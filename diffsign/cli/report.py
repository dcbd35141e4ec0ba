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
    metrics: Annotated[
        list[Path] | None, typer.Argument(help="Metrics of every result (.json of `diffsign evaluate`).")
    ] = None,
    *,
    results: Annotated[Path, typer.Option(help="Folder with videos/ and signers/, where the videos are.")],
    videos: Annotated[
        Path | None, typer.Option(help="In place of METRICS: sheet of videos, each by every signer of --signer.")
    ] = None,
    signer: Annotated[list[str] | None, typer.Option(help="Name of a signer, with --videos; may be repeated.")] = None,
    failures: Annotated[
        list[Path] | None, typer.Option(help="List of results that a run did not make (.json); may be repeated.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Config of the run, to show on the page.")] = None,
    settings: ReportSettings,
) -> None:
    """Make a report of all results: videos side by side, metrics and what they mean; it needs no network."""
    from diffsign.report.expected import expected_results
    from diffsign.report.report import Inputs, Outputs, run

    expected = expected_results(results, metrics or [], videos, signer or [], failures or [])
    typer.echo(run(Inputs(expected.metrics, results, config, expected.failures), Outputs(page), settings))
