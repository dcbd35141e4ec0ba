"""``diffsign aggregate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app


@app.command()
def aggregate(
    folder: Annotated[Path, typer.Argument(help="Folder for tables/*.csv and figures/*.")],
    metrics: Annotated[
        list[Path] | None, typer.Argument(help="Metrics of every result (.json of `diffsign evaluate`).")
    ] = None,
    videos: Annotated[
        Path | None, typer.Option(help="In place of METRICS: sheet of videos, each by every signer of --signer.")
    ] = None,
    signer: Annotated[list[str] | None, typer.Option(help="Name of a signer, with --videos; may be repeated.")] = None,
    failures: Annotated[
        list[Path] | None, typer.Option(help="List of results that a run did not make (.json); may be repeated.")
    ] = None,
) -> None:
    """Put the metrics of all results into tables and plots."""
    from diffsign.report.aggregate import Inputs, Outputs, run
    from diffsign.report.expected import expected_results

    expected = expected_results(folder, metrics or [], videos, signer or [], failures or [])
    typer.echo(run(Inputs(expected.metrics, expected.failures), Outputs(folder)))
