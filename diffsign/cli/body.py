"""Commands on the body model: build, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.renamed import Commands

body_app = Commands(no_args_is_help=True, help="Build the default body file and measure it.")
app.add_typer(body_app, name="body")


@body_app.command()
def build(
    out: Annotated[Path, typer.Argument(help="Body file to write (.npz, in the format of SMPL-X).")],
    rebuild: Annotated[
        bool,
        typer.Option(help="Build it from Anny (about a minute) instead of copying the one that ships."),
    ] = False,
) -> None:
    """Write the default body file, in the format of SMPL-X, made from Anny."""
    if rebuild:
        from diffsign.body.build import write_body

        write_body(out)
    else:
        from diffsign.body.shipped import copy_shipped

        copy_shipped(out)


@body_app.command()
def check(
    body: Annotated[Path, typer.Argument(help="Body file that `diffsign body build` wrote.")],
    frames: Annotated[int, typer.Option(help="Random poses of each kind and person.", min=1)] = 12,
) -> None:
    """Measure a body file against Anny and print every measurement with its limit; fail if one is missed."""
    from rich.console import Console
    from rich.table import Table

    from diffsign.body.check import check_body
    from diffsign.progress import track

    measurements = list(track(check_body(body, frames), "measuring"))
    table = Table("measurement", "value", "limit", "")
    for measurement in measurements:
        limit = f"at most {measurement.most:g}" if measurement.most is not None else ""
        limit = f"at least {measurement.least:g}" if measurement.least is not None else limit
        table.add_row(
            measurement.name,
            f"{measurement.value:.5g} {measurement.unit}",
            limit,
            "ok" if measurement.passed else "[red]missed",
        )
    Console().print(table)
    if not all(measurement.passed for measurement in measurements):
        raise typer.Exit(1)
