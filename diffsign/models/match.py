"""Do the parts of a family fit together? Asked of configs and headers, before anything is loaded or computed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from diffsign.errors import DiffSignError
from diffsign.models.weights import (
    DIFFUSERS_STEMS,
    TRANSFORMERS_STEMS,
    Shapes,
    read_json,
    shapes_of,
    weight_files,
)

Architecture = Literal["sd", "sdxl"]
AdapterKind = Literal["plain", "plus", "full"]

#: Width of the text embeddings that a network attends to, in the words people know.
_FAMILIAR = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "SDXL"}
_ENCODERS = {(1024, 1280): "ViT-H", (1280, 1664): "ViT-bigG", (768, 1024): "ViT-L"}
_VAES = ("AutoencoderKL", "AutoencoderTiny")


@dataclass(frozen=True)
class Base:
    """What the other parts have to fit.

    Attributes:
        architecture: which pipeline runs it.
        cross_attention_dim: width of the embeddings that the UNet attends to.
        block_out_channels: channels of the UNet's levels.
        layers_per_block: of each level.
        latent_channels: channels of a latent.
        cross_attentions: number of cross-attention layers of the UNet.
        layers: shapes of the UNet's weights by the layer's name, dots as underscores.
    """

    architecture: Architecture
    cross_attention_dim: int
    block_out_channels: tuple[int, ...]
    layers_per_block: int
    latent_channels: int
    cross_attentions: int
    layers: dict[str, tuple[int, ...]]


def _familiar(width: int) -> str:
    return f"{_FAMILIAR[width]}, width {width}" if width in _FAMILIAR else f"width {width}"


def read_network(
    folder: Path, what: str, stems: tuple[str, ...], variant: str | None = None
) -> tuple[dict[str, Any], Shapes, int]:
    """Return config, tensor shapes and size in bytes of the network in ``folder``, checking that it is whole."""
    config = read_json(folder / "config.json", f"config of {what}")
    shapes: Shapes = {}
    size = 0
    for file in weight_files(folder, stems, variant, what):
        shapes |= shapes_of(file, f"weights of {what}")
        size += file.stat().st_size
    return config, shapes, size


def check_base(folder: Path, variant: str | None, with_vae: bool) -> tuple[Base, int]:
    """Check a base model in the layout of diffusers.

    Args:
        folder: with ``model_index.json``.
        variant: of the weight files.
        with_vae: whether the base's autoencoder is used, and checked with it.

    Returns:
        What other parts have to fit, and the size of the weights in bytes.

    Raises:
        DiffSignError: if a part is missing or damaged, or it is no Stable Diffusion 1.x, 2.x or XL.
    """
    index = read_json(folder / "model_index.json", "base model's index")
    kind = str(index.get("_class_name"))
    if kind.startswith("StableDiffusionXL"):
        architecture: Architecture = "sdxl"
    elif kind.startswith("StableDiffusion") and not kind.startswith("StableDiffusion3"):
        architecture = "sd"
    else:
        raise DiffSignError(
            f"base model '{folder}' is a {kind}; one in the layout of Stable Diffusion 1.x, 2.x or XL was expected."
        )
    unet, shapes, size = read_network(folder / "unet", "the base model's UNet", DIFFUSERS_STEMS, variant)
    if not (folder / "scheduler" / "scheduler_config.json").exists():
        raise DiffSignError(f"base model '{folder}' has no scheduler/scheduler_config.json; download it again.")
    width = 0
    for suffix in ("", "_2") if architecture == "sdxl" else ("",):
        name = f"text_encoder{suffix}"
        encoder, _, encoder_size = read_network(folder / name, f"the base model's {name}", TRANSFORMERS_STEMS, variant)
        width += int(encoder["hidden_size"])
        size += encoder_size
        tokenizer = folder / f"tokenizer{suffix}"
        if not ((tokenizer / "tokenizer.json").exists() or (tokenizer / "vocab.json").exists()):
            raise DiffSignError(f"base model '{folder}' has no tokenizer{suffix}; download it again.")
    attended = unet["cross_attention_dim"]
    if attended != width:
        raise DiffSignError(
            f"base model '{folder}': its UNet attends to embeddings of width {attended}, "
            f"its text encoders give {width}; they are of different models."
        )
    first = shapes.get("conv_in.weight")
    if first is not None and first[:2] != (unet["block_out_channels"][0], unet["in_channels"]):
        raise DiffSignError(
            f"base model '{folder}': the UNet's weights do not fit its config (conv_in is {first}); download it again."
        )
    base = Base(
        architecture=architecture,
        cross_attention_dim=attended,
        block_out_channels=tuple(unet["block_out_channels"]),
        layers_per_block=unet.get("layers_per_block", 2),
        latent_channels=unet["in_channels"],
        cross_attentions=sum(name.endswith("attn2.to_k.weight") for name in shapes),
        layers={
            name.removesuffix(".weight").replace(".", "_"): shape
            for name, shape in shapes.items()
            if name.endswith(".weight")
        },
    )
    if with_vae:
        size += check_vae(folder / "vae", variant, base)
    return base, size


def check_vae(folder: Path, variant: str | None, base: Base, base_vae: Path | None = None) -> int:
    """Check an autoencoder against the base model (and the base's own, if it is there); return its size in bytes."""
    config, _, size = read_network(folder, "the VAE", DIFFUSERS_STEMS, variant)
    kind = config.get("_class_name", "AutoencoderKL")
    if kind not in _VAES:
        raise DiffSignError(f"VAE '{folder}' is a {kind}; expected {' or '.join(_VAES)}.")
    channels = config.get("latent_channels", 4)
    if channels != base.latent_channels:
        raise DiffSignError(
            f"VAE '{folder}' has {channels} latent channels, the base model works on {base.latent_channels}."
        )
    if base_vae is not None and (base_vae / "config.json").exists():
        base_config = read_json(base_vae / "config.json", "config of the base model's VAE")
        expected = base_config.get("scaling_factor", 0.18215)
        factor = config.get("scaling_factor", 0.18215)
        if abs(expected - factor) > 1e-4:
            raise DiffSignError(
                f"VAE '{folder}' scales latents by {factor:g}, the base model expects {expected:g}; "
                "it belongs to another family (SD 1.x 0.18215, SDXL 0.13025)."
            )
    return size


def check_controlnet(folder: Path, name: str, variant: str | None, base: Base) -> int:
    """Check that a ControlNet belongs to the base model; return its size in bytes."""
    config, shapes, size = read_network(folder, f"the ControlNet for {name}", DIFFUSERS_STEMS, variant)
    kind = config.get("_class_name", "ControlNetModel")
    if kind != "ControlNetModel":
        raise DiffSignError(f"ControlNet for {name} '{folder}' is a {kind}; a ControlNetModel was expected.")
    attended = int(config.get("cross_attention_dim") or 0)
    if attended != base.cross_attention_dim:
        raise DiffSignError(
            f"ControlNet for {name} '{folder}' is for {_familiar(attended)}; "
            f"the base model is {_familiar(base.cross_attention_dim)}."
        )
    if tuple(config.get("block_out_channels", ())) != base.block_out_channels:
        raise DiffSignError(f"ControlNet for {name} '{folder}' has other channels than the base model's UNet.")
    if not any(name.startswith("controlnet_cond_embedding") for name in shapes):
        raise DiffSignError(f"ControlNet for {name} '{folder}': its weights are not those of a ControlNet.")
    return size


def check_motion_adapter(folder: Path, variant: str | None, base: Base) -> int:
    """Check that a motion module belongs to the base model; return its size in bytes."""
    config, shapes, size = read_network(folder, "the motion module", DIFFUSERS_STEMS, variant)
    kind = config.get("_class_name")
    if kind != "MotionAdapter":
        raise DiffSignError(f"motion module '{folder}' is a {kind}; a MotionAdapter was expected.")
    if base.architecture != "sd":
        raise DiffSignError(
            "temporal: animatediff works with Stable Diffusion 1.x only: diffusers has no AnimateDiff with ControlNets "
            "for SDXL; choose another temporal mode, or another family."
        )
    channels, layers = tuple(config.get("block_out_channels", ())), config.get("motion_layers_per_block")
    if channels != base.block_out_channels or layers != base.layers_per_block:
        raise DiffSignError(
            f"motion module '{folder}' is for a UNet with channels {channels} and {layers} layers a block; the base "
            f"model has {base.block_out_channels} and {base.layers_per_block}."
        )
    if not any("motion_modules" in name for name in shapes):
        raise DiffSignError(f"motion module '{folder}': its weights are not those of a motion module.")
    return size


def adapter_kind(shapes: Shapes, path: Path) -> AdapterKind:
    """Tell from its tensors how an IP-Adapter projects images: plain, plus (and plus-face), or full (full-face)."""
    projection = {name.removeprefix("image_proj.") for name in shapes if name.startswith("image_proj.")}
    if not projection or not any(name.startswith("ip_adapter.") for name in shapes):
        raise DiffSignError(
            f"IP-Adapter '{path}' has no tensors image_proj.* and ip_adapter.*; "
            "give a checkpoint in the original layout (such as ip-adapter_sd15.bin)."
        )
    if any(name.startswith("perceiver_resampler") for name in projection) or (
        "proj.2.weight" in projection and ("proj.3.weight" not in projection)
    ):
        raise DiffSignError(
            f"IP-Adapter '{path}' is a FaceID adapter, which needs a face recogniser; use a plus-face one."
        )
    if {"proj.weight", "norm.weight"} <= projection:
        return "plain"
    if "latents" in projection:
        return "plus"
    if "proj.3.weight" in projection:
        return "full"
    raise DiffSignError(f"IP-Adapter '{path}' is of an unknown kind; plain, plus, plus-face and full-face are read.")


def check_adapter(path: Path, encoder: Path, encoder_variant: str | None, base: Base) -> tuple[AdapterKind, int, int]:
    """Check an IP-Adapter against the base model and the image encoder.

    Returns:
        Its kind, its size and the image encoder's size in bytes.
    """
    shapes = shapes_of(path, "IP-Adapter")
    kind = adapter_kind(shapes, path)
    keys = [shape for name, shape in shapes.items() if name.endswith("to_k_ip.weight")]
    attended = keys[0][1] if keys else 0
    if attended != base.cross_attention_dim:
        raise DiffSignError(
            f"IP-Adapter '{path}' is for {_familiar(attended)}; "
            f"the base model is {_familiar(base.cross_attention_dim)}."
        )
    if len(keys) != base.cross_attentions:
        raise DiffSignError(
            f"IP-Adapter '{path}' has {len(keys)} attention layers, the base model {base.cross_attentions}; "
            "it was trained for another base."
        )
    widths = sorted(shape[0] for layer, shape in base.layers.items() if layer.endswith("attn2_to_k"))
    if sorted(shape[0] for shape in keys) != widths:
        raise DiffSignError(f"IP-Adapter '{path}' is for a base with layers of other widths; give one for this base.")
    config, _, size = read_network(encoder, "the image encoder", TRANSFORMERS_STEMS, encoder_variant)
    vision = config.get("vision_config", config)
    if "hidden_size" not in vision or "patch_size" not in vision:
        raise DiffSignError(f"image encoder '{encoder}' is no CLIP vision tower; the IP-Adapter needs one.")
    projected, hidden = int(vision.get("projection_dim", config.get("projection_dim", 0))), int(vision["hidden_size"])
    taken = {
        "plain": lambda: shapes["image_proj.proj.weight"][1],
        "plus": lambda: shapes["image_proj.proj_in.weight"][1],
        "full": lambda: shapes["image_proj.proj.0.weight"][1],
    }[kind]()
    given = projected if kind == "plain" else hidden
    if taken != given:
        wanted = next(
            (n for dims, n in _ENCODERS.items() if dims[0 if kind == "plain" else 1] == taken), f"width {taken}"
        )
        came = _ENCODERS.get((projected, hidden), f"width {given}")
        raise DiffSignError(
            f"IP-Adapter '{path}' was trained with the image encoder {wanted}, but '{encoder}' is {came}; "
            "set ip_adapter.image_encoder to the right one."
        )
    return kind, path.stat().st_size, size


#: What stands between a layer's name and the first matrix of its LoRA: PEFT, kohya's trainer, older diffusers.
_DOWN = re.compile(r"\.lora_A\.|\.lora_down\.|[._]lora\.down\.")


def _lora_layer(name: str) -> str | None:
    """Return the layer of the UNet that a LoRA's first matrix changes, as in :attr:`Base.layers`; None for others."""
    match = _DOWN.search(name)
    if match is None or name.startswith(("text_encoder", "lora_te")):
        return None
    layer = name[: match.start()].removeprefix("unet.").removeprefix("lora_unet_")
    return layer.replace(".processor", "").replace(".", "_")


def check_lora(path: Path, name: str, base: Base) -> int:
    """Check that a LoRA is one, and for this base model; return its size in bytes.

    Raises:
        DiffSignError: if it is missing, damaged, holds no LoRA, or one of another model or of another shape.
    """
    shapes = shapes_of(path, f"LoRA '{name}'")
    where = f"LoRA '{name}' at '{path}'"
    if not any("lora" in key.lower() for key in shapes):
        raise DiffSignError(f"{where} holds no LoRA tensors; give a LoRA in the layout of diffusers, PEFT or kohya.")
    changed = {layer: shape for key, shape in shapes.items() if (layer := _lora_layer(key)) is not None}
    # Cross-attention first: its width names the model that a LoRA is for.
    for layer, shape in sorted(changed.items(), key=lambda item: "attn2_to_k" not in item[0]):
        if layer.endswith("attn2_to_k") and shape[1] != base.cross_attention_dim:
            raise DiffSignError(
                f"{where} is for {_familiar(shape[1])}; the base model is {_familiar(base.cross_attention_dim)}."
            )
        expected = base.layers.get(layer, shape)
        if expected[1] != shape[1]:
            raise DiffSignError(
                f"{where} is for another base model: its layer {layer} takes {shape[1]} channels, "
                f"the base's {expected[1]}."
            )
    # Layers of SDXL may have the names of its first release; diffusers translates them.
    known = [layer for layer in changed if layer in base.layers or "_blocks_" not in layer or "put_blocks_" in layer]
    if changed and not known:
        raise DiffSignError(f"{where} is for another base model: this one has no layer {next(iter(changed))}.")
    return path.stat().st_size


def check_clip(folder: Path, variant: str | None) -> int:
    """Check that the judging network is a CLIP with both towers; return its size in bytes."""
    config, _, size = read_network(folder, "the CLIP that judges", TRANSFORMERS_STEMS, variant)
    if "text_config" not in config or "vision_config" not in config:
        raise DiffSignError(f"CLIP '{folder}' has not both towers (text and vision); give a CLIPModel.")
    return size
