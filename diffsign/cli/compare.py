"""``diffsign compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.compare import CompareSettings


@app.command()
@with_settings(CompareSettings)
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Folders of results or of metrics files, as PATH or NAME=PATH; of one alone the signers are compared.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for compare.csv, .md, .tex, .html, .png, .svg and .pdf.")] = Path(),
    settings: CompareSettings,
) -> None:
    """Compare runs in one table and plot: means, 95 % intervals over clips, best in bold, significance.

    For example: diffsign compare text=results/text image=results/image --out comparison
    """
    from diffsign.report.compare import Inputs, Outputs, run

    typer.echo(run(Inputs(tuple(runs)), Outputs(out), settings))
