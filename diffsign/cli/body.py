"""Commands on the body model: build, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app

body_app = typer.Typer(no_args_is_help=True, help="Build the default body file and measure it.")
app.add_typer(body_app, name="body")


@body_app.command()
def build(
    out: Annotated[Path, typer.Argument(help="Body file to write (.npz, in the format of SMPL-X).")],
) -> None:
    """Make the default body file, in the format of SMPL-X, from Anny (about a minute)."""
    from diffsign.body.build import write_body

    write_body(out)
