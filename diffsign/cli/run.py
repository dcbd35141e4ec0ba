"""``diffsign run``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.errors import DiffSignError
from diffsign.files import cache_folder, require_writable


@app.command()
def run(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Videos of a person signing; also .pose files, and SMPL-X parameters (.npz). None: run the project in "
            "the folder.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the project and its results; by default one named after the first source, or, without a "
            "source, this folder.",
        ),
    ] = None,
    text: Annotated[str | None, typer.Option(help="Who shall sign, in words.")] = None,
    image: Annotated[
        list[Path] | None, typer.Option(metavar="PICTURE", help="Picture of who shall sign; may be repeated.")
    ] = None,
    say: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A word or a name to fingerspell, in place of a video; may be repeated."),
    ] = None,
    start: Annotated[float | None, typer.Option(help="Seconds into the video where to begin.")] = None,
    end: Annotated[float | None, typer.Option(help="Seconds into the video where to end.")] = None,
    consent: Annotated[
        str | None,
        typer.Option(help="If the picture shows a real person: by whose leave it is used. Travels with the film."),
    ] = None,
    family: Annotated[str | None, typer.Option(help="Model family: demo, sd15, sdxl; by default the config's.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting of the config, such as generate.steps=8; may be repeated. All of them: diffsign config "
            "defaults.",
        ),
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Cores to use.")] = os.cpu_count() or 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be done.")] = False,
    show_snakefile: Annotated[bool, typer.Option("--show-snakefile", help="Print where the workflow is.")] = False,
) -> None:
    """Make everything in one go: a video in, a synthetic signer out.

    diffsign run talk.mp4 --text "a woman in a green shirt" -o out

    diffsign run --say hello --text "a woman in a green shirt" -o hello

    It makes a small project in the folder (config and two sheets) and runs the workflow on it. Ctrl-C stops it, and the
    same command goes on from there. For several signers, lay out a project with `diffsign new FOLDER`, fill in its
    sheets, and run it with `diffsign run -o FOLDER`.
    """
    from diffsign.workflow import launch, layout, wish

    if show_snakefile:
        typer.echo(layout.workflow_file())
        return
    for cache in (cache_folder(), cache_folder().with_name("snakemake")):
        require_writable(cache, "set XDG_CACHE_HOME to a folder that can be")
    if sources or say:
        wanted = wish.Wish(
            sources=tuple(sources or ()),
            say=tuple(say or ()),
            start=start,
            end=end,
            text=text,
            images=tuple(image or ()),
            family=family,
            consent=consent,
            settings=tuple(settings or ()),
        )
        folder = folder or wish.default_folder(wanted)
        wish.write_wish(folder, wanted)
    elif text or image or family or consent or settings:
        raise DiffSignError(f"name what shall be signed: diffsign run talk.mp4 --text '{wish.EXAMPLE}'.")
    folder = folder or Path()
    if not (folder / layout.CONFIG_FILE).is_file():
        raise DiffSignError(
            f"'{folder}' is no project: it has no {layout.CONFIG_FILE}. Name a video, or lay out a project with "
            "diffsign new."
        )
    status = launch.snakemake(folder, cores, ["--dry-run"] if dry_run else [])
    if dry_run and status == 0:
        typer.echo((folder / launch.LOG).read_text(encoding="utf-8"), nl=False)
        return
    typer.echo(launch.outcome(folder, status))
    if status:
        raise typer.Exit(status)
