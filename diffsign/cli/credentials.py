"""Commands for where a film comes from: mark, inspect, certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.credentials import CredentialsSettings


@app.command()
@with_settings(CredentialsSettings)
def mark(
    clip: Annotated[Path, typer.Argument(help="Frames of the signer (.mkv), from diffsign join.")],
    film: Annotated[Path, typer.Argument(help="Film to write: .mp4, or transparent .mov or .webm.")],
    manifest: Annotated[Path, typer.Option(help="Manifest of the model family (.json).")],
    conditioning: Annotated[Path, typer.Option(help="Who signs (.safetensors).")],
    audio: Annotated[Path | None, typer.Option(help="Sound to put beside the frames.")] = None,
    motion: Annotated[Path | None, typer.Option(help="The motion that is signed (.npz); its hash is stated.")] = None,
    video: Annotated[str, typer.Option(help="Id of the source.")] = "video",
    signer: Annotated[str, typer.Option(help="Id of the signer.")] = "signer",
    consent: Annotated[str | None, typer.Option(help="By whose leave a person's picture was used.")] = None,
    generation: Annotated[str, typer.Option(metavar="JSON", help="Settings of the generation.")] = "{}",
    subtitles: Annotated[Path | None, typer.Option(help="Subtitles to put beside the frames.")] = None,
    composite: Annotated[bool, typer.Option("--composite", help="The frames show recorded pictures too.")] = False,
    *,
    settings: CredentialsSettings,
) -> None:
    """Write a result's film: sound, a notice that it is synthetic, and signed content credentials (C2PA)."""
    from diffsign.credentials.mark import Inputs, Outputs, run

    chain, key = (Path(path) if path is not None else None for path in (settings.certificate, settings.key))
    inputs = Inputs(
        clip,
        manifest,
        conditioning,
        audio,
        motion,
        chain,
        key,
        video,
        signer,
        consent,
        json.loads(generation),
        subtitles,
        composite,
    )
    typer.echo(run(inputs, Outputs(film), settings))


@app.command()
def inspect(
    film: Annotated[Path, typer.Argument(help="Film to look into.")],
    trusted: Annotated[
        Path | None, typer.Option(help="Certificates (PEM) that you trust, such as a project's own.")
    ] = None,
) -> None:
    """Print what made a film and from what, and verify that it is unchanged; ends with status 1 if it is not."""
    from diffsign.credentials.inspect import Inputs, Outputs, run

    typer.echo(run(Inputs(film, trusted), Outputs()))


@app.command()
def certificate(
    out: Annotated[Path, typer.Argument(help="Certificate to write (.pem).")],
    key: Annotated[Path, typer.Argument(help="Its private key to write (.pem).")],
    organisation: Annotated[
        str, typer.Option(help="Name that the certificate bears.")
    ] = "DiffSign project (self-made certificate)",
) -> None:
    """Make a certificate of your own: films signed with it are seen to be unchanged, not who made them."""
    from diffsign.credentials.certificate import Inputs, Outputs, run

    typer.echo(run(Inputs(organisation), Outputs(out, key)))
