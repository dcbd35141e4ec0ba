"""Commands on a video: ingest, detect, clean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.core.settings.ingest import IngestSettings


@app.command()
@with_settings(IngestSettings)
def ingest(
    source: Annotated[Path, typer.Argument(help="Video of a person signing, in any format ffmpeg reads.")],
    clip: Annotated[Path, typer.Argument(help="Clip to write (.mkv).")],
    *,
    settings: IngestSettings,
) -> None:
    """Bring a video to constant rate and size, without loss."""
