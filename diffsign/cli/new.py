"""``diffsign new``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app


@app.command()
def new(folder: Annotated[Path, typer.Argument(help="Folder to make.")]) -> None:
    """Lay out a project: config, sheets of videos and signers, a README that says what to do."""
    from diffsign.workflow.layout import SIGNERS_FILE, VIDEOS_FILE, new_project

    for path in new_project(folder):
        typer.echo(path)
    typer.echo(f"Give each video a row in {folder / VIDEOS_FILE}, each signer one in {folder / SIGNERS_FILE}. Then:")
    typer.echo(f"diffsign run -o {shlex.quote(str(folder))}")
