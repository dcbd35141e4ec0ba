"""The command ``fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.fit import FitSettings


@app.command()
@with_settings(FitSettings)
def fit(
    keypoints: Annotated[Path, typer.Argument(help="Keypoints to fit (.npz), cleaned ones best.")],
    out: Annotated[Path, typer.Argument(help="Motion to write (.npz).")],
    *,
    body: Annotated[Path, typer.Option(help="SMPL-X body file (.npz), e.g. from `diffsign body build`.")],
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of the linear algebra.")] = 1,
    settings: FitSettings,
) -> None:
    """Fit SMPL-X to the keypoints of a clip: one shape, one camera, a pose a frame."""
    from diffsign.fit.stage import Inputs, Outputs, run

    typer.echo(run(Inputs(keypoints, body), Outputs(out), settings, threads=threads))
