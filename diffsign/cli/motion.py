"""Commands on motion: fit, smooth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.core.errors import DiffSignError
from diffsign.core.settings.fit import FitSettings
from diffsign.core.settings.smooth import SmoothSettings

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

    from diffsign.core.body import load_body
    from diffsign.core.keypoints import load_keypoints
    from diffsign.core.motion import save_motion
    from diffsign.fit import fit_motion
    from diffsign.fit.points import reduced

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
    from diffsign.core.body import load_body
    from diffsign.core.motion import load_motion, save_motion
    from diffsign.smooth import smooth_motion

    fitted = load_motion(motion)
    if fitted.body != load_body(body).sha256:
        raise DiffSignError(
            f"'{motion}' was fitted with another body file than '{body}'; "
            "give the one it was fitted with, or fit again."
        )
    smoothed, report = smooth_motion(fitted, settings)
    save_motion(out, smoothed)
    typer.echo(report.summary())
