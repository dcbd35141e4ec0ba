"""The manifest of a model family: where every weight that a run needs is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from diffsign.config.family import PACKAGE, ControlName, Family, carried_folder
from diffsign.config.settings import Settings, parse
from diffsign.errors import DiffSignError
from diffsign.records.json_record import load_record, parse_json, save_record

FORMAT, VERSION = "diffsign-family", 2


class Located(Settings):
    """A folder or file of weights that was found and checked.

    What ships inside the package is where this installation has it, which need not be the one that wrote the manifest.
    """

    path: str = Field(description="Folder or file on this machine.")
    id: str = Field(description="Hub id or path that the family names.")
    commit: str | None = Field(default=None, description="Commit of the hub's repository.")
    bytes: int = Field(description="Size of its weights.")

    @model_validator(mode="before")
    @classmethod
    def _in_this_installation(cls, values: Any) -> Any:
        match values:
            case {"id": str(id), "path": str(path)} if id.startswith(PACKAGE):
                _, carried, inside = path.rpartition(f"/{id.removeprefix(PACKAGE)}")
                return {**values, "path": f"{carried_folder(id)}{inside}"} if carried else values
            case _:
                return values


class LocatedAdapter(Settings):
    """An IP-Adapter that was found and checked."""

    weights: Located = Field(description="The checkpoint.")
    image_encoder: Located = Field(description="The folder of its image encoder.")
    kind: Literal["plain", "plus", "full"] = Field(description="How it projects the image encoder's output.")


class Manifest(Settings):
    """Where the weights of a family are, and which family they make."""

    name: str
    architecture: Literal["sd", "sdxl"] = Field(description="Which pipeline of diffusers runs it.")
    family: Family
    base: Located
    vae: Located | None = None
    controlnets: dict[ControlName, Located] = Field(default_factory=dict[ControlName, Located])
    ip_adapter: LocatedAdapter | None = None
    loras: dict[str, Located] = Field(default_factory=dict[str, Located])
    motion_adapter: Located | None = None
    clip: Located | None = None
    untrained: bool = Field(
        default=False, description="The weights are a stand-in: random, or not trained far enough to be judged."
    )


def save_manifest(path: str | Path, manifest: Manifest) -> None:
    """Write a manifest as JSON (format ``diffsign-family``)."""
    save_record(path, FORMAT, VERSION, manifest.model_dump(mode="json"))


def load_manifest(path: str | Path) -> Manifest:
    """Read a manifest written by :func:`save_manifest`.

    Raises:
        DiffSignError: if it is no manifest, is newer than this code, or names weights that are gone.
    """
    values, _ = load_record(path, FORMAT, VERSION, "family manifest (from `diffsign fetch`)")
    manifest = parse(Manifest, values, f"family manifest '{path}'")
    for part in located(manifest):
        if not Path(part.path).exists():
            raise DiffSignError(
                f"family manifest '{path}': the weights '{part.id}' are no longer at '{part.path}'; "
                "remove the manifest and fetch the family again."
            )
    return manifest


def is_untrained(manifest: Manifest) -> bool:
    """Tell whether the family's own card (``diffsign.json`` in its folder) says that it was never trained."""
    card = Path(manifest.base.path) / "diffsign.json"
    if not card.is_file():
        return False
    try:
        return parse_json(card.read_text(encoding="utf-8")).get("trained") is False
    except (ValueError, AttributeError) as error:
        raise DiffSignError(f"the family's card '{card}' is not JSON with keys; write the family again.") from error


def located(manifest: Manifest) -> list[Located]:
    """Return every part that the manifest names."""
    parts = [manifest.base, *manifest.controlnets.values(), *manifest.loras.values()]
    parts += [part for part in (manifest.vae, manifest.motion_adapter, manifest.clip) if part is not None]
    if manifest.ip_adapter is not None:
        parts += [manifest.ip_adapter.weights, manifest.ip_adapter.image_encoder]
    return parts
