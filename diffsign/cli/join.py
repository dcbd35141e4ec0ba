"""The command ``diffsign join``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app


@app.command()
def join(
    chunks: Annotated[list[Path], typer.Argument(help="Chunks, named 1-of-N.mkv to N-of-N.mkv, in any order.")],
    out: Annotated[Path, typer.Argument(help="Clip to write (.mkv).")],
    source: Annotated[Path, typer.Option(help="The source clip, whose frames are counted.")],
    audio: Annotated[Path | None, typer.Option(help="Sound to put back on the preview, if the file holds any.")] = None,
    preview: Annotated[Path | None, typer.Option(help="Also write an .mp4 to look at, with the sound.")] = None,
) -> None:
    """Join the chunks of a clip and put the sound back."""
    from diffsign.generate.join import Inputs, Outputs, run

    typer.echo(run(Inputs(tuple(chunks), source, audio), Outputs(out, preview)))
