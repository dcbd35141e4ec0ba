"""The stage ``fetch``: every part of a model family as a checked local file or folder."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffsign.config.family import ControlName, Family, family_named, resolve_families
from diffsign.config.generate import FetchSettings
from diffsign.errors import DiffSignError, nearest
from diffsign.files import require_file
from diffsign.models.locate import Location
from diffsign.models.match import (
    Base,
    check_adapter,
    check_base,
    check_clip,
    check_controlnet,
    check_lora,
    check_motion_adapter,
    check_vae,
)
from diffsign.models.parts import Locations, PartFinder, Request, locate_parts
from diffsign.records.manifest import Located, LocatedAdapter, Manifest, is_untrained, located, save_manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """What is fetched.

    Attributes:
        family: name of the model family.
        definition: the family's entry, laid over the built-in one: JSON, or the path of a YAML file that holds the
            entry or a whole config.
    """

    family: str
    definition: str | None = None


@dataclass(frozen=True)
class Outputs:
    """What is written."""

    manifest: Path


def run(inputs: Inputs, outputs: Outputs, settings: FetchSettings, *, threads: int = 1) -> str:
    """Find or download a family's weights, check them, and write the manifest. ``threads`` has no effect.

    Raises:
        DiffSignError: as :func:`fetch_family`, or if the definition cannot be read.
    """
    entry = read_definition(inputs.definition, inputs.family) if inputs.definition else None
    families = resolve_families({inputs.family: entry} if entry is not None else None)
    manifest = fetch_family(inputs.family, family_named(inputs.family, families), settings)
    save_manifest(outputs.manifest, manifest)
    parts = located(manifest)
    return f"{outputs.manifest}: {len(parts)} parts, {sum(part.bytes for part in parts) / 1e9:.2f} GB."


def read_definition(text: str, name: str) -> dict[str, Any]:
    """Return a family's entry, given as JSON or as the path of a YAML file with the entry or a whole config."""
    import yaml

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


def fetch_family(name: str, family: Family, settings: FetchSettings) -> Manifest:
    """Find every part that ``settings`` asks for, and see that each is whole and that they fit together.

    Args:
        name: of the family, for messages.
        family: what it is made of.
        settings: which parts are needed.

    Raises:
        DiffSignError: naming all parts that are missing, where to get them and where to put them; or the
            first part that is damaged or belongs to another model.
    """
    request = requested_parts(name, family, settings)
    finder = PartFinder(name)
    locations = locate_parts(finder, family, request)
    if finder.missing:
        raise DiffSignError(finder.describe_missing())
    manifest = check_parts(name, family, locations)
    if manifest.untrained:
        log.warning("Family '%s' is a stand-in: everything runs, but it is not trained far enough to be judged.", name)
    return manifest


def requested_parts(name: str, family: Family, settings: FetchSettings) -> Request:
    """Return the parts that settings ask for.

    Raises:
        DiffSignError: if the family has no such control, preset, LoRA or motion module.
    """
    controls: list[ControlName] | None = settings.controls
    if controls is None:
        controls = [control for control, weights in family.controlnets.items() if weights.scale > 0]
    unknown = [control for control in controls if control not in family.controlnets]
    if unknown:
        raise DiffSignError(
            f"model family '{name}' has no ControlNet for {', '.join(unknown)}; it has {', '.join(family.controlnets)}."
        )
    preset = settings.preset or family.preset
    if preset not in family.presets:
        raise DiffSignError(
            f"model family '{name}' has no preset '{preset}'{nearest(preset, family.presets)}; "
            f"it has {', '.join(family.presets)}."
        )
    for lora in settings.loras:
        if lora not in family.loras:
            has = f"it has {', '.join(family.loras)}" if family.loras else "it has none"
            raise DiffSignError(f"model family '{name}' has no LoRA '{lora}'{nearest(lora, family.loras)}; {has}.")
    if settings.motion_adapter and family.motion_adapter is None:
        raise DiffSignError(
            f"model family '{name}' has no motion_adapter, which temporal: animatediff needs; "
            f"set families.{name}.motion_adapter, or choose another temporal mode."
        )
    with_preset = family.presets[preset].lora
    return Request(
        controls=tuple(controls),
        loras=tuple(dict.fromkeys([*([with_preset] if with_preset is not None else []), *settings.loras])),
        ip_adapter=settings.ip_adapter,
        motion_adapter=settings.motion_adapter,
        clip=settings.clip,
    )


def _located(location: Location, weights_id: str, size: int) -> Located:
    return Located(path=str(location.path), id=weights_id, commit=location.commit, bytes=size)


def check_parts(name: str, family: Family, locations: Locations) -> Manifest:
    """Check that every part is whole and fits the base model; return the manifest.

    Raises:
        DiffSignError: naming the first part that is damaged or belongs to another model.
    """
    assert locations.base is not None
    base, base_size = check_base(locations.base.path, family.base.variant, with_vae=family.vae is None)
    vae = motion_adapter = clip = None
    ip_adapter = _checked_adapter(family, locations, base)
    controlnets: dict[ControlName, Located] = {
        control: _located(
            at,
            family.controlnets[control].id,
            check_controlnet(at.path, control, family.controlnets[control].variant, base),
        )
        for control, at in locations.controlnets.items()
    }
    if family.vae is not None and locations.vae is not None:
        size = check_vae(locations.vae.path, family.vae.variant, base, locations.base.path / "vae")
        vae = _located(locations.vae, family.vae.id, size)
    loras = {
        lora: _located(at, family.loras[lora].id, check_lora(at.path, lora, base))
        for lora, at in locations.loras.items()
    }
    if family.motion_adapter is not None and locations.motion_adapter is not None:
        size = check_motion_adapter(locations.motion_adapter.path, family.motion_adapter.variant, base)
        motion_adapter = _located(locations.motion_adapter, family.motion_adapter.id, size)
    if family.clip is not None and locations.clip is not None:
        clip = _located(locations.clip, family.clip.id, check_clip(locations.clip.path, family.clip.variant))
    manifest = Manifest(
        name=name,
        architecture=base.architecture,
        family=family,
        base=_located(locations.base, family.base.id, base_size),
        vae=vae,
        controlnets=controlnets,
        ip_adapter=ip_adapter,
        loras=loras,
        motion_adapter=motion_adapter,
        clip=clip,
    )
    return manifest.model_copy(update={"untrained": is_untrained(manifest)})


def _checked_adapter(family: Family, locations: Locations, base: Base) -> LocatedAdapter | None:
    adapter, file, encoder = family.ip_adapter, locations.ip_adapter, locations.image_encoder
    if adapter is None or file is None or encoder is None:
        return None
    kind, size, encoder_size = check_adapter(file.path, encoder.path, adapter.image_encoder.variant, base)
    return LocatedAdapter(
        weights=_located(file, adapter.id, size),
        image_encoder=_located(encoder, adapter.image_encoder.id, encoder_size),
        kind=kind,
    )
