"""The command ``diffsign generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.generate import GenerateSettings


@app.command()
@with_settings(GenerateSettings)
def generate(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the model family (.json), from diffsign fetch.")],
    conditioning: Annotated[Path, typer.Argument(help="Who signs (.safetensors), from diffsign encode.")],
    out: Annotated[Path, typer.Argument(help="Clip to write (.mkv).")],
    pose: Annotated[Path | None, typer.Option(help="Skeleton clip, from diffsign control pose.")] = None,
    canny: Annotated[Path | None, typer.Option(help="Edge clip, from diffsign control canny.")] = None,
    depth: Annotated[Path | None, typer.Option(help="Depth clip, from diffsign control depth.")] = None,
    motion: Annotated[Path | None, typer.Option(help="Motion of the avatar (.npz), for mesh noise, details.")] = None,
    body: Annotated[Path | None, typer.Option(help="Body file (.npz) that the motion was fitted with.")] = None,
    mask: Annotated[Path | None, typer.Option(help="Mask of the avatar (.mkv), for a background or --region.")] = None,
    chunk: Annotated[str, typer.Option(metavar="I-of-N", help="Part of the clip to generate.")] = "1-of-1",
    preview: Annotated[Path | None, typer.Option(help="Also write an .mp4 to look at.")] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="JSON",
            help="Another clip to generate with the same networks, in memory once: out, and what differs, as in "
            '\'{"conditioning": "b.safetensors", "out": "b.mkv", "seed": 7}\'; may be repeated.',
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    *,
    settings: GenerateSettings,
) -> None:
    """Generate the signer's frames for a clip, or for one chunk of it.

    A frame has the same pixels whatever the chunk that it is generated in.
    """
    from diffsign.generate.generate import Inputs, Outputs, read_job, run_all

    inputs = Inputs(manifest, conditioning, pose, canny, depth, motion, body, mask, chunk)
    jobs = [(inputs, Outputs(out, preview), settings), *(read_job(text, inputs, settings) for text in also or ())]
    typer.echo(run_all(jobs, threads=threads))
