"""``diffsign evaluate``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.evaluate import EvaluateSettings


@app.command()
@with_settings(EvaluateSettings)
def evaluate(
    result: Annotated[Path, typer.Argument(help="Clip of the synthetic signer (.mkv).")],
    metrics: Annotated[Path, typer.Argument(help="Metrics to write (.json).")],
    *,
    source: Annotated[Path, typer.Option(help="Clip of the person signing.")],
    avatar: Annotated[Path, typer.Option(help="Colour pass of the avatar's rendering.")],
    mask: Annotated[Path, typer.Option(help="Mask pass of the avatar's rendering.")],
    source_keypoints: Annotated[Path, typer.Option(help="Keypoints detected on the source.")],
    avatar_keypoints: Annotated[Path, typer.Option(help="Keypoints detected on the rendering.")],
    result_keypoints: Annotated[Path, typer.Option(help="Keypoints detected on the result.")],
    family: Annotated[Path, typer.Option(help="Manifest of the model family, from `diffsign fetch`.")],
    source_text: Annotated[str, typer.Option(help="The source in words.")] = "a person signing",
    signer_text: Annotated[str | None, typer.Option(help="The signer in words.")] = None,
    translation: Annotated[
        str | None, typer.Option(help="What is signed, in words of a spoken language; for back-translation.")
    ] = None,
    reference: Annotated[list[Path] | None, typer.Option(help="Picture of the signer; may be repeated.")] = None,
    video: Annotated[str, typer.Option(help="Name of the video in tables.")] = "video",
    signer: Annotated[str, typer.Option(help="Name of the signer in tables.")] = "signer",
    skeleton: Annotated[
        bool, typer.Option("--skeleton", help="The source is no film but a clip of its skeleton (.pose file, text).")
    ] = False,
    moments: Annotated[
        Path | None, typer.Option(help="Picture of the worst moments to write (.jpg); empty if nothing breaks.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; by default as many as there are cores.")] = None,
    settings: EvaluateSettings,
) -> None:
    """Measure a result: is the signing still there, the picture steady, the signer the one asked for?"""
    from diffsign.evaluate.stage import Inputs, Outputs, run

    inputs = Inputs(
        result=result,
        source=source,
        avatar=avatar,
        mask=mask,
        source_keypoints=source_keypoints,
        avatar_keypoints=avatar_keypoints,
        result_keypoints=result_keypoints,
        family=family,
        source_text=source_text,
        signer_text=signer_text or None,
        translation=translation or None,
        references=tuple(reference or ()),
        video=video,
        signer=signer,
        skeleton=skeleton,
    )
    typer.echo(run(inputs, Outputs(metrics, moments), settings, threads=threads or os.cpu_count() or 1))
