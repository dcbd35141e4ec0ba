"""The command ``diffsign fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.generate import FetchSettings


@app.command()
@with_settings(FetchSettings)
def fetch(
    family: Annotated[str, typer.Argument(help="Model family: demo, sd15, sdxl, or one that --definition gives.")],
    out: Annotated[Path, typer.Argument(help="Manifest to write (.json).")],
    definition: Annotated[
        str | None,
        typer.Option(
            help="The family's entry, laid over the built-in one: JSON, or a YAML file (an entry or a config)."
        ),
    ] = None,
    *,
    settings: FetchSettings,
) -> None:
    """Find (or download) every weight of a model family and check that the parts fit together.

    Honours HF_HOME and HF_HUB_OFFLINE; nothing else of DiffSign uses a network.
    """
    from diffsign.fetch.stage import Inputs, Outputs, run

    typer.echo(run(Inputs(family, definition), Outputs(out), settings))
