"""Resolve every part of a model family to a checked local file or folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from diffsign.config.family import ControlName, Family, Weights
from diffsign.config.generate import FetchSettings
from diffsign.errors import DiffSignError, nearest
from diffsign.models.locate import Finder, Missing, NotAtHand
from diffsign.models.match import (
    check_adapter,
    check_base,
    check_clip,
    check_controlnet,
    check_lora,
    check_motion_adapter,
    check_vae,
)
from diffsign.models.weights import DIFFUSERS_STEMS, TRANSFORMERS_STEMS, read_json, weight_names
from diffsign.records.manifest import Located, LocatedAdapter, Manifest

log = logging.getLogger(__name__)

Found = TypeVar("Found")

#: Folder inside the download to the names its weights may have.
_Networks = dict[str, tuple[str, ...]]


def _download(
    finder: Finder, weights: Weights, what: str, key: str, networks: _Networks, others: list[str]
) -> tuple[Path, str | None]:
    """Find a folder of networks, asking the hub for one naming of the weights after the other until all are there."""
    names = {folder: weight_names(stems, weights.variant) for folder, stems in networks.items()}

    def complete(root: Path) -> bool:
        return all(
            any((root / folder / name).exists() or (root / folder / f"{name}.index.json").exists() for name in choices)
            for folder, choices in names.items()
        )

    found: tuple[Path, str | None] | None = None
    for level in range(max(map(len, names.values()))):
        patterns = list(others)
        for folder, choices in names.items():
            start = f"{folder}/" if folder else ""
            name = choices[min(level, len(choices) - 1)]
            stem, _, suffix = name.rpartition(".")
            patterns += [f"{start}config.json", start + name, f"{start}{name}.index.json", f"{start}{stem}-*.{suffix}"]
        found = finder.folder(weights, what, key, patterns)
        if found[1] is None or complete(found[0]):
            break
    assert found is not None
    return found


def _sentence(name: str, missing: list[Missing], unreachable: str) -> str:
    reasons: dict[str, list[str]] = {}
    for part in missing:
        reasons.setdefault(part.reason, []).append(f"{part.what} '{part.id}'")
    gaps = "; ".join(f"{', '.join(parts)}: {reason}" for reason, parts in reasons.items())
    advice = f"set {', '.join(dict.fromkeys(part.key for part in missing))} in the config to local folders"
    if any(part.on_hub for part in missing):
        advice = f"run `diffsign fetch {name}` where there is a network and copy its cache (HF_HOME) here, or {advice}"
    blame = f" The hub: {unreachable}." if unreachable else ""
    return f"model family '{name}' is not complete. Missing are {gaps}. To mend it, {advice}.{blame}"


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
    finder = Finder()
    missing: list[Missing] = []
    where = f"families.{name}"

    def find(look: Callable[[], Found]) -> Found | None:
        try:
            return look()
        except NotAtHand as gap:
            missing.append(gap.missing)
            return None

    controls: list[ControlName] | None = settings.controls
    if controls is None:
        controls = [control for control, weights in family.controlnets.items() if weights.scale > 0]
    absent = [control for control in controls if control not in family.controlnets]
    if absent:
        raise DiffSignError(
            f"model family '{name}' has no ControlNet for {', '.join(absent)}; it has {', '.join(family.controlnets)}."
        )
    preset = settings.preset or family.preset
    if preset not in family.presets:
        raise DiffSignError(
            f"model family '{name}' has no preset '{preset}'{nearest(preset, family.presets)}; "
            f"it has {', '.join(family.presets)}."
        )

    base_networks: _Networks = {"unet": DIFFUSERS_STEMS, "text_encoder": TRANSFORMERS_STEMS}
    if family.vae is None:
        base_networks["vae"] = DIFFUSERS_STEMS
    others = ["model_index.json", "scheduler/*.json", "tokenizer*/*", "vae/config.json", "text_encoder_2/config.json"]
    others += [f"text_encoder_2/{name}" for name in weight_names(TRANSFORMERS_STEMS[:1], family.base.variant)[:1]]
    base_at = find(lambda: _download(finder, family.base, "the base model", f"{where}.base", base_networks, others))

    def network(weights: Weights, what: str, key: str, stems: tuple[str, ...], also: list[str] | None = None):
        return find(lambda: _download(finder, weights, what, f"{where}.{key}", {"": stems}, also or []))

    vae_at = network(family.vae, "the VAE", "vae", DIFFUSERS_STEMS) if family.vae else None
    nets_at = {
        control: network(
            family.controlnets[control], f"the ControlNet for {control}", f"controlnets.{control}", DIFFUSERS_STEMS
        )
        for control in controls
    }
    adapter = family.ip_adapter if settings.ip_adapter else None
    adapter_at = encoder_at = None
    if adapter is not None:
        adapter_at = find(lambda: finder.file(adapter, f"the IP-Adapter {adapter.file} of", f"{where}.ip_adapter"))
        encoder_at = network(
            adapter.image_encoder,
            "the image encoder",
            "ip_adapter.image_encoder",
            TRANSFORMERS_STEMS,
            ["preprocessor_config.json"],
        )
    for lora in settings.loras:
        if lora not in family.loras:
            has = f"it has {', '.join(family.loras)}" if family.loras else "it has none"
            raise DiffSignError(f"model family '{name}' has no LoRA '{lora}'{nearest(lora, family.loras)}; {has}.")
    wanted = [own] if (own := family.presets[preset].lora) is not None else []
    loras_at = {
        lora: find(lambda lora=lora: finder.file(family.loras[lora], f"the LoRA '{lora}'", f"{where}.loras.{lora}"))
        for lora in dict.fromkeys([*wanted, *settings.loras])
    }
    motion_at = None
    if settings.motion_adapter:
        if family.motion_adapter is None:
            raise DiffSignError(
                f"model family '{name}' has no motion_adapter, which temporal: animatediff needs; "
                f"set {where}.motion_adapter, or choose another temporal mode."
            )
        motion_at = network(family.motion_adapter, "the motion module", "motion_adapter", DIFFUSERS_STEMS)
    clip_at = None
    if settings.clip and family.clip is not None:
        clip_at = network(family.clip, "the CLIP that judges", "clip", TRANSFORMERS_STEMS, ["*.json", "*.txt"])
    if missing:
        raise DiffSignError(_sentence(name, missing, finder.unreachable))
    assert base_at is not None

    base, base_size = check_base(base_at[0], family.base.variant, own_vae=family.vae is None)

    def located(at: tuple[Path, str | None], weights_id: str, size: int) -> Located:
        return Located(path=str(at[0]), id=weights_id, commit=at[1], bytes=size)

    found_adapter = None
    if adapter is not None and adapter_at is not None and encoder_at is not None:
        kind, adapter_size, encoder_size = check_adapter(
            adapter_at[0], encoder_at[0], adapter.image_encoder.variant, base
        )
        found_adapter = LocatedAdapter(
            weights=located(adapter_at, adapter.id, adapter_size),
            image_encoder=located(encoder_at, adapter.image_encoder.id, encoder_size),
            kind=kind,
        )
    nets: dict[ControlName, Located] = {}
    for control in controls:
        at, weights = nets_at[control], family.controlnets[control]
        if at is not None:
            nets[control] = located(at, weights.id, check_controlnet(at[0], control, weights.variant, base))
    vae = None
    if family.vae is not None and vae_at is not None:
        size = check_vae(vae_at[0], family.vae.variant, base, base_at[0] / "vae")
        vae = located(vae_at, family.vae.id, size)
    loras = {
        lora: located(at, family.loras[lora].id, check_lora(at[0], lora, base))
        for lora, at in loras_at.items()
        if at is not None
    }
    motion_adapter = None
    if motion_at is not None and family.motion_adapter is not None:
        size = check_motion_adapter(motion_at[0], family.motion_adapter.variant, base)
        motion_adapter = located(motion_at, family.motion_adapter.id, size)
    clip = None
    if clip_at is not None and family.clip is not None:
        clip = located(clip_at, family.clip.id, check_clip(clip_at[0], family.clip.variant))
    card = base_at[0] / "diffsign.json"
    untrained = card.exists() and read_json(card, "card of the family").get("trained") is False
    if untrained:
        log.warning("Family '%s' is a stand-in: everything runs, but it is not trained far enough to be judged.", name)
    return Manifest(
        name=name,
        untrained=untrained,
        architecture=base.architecture,
        family=family,
        base=located(base_at, family.base.id, base_size),
        vae=vae,
        controlnets=nets,
        ip_adapter=found_adapter,
        loras=loras,
        motion_adapter=motion_adapter,
        clip=clip,
    )
