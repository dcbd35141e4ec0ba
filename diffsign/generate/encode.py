"""Encode who signs: words through the text encoders, pictures through the adapter's image encoder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from diffsign.config.sheets import Region
from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.models.lora import find_loras, merge_loras
from diffsign.models.networks import best_device, library, pipeline_class, quiet_libraries, variant_in
from diffsign.models.weights import TRANSFORMERS_STEMS
from diffsign.records.conditioning import Conditioning, LoRA
from diffsign.records.manifest import Manifest

log = logging.getLogger(__name__)

#: Sides that differ by more than this share are told to the user.
SQUARE_TOLERANCE = 0.02


def open_picture(path: str | Path) -> Image.Image:
    """Read a picture as RGB, upright, transparency on white.

    Raises:
        DiffSignError: if it is missing, or not a picture that Pillow reads.
    """
    path = require_file(path, "reference picture")
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if "A" in picture.getbands() or "transparency" in picture.info:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
            picture = picture.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DiffSignError(
            f"reference picture '{path}' is not a picture that can be read ({error}); give a PNG, JPEG or WebP."
        ) from error
    return picture


def read_picture(path: str | Path) -> Image.Image:
    """Read a reference picture, and say if what CLIP sees of it is not all of it."""
    picture = open_picture(path)
    width, height = picture.size
    if abs(width - height) > SQUARE_TOLERANCE * max(width, height):
        log.warning(
            "Reference picture '%s' is %d×%d, not square: CLIP sees only the square in its middle. "
            "Crop it to the face and upper body if something that matters lies outside.",
            path,
            width,
            height,
        )
    return picture


@contextmanager
def _text_encoders(manifest: Manifest, device: torch.device) -> Iterator[Any]:
    """Give a pipeline that has the text encoders of the family and nothing else."""
    transformers = library("transformers")
    base, variant = Path(manifest.base.path), manifest.family.base.variant
    parts: dict[str, Any] = {}
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
    yield pipeline_class(manifest.architecture)(vae=None, unet=None, controlnet=None, scheduler=None, **_rest(parts))


def _rest(parts: dict[str, Any]) -> dict[str, Any]:
    # SDXL has no safety checker; SD's is not used: the pictures are of an avatar that the user has rendered.
    if "text_encoder_2" in parts:
        return {**parts, "add_watermarker": False}
    return {**parts, "safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def _warn_of_cut(tokenizer: Any, text: str, what: str) -> None:
    tokens = tokenizer(text).input_ids
    if len(tokens) > tokenizer.model_max_length:
        lost = tokenizer.decode(tokens[tokenizer.model_max_length - 1 : -1])
        log.warning("CLIP reads %d tokens; the end of the %s is lost: “%s”.", tokenizer.model_max_length, what, lost)


def encode_words(
    manifest: Manifest, prompt: str, negative: str, device: torch.device, loras: Sequence[LoRA] = ()
) -> dict[str, torch.Tensor]:
    """Encode prompt and negative prompt as the family's own pipeline does; the tensors of a conditioning, by name."""
    with _text_encoders(manifest, device) as pipeline, torch.no_grad():
        merge_loras(pipeline, loras)
        for text, what in ((prompt, "text"), (negative, "negative text")):
            _warn_of_cut(pipeline.tokenizer, text, what)
        encoded = pipeline.encode_prompt(
            prompt=prompt,
            device=device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=True,
            negative_prompt=negative,
        )
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    return {name: value.float().cpu() for name, value in zip(names, encoded, strict=False)}


def encode_pictures(
    manifest: Manifest, pictures: Sequence[Image.Image], device: torch.device
) -> dict[str, torch.Tensor]:
    """Encode reference pictures with the adapter's image encoder (Ye et al., "IP-Adapter", 2023).

    Plain adapters take the projected embedding and zeros as its negative; the others take the last hidden
    states but one, and as negative those of a black picture.
    """
    transformers = library("transformers")
    adapter = manifest.ip_adapter
    if adapter is None:
        raise DiffSignError(
            f"the manifest of family '{manifest.name}' holds no IP-Adapter, which a signer given by a picture needs; "
            "fetch the family again with --ip-adapter, or take a family that has one."
        )
    folder = Path(adapter.image_encoder.path)
    wanted = manifest.family.ip_adapter.image_encoder.variant if manifest.family.ip_adapter else None
    encoder = transformers.CLIPVisionModelWithProjection.from_pretrained(
        folder, variant=variant_in(folder, TRANSFORMERS_STEMS, wanted), dtype=torch.float32, local_files_only=True
    )
    encoder = encoder.to(device).eval()
    if (folder / "preprocessor_config.json").exists():
        processor = transformers.CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
    else:
        size = encoder.config.image_size
        processor = transformers.CLIPImageProcessor(
            size={"shortest_edge": size}, crop_size={"height": size, "width": size}
        )
    embeds, negatives = [], []
    for picture in pictures:  # one by one, so that a picture's embedding does not depend on its company
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
        text: words, or None for the family's own.
        negative: negative words, or None for the family's own.
        device: auto, cpu or cuda.
        loras: names of the manifest's LoRAs, or files, with ``:scale`` behind if not at their own.
        regions: what each picture speaks for: ``all``, ``signer`` or ``background``; by default all.

    Raises:
        DiffSignError: if there is neither picture nor text, or one of them cannot be used.
    """
    if not images and not (text or "").strip():
        raise DiffSignError("a signer needs a reference picture (--image), words (--text), or both; neither came.")
    wrong = next((region for region in regions if region not in get_args(Region)), None)
    if wrong is not None or (regions and len(regions) != len(images)):
        came = f"'{wrong}' came" if wrong is not None else f"{len(regions)} came for {len(images)}"
        raise DiffSignError(
            f"a region is {', '.join(get_args(Region))}, one for each picture in their order (--region); {came}."
        )
    found = find_loras(loras, manifest)
    pictures = [read_picture(path) for path in images]
    quiet_libraries()
    where = best_device(device)
    prompt = text if (text or "").strip() else manifest.family.prompt
    unwanted = manifest.family.negative_prompt if negative is None else negative
    tensors = encode_words(manifest, str(prompt), unwanted, where, found)
    if pictures:
        tensors |= encode_pictures(manifest, pictures, where)
    return Conditioning(
        family=manifest.name,
        prompt=str(prompt),
        negative=unwanted,
        worded=bool((text or "").strip()),
        images=tuple(Path(path).name for path in images),
        loras=found,
        regions=() if set(regions) <= {"all"} else tuple(regions),  # type: ignore[arg-type]
        **tensors,
    )
