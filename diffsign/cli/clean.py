"""``diffsign clean``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.clean import CleanSettings


@app.command()
@with_settings(CleanSettings)
def clean(
    keypoints: Annotated[Path, typer.Argument(help="Keypoints as detected (.npz).")],
    cleaned: Annotated[Path, typer.Argument(help="Keypoints to write (.npz).")],
    *,
    settings: CleanSettings,
) -> None:
    """Undo swaps of left and right, take out outliers, fill short gaps, smooth."""
    from diffsign.clean.stage import Inputs, Outputs, run

    typer.echo(run(Inputs(keypoints), Outputs(cleaned), settings))
