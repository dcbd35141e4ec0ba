"""``diffsign aggregate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app


@app.command()
def aggregate(
    folder: Annotated[Path, typer.Argument(help="Folder for tables/*.csv and figures/*.")],
    metrics: Annotated[list[Path], typer.Argument(help="Metrics of every result (.json of `diffsign evaluate`).")],
) -> None:
    """Put the metrics of all results into tables and plots."""
    from diffsign.report.aggregate import Inputs, Outputs, run

    typer.echo(run(Inputs(tuple(metrics)), Outputs(folder)))
