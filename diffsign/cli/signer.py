"""Commands for a synthetic signer: fetch the weights, encode who signs, generate, join."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.core.settings.generate import FetchSettings


def _definition(text: str, name: str) -> dict[str, Any]:
    """Return a family's entry: JSON as it is, or the path of a YAML file with the entry or a whole config."""
    import yaml

    from diffsign.core.errors import DiffSignError
    from diffsign.core.files import require_file

    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        path = require_file(text, "family definition (JSON, or a YAML file)")
        try:
            value = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise DiffSignError(f"family definition '{path}' is not YAML: {' '.join(str(error).split())}.") from error
        if isinstance(value, dict) and "families" in value:
            value = (value["families"] or {}).get(name, {})
    if not isinstance(value, dict):
        raise DiffSignError(f"the definition of family '{name}' must hold keys and values, not {type(value).__name__}.")
    return value


@app.command()
@with_settings(FetchSettings)
def fetch(
    family: Annotated[str, typer.Argument(help="Model family: demo, sd15, sdxl, or one that --definition gives.")],
    out: Annotated[Path, typer.Argument(help="Manifest to write (.json).")],
    definition: Annotated[
        str | None,
        typer.Option(
            help="The family's entry, laid over the built-in one: JSON, or a YAML file (an entry or a config)."
        ),
    ] = None,
    *,
    settings: FetchSettings,
) -> None:
    """Find (or download) every weight of a model family and check that the parts fit together.

    Honours HF_HOME and HF_HUB_OFFLINE; nothing else of DiffSign uses a network.
    """
    from diffsign.core.manifest import located, save_manifest
    from diffsign.core.settings.family import family_named, resolve_families
    from diffsign.generate.fetch import fetch_family

    families = resolve_families({family: _definition(definition, family)} if definition else None)
    manifest = fetch_family(family, family_named(family, families), settings)
    save_manifest(out, manifest)
    parts = located(manifest)
    typer.echo(f"{out}: {len(parts)} parts, {sum(part.bytes for part in parts) / 1e9:.2f} GB.")
