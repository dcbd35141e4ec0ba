"""The command ``diffsign encode``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.generate import EncodeSettings


@app.command()
@with_settings(EncodeSettings)
def encode(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the model family (.json), from diffsign fetch.")],
    out: Annotated[Path, typer.Argument(help="Conditioning to write (.safetensors).")],
    image: Annotated[list[Path] | None, typer.Option(help="Reference picture of the signer; may be repeated.")] = None,
    text: Annotated[str | None, typer.Option(help="The signer in words: the prompt.")] = None,
    negative: Annotated[str | None, typer.Option(help="Negative prompt; by default the family's.")] = None,
    lora: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE[:SCALE]",
            help="LoRA of the manifest, or a file (from diffsign personalize, for example); may be repeated.",
        ),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="all|signer|background",
            help="Region mask of a picture, once for each --image in their order; by default all.",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    *,
    settings: EncodeSettings,
) -> None:
    """Encode who signs: by pictures, by words, or by both."""
    from diffsign.generate.encode import Inputs, Outputs, run

    inputs = Inputs(manifest, tuple(image or ()), text, negative, tuple(lora or ()), tuple(region or ()))
    typer.echo(run(inputs, Outputs(out), settings, threads=threads))
