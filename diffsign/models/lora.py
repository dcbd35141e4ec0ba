"""LoRAs: named by a signer, found and checked, and merged into the networks that they change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from diffsign.config.family import parse_lora
from diffsign.errors import DiffSignError, nearest
from diffsign.models.match import check_base, check_lora
from diffsign.models.weights import read_tensors
from diffsign.records.conditioning import LoRA
from diffsign.records.manifest import Manifest

#: What a LoRA may change, by the prefixes of its tensors: diffusers' and PEFT's, and those of kohya's trainer.
PREFIXES = {
    "unet": ("unet.", "lora_unet_"),
    "text_encoder": ("text_encoder.", "lora_te_", "lora_te1_"),
    "text_encoder_2": ("text_encoder_2.", "lora_te2_"),
}


def find_loras(texts: Sequence[str], manifest: Manifest) -> tuple[LoRA, ...]:
    """Find LoRAs given as ``name``, ``file.safetensors``, or either with ``:scale`` behind it.

    Args:
        texts: a name is one of the manifest's; anything with a ``/`` or a suffix is a file.
        manifest: the family that they have to fit.

    Raises:
        DiffSignError: for an unknown name, or a file that is missing, damaged or for another base model.
    """
    loras: list[LoRA] = []
    for text in texts:
        name, scale = parse_lora(text)
        if name in manifest.loras:
            default = manifest.family.loras[name].scale
            loras.append(LoRA(manifest.loras[name].path, default if scale is None else scale))
            continue
        if "/" not in name and Path(name).suffix not in (".safetensors", ".bin"):
            raise DiffSignError(
                f"the manifest of family '{manifest.name}' holds no LoRA '{name}'{nearest(name, manifest.loras)}; give "
                f"a file (.safetensors), or fetch the family again with --loras '[\"{name}\"]'."
            )
        base, _ = check_base(Path(manifest.base.path), manifest.family.base.variant, with_vae=False)
        check_lora(Path(name), Path(name).stem, base)
        loras.append(LoRA(str(Path(name).resolve()), 1.0 if scale is None else scale))
    return tuple(loras)


def merge_loras(pipeline: Any, loras: Sequence[LoRA]) -> None:
    """Add LoRAs to the weights of those networks that a pipeline has; what it lacks is left to another one.

    Merged weights cost nothing at use, and several LoRAs add up.
    """
    for lora in loras:
        tensors = read_tensors(Path(lora.path))
        for part, prefixes in PREFIXES.items():
            network = getattr(pipeline, part, None)
            changes = {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)}
            if network is not None and changes and lora.scale:
                _merge(pipeline, part, network, changes, lora.scale)


def _merge(pipeline: Any, part: str, network: Any, tensors: dict[str, torch.Tensor], scale: float) -> None:
    remapped = {"unet_config": network.config} if part == "unet" and hasattr(pipeline, "text_encoder_2") else {}
    state, alphas = pipeline.lora_state_dict(tensors, **remapped)
    if part == "unet":
        pipeline.load_lora_into_unet(state, network_alphas=alphas, unet=network, adapter_name="merged")
    else:
        pipeline.load_lora_into_text_encoder(
            state, network_alphas=alphas, text_encoder=network, prefix=part, adapter_name="merged"
        )
    pipeline.fuse_lora(components=[part], lora_scale=scale)
    pipeline.unload_lora_weights()
