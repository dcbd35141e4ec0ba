"""``diffsign run``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.errors import DiffSignError


@app.command()
def run(
    videos: Annotated[
        list[Path] | None, typer.Argument(help="Videos of a person signing; none to run the project in FOLDER.")
    ] = None,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder of the project and its results.")] = Path(),
    text: Annotated[str | None, typer.Option(help="Who shall sign, in words.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="Picture of who shall sign; may be repeated.")] = None,
    family: Annotated[str | None, typer.Option(help="Model family: demo, sd15, sdxl; by default the config's.")] = None,
    cores: Annotated[int, typer.Option(min=1, help="Cores to use.")] = os.cpu_count() or 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be done.")] = False,
    show_snakefile: Annotated[bool, typer.Option("--show-snakefile", help="Print where the workflow is.")] = False,
) -> None:
    """Run the whole workflow: `diffsign run my.mp4 --text "a woman with a green shirt" -o out`.

    It makes a small project of the videos and one signer, and runs Snakemake on it. Ctrl-C stops it; the same command
    goes on. Without videos it runs the project in FOLDER (see `diffsign new`).
    """
    from diffsign.workflow import launch, layout

    if show_snakefile:
        typer.echo(layout.workflow_file())
        return
    if videos:
        layout.write_wish(folder, layout.Wish(tuple(videos), text, tuple(image or ()), family))
    elif text or image or family:
        raise DiffSignError("name the video that shall be signed anew: diffsign run my.mp4 --text ….")
    elif not (folder / layout.CONFIG_FILE).is_file():
        raise DiffSignError(
            f"'{folder}' is no project: it has no {layout.CONFIG_FILE}. Name a video, or try diffsign new."
        )
    status = launch.snakemake(folder, cores, ["--dry-run"] if dry_run else [])
    if dry_run and status == 0:
        typer.echo((folder / launch.LOG).read_text(encoding="utf-8"), nl=False)
        return
    typer.echo(launch.outcome(folder, status))
    if status:
        raise typer.Exit(status)
