"""Commands on motion: fit, smooth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.fit import FitSettings
from diffsign.config.smooth import SmoothSettings
from diffsign.errors import DiffSignError

Body = Annotated[Path, typer.Option("--body", help="SMPL-X body file (.npz), e.g. from `diffsign body build`.")]
Threads = Annotated[int, typer.Option("--threads", min=1, max=256, help="Threads of the linear algebra.")]


@app.command()
@with_settings(FitSettings)
def fit(
    keypoints: Annotated[Path, typer.Argument(help="Keypoints to fit (.npz), cleaned ones best.")],
    out: Annotated[Path, typer.Argument(help="Motion to write (.npz).")],
    *,
    body: Body,
    threads: Threads = 1,
    settings: FitSettings,
) -> None:
    """Fit SMPL-X to the keypoints of a clip: one shape, one camera, a pose a frame."""
    import torch
    from threadpoolctl import threadpool_limits

    from diffsign.body.model import load_body
    from diffsign.fit.points import reduced
    from diffsign.fit.stage import fit_motion
    from diffsign.records.keypoints import load_keypoints
    from diffsign.records.motion import save_motion

    seen = load_keypoints(keypoints)
    loaded = load_body(body)
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        motion, report = fit_motion(seen, reduced(loaded), settings, loaded.sha256)
    save_motion(out, motion)
    typer.echo(report.summary())


@app.command()
@with_settings(SmoothSettings)
def smooth(
    motion: Annotated[Path, typer.Argument(help="Fitted motion (.npz).")],
    out: Annotated[Path, typer.Argument(help="Motion to write (.npz).")],
    *,
    body: Body,
    settings: SmoothSettings,
) -> None:
    """Filter a motion in time, on rotations; flag and bridge frames that fit badly."""
    from diffsign.body.model import load_body
    from diffsign.records.motion import load_motion, save_motion
    from diffsign.smooth.stage import smooth_motion

    fitted = load_motion(motion)
    if fitted.body != load_body(body).sha256:
        raise DiffSignError(
            f"'{motion}' was fitted with another body file than '{body}'; "
            "give the one it was fitted with, or fit again."
        )
    smoothed, report = smooth_motion(fitted, settings)
    save_motion(out, smoothed)
    typer.echo(report.summary())
