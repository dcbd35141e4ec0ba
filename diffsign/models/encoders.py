"""The encoders of a family: prompts through the text encoders, pictures through the adapter's image encoder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from diffsign.errors import DiffSignError
from diffsign.models.lora import merge_loras
from diffsign.models.networks import library, pipeline_class, variant_in, without_extras
from diffsign.models.weights import TRANSFORMERS_STEMS
from diffsign.records.conditioning import LoRA
from diffsign.records.manifest import Manifest

log = logging.getLogger(__name__)

#: Tensors that a pipeline's ``encode_prompt`` returns, in its order; the pooled ones are SDXL's.
_EMBEDDINGS = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")


def _text_pipeline(manifest: Manifest, device: torch.device) -> Any:
    """Return a pipeline that has the text encoders of the family and nothing else."""
    transformers = library("transformers")
    base, variant = Path(manifest.base.path), manifest.family.base.variant
    parts = without_extras(manifest.architecture)
    for suffix in ("", "_2") if manifest.architecture == "sdxl" else ("",):
        folder = base / f"text_encoder{suffix}"
        kind = transformers.CLIPTextModelWithProjection if suffix else transformers.CLIPTextModel
        encoder = kind.from_pretrained(
            folder, variant=variant_in(folder, TRANSFORMERS_STEMS, variant), dtype=torch.float32, local_files_only=True
        )
        parts[f"text_encoder{suffix}"] = encoder.to(device).eval()
        parts[f"tokenizer{suffix}"] = transformers.CLIPTokenizer.from_pretrained(
            base / f"tokenizer{suffix}", local_files_only=True
        )
    return pipeline_class(manifest.architecture)(vae=None, unet=None, controlnet=None, scheduler=None, **parts)


def _warn_if_truncated(tokenizer: Any, text: str, what: str) -> None:
    tokens = tokenizer(text).input_ids
    if len(tokens) > tokenizer.model_max_length:
        lost = tokenizer.decode(tokens[tokenizer.model_max_length - 1 : -1])
        log.warning("CLIP reads %d tokens; the end of the %s is lost: “%s”.", tokenizer.model_max_length, what, lost)


def encode_prompt(
    manifest: Manifest, prompt: str, negative: str, device: torch.device, loras: Sequence[LoRA] = ()
) -> dict[str, torch.Tensor]:
    """Encode prompt and negative prompt with the text encoders of a family.

    Args:
        manifest: the family.
        prompt: what the pictures show.
        negative: what they must not show.
        device: where to compute.
        loras: merged into the text encoders first.

    Returns:
        float32 tensors on the CPU, named as in :class:`diffsign.records.conditioning.Conditioning`.
    """
    pipeline = _text_pipeline(manifest, device)
    with torch.no_grad():
        merge_loras(pipeline, loras)
        for text, what in ((prompt, "text"), (negative, "negative text")):
            _warn_if_truncated(pipeline.tokenizer, text, what)
        encoded = pipeline.encode_prompt(
            prompt=prompt,
            device=device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=True,
            negative_prompt=negative,
        )
    return {name: value.float().cpu() for name, value in zip(_EMBEDDINGS, encoded, strict=False)}


def _image_encoder(manifest: Manifest, folder: Path) -> tuple[Any, Any]:
    """Return the image encoder in ``folder`` and its processor."""
    transformers = library("transformers")
    variant = manifest.family.ip_adapter.image_encoder.variant if manifest.family.ip_adapter else None
    encoder = transformers.CLIPVisionModelWithProjection.from_pretrained(
        folder, variant=variant_in(folder, TRANSFORMERS_STEMS, variant), dtype=torch.float32, local_files_only=True
    )
    if (folder / "preprocessor_config.json").exists():
        return encoder, transformers.CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
    size = encoder.config.image_size
    crop = {"height": size, "width": size}
    return encoder, transformers.CLIPImageProcessor(size={"shortest_edge": size}, crop_size=crop)


def encode_pictures(
    manifest: Manifest, pictures: Sequence[Image.Image], device: torch.device
) -> dict[str, torch.Tensor]:
    """Encode reference pictures with the adapter's image encoder (Ye et al., "IP-Adapter", 2023).

    Plain adapters take the projected embedding and zeros as its negative; the others take the last hidden
    states but one, and as negative those of a black picture.

    Returns:
        float32 tensors on the CPU, named as in :class:`diffsign.records.conditioning.Conditioning`.
    """
    adapter = manifest.ip_adapter
    if adapter is None:
        raise DiffSignError(
            f"the manifest of family '{manifest.name}' holds no IP-Adapter, which a signer given by a picture needs; "
            "fetch the family again with --ip-adapter, or take a family that has one."
        )
    encoder, processor = _image_encoder(manifest, Path(adapter.image_encoder.path))
    encoder = encoder.to(device).eval()
    embeds: list[torch.Tensor] = []
    negatives: list[torch.Tensor] = []
    for picture in pictures:  # one by one, so that a picture's embedding does not depend on the others of its batch
        pixels = processor(images=picture, return_tensors="pt").pixel_values.to(device)
        with torch.inference_mode():
            if adapter.kind == "plain":
                embeds.append(encoder(pixels).image_embeds)
                negatives.append(torch.zeros_like(embeds[-1]))
            else:
                embeds.append(encoder(pixels, output_hidden_states=True).hidden_states[-2])
                negatives.append(encoder(torch.zeros_like(pixels), output_hidden_states=True).hidden_states[-2])
    stacked = {"image_embeds": torch.stack(embeds, dim=1), "negative_image_embeds": torch.stack(negatives, dim=1)}
    return {name: tensor.float().cpu() for name, tensor in stacked.items()}
