"""The command that makes test signers: demo-signer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.synthetic import SyntheticSettings


@app.command("demo-signer")
@with_settings(SyntheticSettings)
def demo_signer(
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
    """Render a synthetic person who signs, with the truth of every joint and vertex."""
    from diffsign.synthetic.output import write_portrait, write_signer

    made = write_portrait(output, body, settings) if portrait else write_signer(output, body, settings, truth)
    said = " ".join(
        gloss for gloss, last in zip(made.glosses, ("", *made.glosses), strict=False) if gloss and gloss != last
    )
    logging.getLogger(__name__).info("%s: %s%s", output, made.caption, "" if portrait else f"; {said}")
