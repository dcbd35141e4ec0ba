"""The command ``encode``: a signer given by words, by pictures, or by both, as embeddings."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from diffsign.config.family import Completion
from diffsign.config.generate import EncodeSettings
from diffsign.config.sheets import Region
from diffsign.errors import DiffSignError
from diffsign.models.device import best_device, use_threads
from diffsign.models.encoders import encode_pictures, encode_prompt
from diffsign.models.lora import find_loras
from diffsign.models.networks import quiet_libraries
from diffsign.models.pictures import read_reference
from diffsign.records.conditioning import Conditioning, save_conditioning
from diffsign.records.manifest import Manifest, load_manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """Who signs.

    Attributes:
        manifest: of the model family.
        images: reference pictures; all of them are attended to.
        text: the prompt, or None for the family's.
        negative: the negative prompt, or None for the family's.
        loras: names of the manifest's LoRAs, or files, with ``:scale`` behind if not at their default scale.
        regions: the region mask of each picture: ``all``, ``signer`` or ``background``; by default all.
    """

    manifest: Path
    images: tuple[Path, ...] = ()
    text: str | None = None
    negative: str | None = None
    loras: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """What is written."""

    conditioning: Path


def run(inputs: Inputs, outputs: Outputs, settings: EncodeSettings, *, threads: int | None = None) -> str:
    """Encode a signer and write the conditioning.

    Raises:
        DiffSignError: as :func:`encode_signer`.
    """
    use_threads(threads)
    signer = encode_signer(
        load_manifest(inputs.manifest),
        inputs.images,
        inputs.text,
        inputs.negative,
        settings.device,
        inputs.loras,
        inputs.regions,
    )
    save_conditioning(outputs.conditioning, signer)
    return f"{outputs.conditioning}: a signer given by {signer.kind} for family '{signer.family}'."


def encode_signer(
    manifest: Manifest,
    images: Sequence[str | Path] = (),
    text: str | None = None,
    negative: str | None = None,
    device: str = "auto",
    loras: Sequence[str] = (),
    regions: Sequence[str] = (),
) -> Conditioning:
    """Encode a signer given by pictures, by words, or by both.

    Args:
        manifest: the family.
        images: reference pictures; all of them are attended to.
        text: the prompt, or None for the family's.
        negative: the negative prompt, or None for the family's.
        device: auto, cpu or cuda.
        loras: names of the manifest's LoRAs, or files, with ``:scale`` behind if not at their default scale.
        regions: the region mask of each picture: ``all``, ``signer`` or ``background``; by default all.

    Raises:
        DiffSignError: if there is neither picture nor text, or one of them cannot be used.
    """
    text = (text or "").strip() or None
    if not images and text is None:
        raise DiffSignError("a signer needs a reference picture (--image), words (--text), or both; neither came.")
    _check_regions(regions, len(images))
    lora_files = find_loras(loras, manifest)
    pictures = [read_reference(path) for path in images]
    quiet_libraries()
    computing_on = best_device(device)
    prompt = manifest.family.prompt if text is None else text
    if not (images or loras):
        prompt = completed(prompt, manifest.family.completions)
    negative = manifest.family.negative_prompt if negative is None else negative
    tensors = encode_prompt(manifest, prompt, negative, computing_on, lora_files)
    if pictures:
        tensors |= encode_pictures(manifest, pictures, computing_on)
    return Conditioning(
        family=manifest.name,
        prompt=prompt,
        negative=negative,
        worded=text is not None,
        images=tuple(Path(path).name for path in images),
        loras=lora_files,
        regions=() if set(regions) <= {"all"} else tuple(regions),  # type: ignore[arg-type]
        **tensors,
    )


def completed(prompt: str, completions: Sequence[Completion]) -> str:
    """Return a prompt with words for what it leaves open."""
    added = [
        completion.add
        for completion in completions
        if not re.search(rf"\b({'|'.join(map(re.escape, completion.unless))})\b", prompt, re.IGNORECASE)
    ]
    if added:
        log.info("The words leave some things open; added: %s.", ", ".join(added))
    return ", ".join([prompt, *added])


def _check_regions(regions: Sequence[str], pictures: int) -> None:
    unknown = next((region for region in regions if region not in get_args(Region)), None)
    if unknown is not None or (regions and len(regions) != pictures):
        came = f"'{unknown}' came" if unknown is not None else f"{len(regions)} came for {pictures}"
        raise DiffSignError(
            f"a region is {', '.join(get_args(Region))}, one for each picture in their order (--region); {came}."
        )
