"""Commands on the config: check a file, print all keys, print the schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.renamed import Commands

config_app = Commands(no_args_is_help=True, help="Check a config, or print every key that there is.")
app.add_typer(config_app, name="config")


@config_app.command()
def check(path: Annotated[Path, typer.Argument(help="Config file (YAML) to check, with its sheets.")]) -> None:
    """Check a config file and the sheets it names, and say what a run would do."""
    from diffsign.config.schema import load_signers, load_videos, read_config

    config = read_config(path)
    videos, signers = load_videos(config), load_signers(config)
    typer.echo(f"{path}: {len(videos)} video(s) × {len(signers)} signer(s) = {len(videos) * len(signers)} clip(s).")


@config_app.command()
def defaults() -> None:
    """Print every key with its default and what it does."""
    from diffsign.config.schema import defaults_text

    typer.echo(defaults_text(), nl=False)


@config_app.command()
def schema() -> None:
    """Print the JSON schema of the config, for editors."""
    from diffsign.config.schema import schema_text

    typer.echo(schema_text(), nl=False)
