"""``diffsign shard``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app


class Part(StrEnum):
    """Half of a shard's work."""

    videos = "videos"
    signers = "signers"


@app.command()
def shard(
    part: Annotated[Part, typer.Argument(help="Make the avatars of the videos, or the signers and their metrics.")],
    status: Annotated[Path, typer.Argument(help="File to write when it is done (.json).")],
    snakefile: Annotated[Path, typer.Option(help="The workflow's Snakefile.")],
    config: Annotated[list[str], typer.Option(metavar="KEY=VALUE", help="Key of the config, as JSON; repeat it.")],
    repairs: Annotated[int, typer.Option(min=0, help="How often the shard was found incomplete.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Cores to use.")] = 1,
    memory: Annotated[int | None, typer.Option(min=1, metavar="MB", help="Memory that its jobs may ask for.")] = None,
    gpus: Annotated[int, typer.Option(min=0, help="Graphics cards that it has.")] = 0,
) -> None:
    """Make the clips of one shard of a large sheet; the workflow runs this."""
    from diffsign.workflow.shards import Inputs, Outputs, Resources, run

    inputs = Inputs(snakefile, tuple(config), part.value, repairs)
    typer.echo(run(inputs, Outputs(status), Resources(threads, memory, gpus)))
