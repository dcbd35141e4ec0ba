"""The command that makes test signers: synthetic-signer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.synthetic import SyntheticSettings


@app.command("synthetic-signer")
@with_settings(SyntheticSettings)
def synthetic_signer(
    output: Annotated[
        Path, typer.Argument(help="Clip to write (.mp4, or .mkv without loss); with --portrait a picture (.jpg, .png).")
    ],
    truth: Annotated[
        Path | None, typer.Option(help="Truth to write (.npz); by default beside the clip.", show_default=False)
    ] = None,
    body: Annotated[Path, typer.Option(help="Body file, as `diffsign body build` writes it.")] = Path(
        "resources/body/body.npz"
    ),
    portrait: Annotated[bool, typer.Option("--portrait", help="One picture of the person, and no truth.")] = False,
    *,
    settings: SyntheticSettings,
) -> None:
    """Render a synthetic person who signs, with the truth of every joint and vertex.

    To measure on what real videos are like: --preset fast, webcam, seated, gif, touching or turn-taking.
    """
    from diffsign.synthetic.stage import Inputs, Outputs, run

    outputs = Outputs(portrait=output) if portrait else Outputs(output, truth)
    typer.echo(run(Inputs(body), outputs, settings, threads=settings.threads), err=True)
