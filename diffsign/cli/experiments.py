"""The command ``diffsign experiments``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app


@app.command()
def experiments(
    tables: Annotated[list[Path], typer.Argument(help="tables/clips.csv of every run.")],
    out: Annotated[Path, typer.Argument(help="Table to write (.csv).")],
    markdown: Annotated[Path | None, typer.Option(help="The same as a Markdown table.")] = None,
) -> None:
    """Put the results of several runs into one table: a row for each experiment and signer."""
    from diffsign.experiments.stage import Inputs, Outputs, run

    typer.echo(run(Inputs(tuple(tables)), Outputs(out, markdown)))
