"""The command ``diffsign select``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app


@app.command()
def select(
    folder: Annotated[Path, typer.Argument(help="Folder of a video's results, such as results/videos/demo.")],
    out: Annotated[Path, typer.Argument(help="Folder to write, with files of the same names.")],
    frame: Annotated[
        list[int] | None, typer.Option(help="Number of a frame, counted from 0; repeat it, in order; by default all.")
    ] = None,
    control: Annotated[list[str] | None, typer.Option(help="Control clip that is selected too; repeat it.")] = None,
) -> None:
    """Select some frames of a clip, with everything that was made from the whole clip."""
    from diffsign.config.select import SelectSettings
    from diffsign.config.settings import parse
    from diffsign.select.stage import Inputs, Outputs, run

    settings = parse(SelectSettings, {"frames": frame or []}, "diffsign select")
    typer.echo(run(Inputs(folder, tuple(control or ())), Outputs(out), settings))
