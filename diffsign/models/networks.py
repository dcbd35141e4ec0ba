"""Load a family's networks from its manifest into the pipeline of diffusers that runs it."""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from diffsign.config.family import ControlName, Preset
from diffsign.config.generate import GenerateSettings
from diffsign.errors import DiffSignError, nearest
from diffsign.models.device import best_device
from diffsign.models.lora import merge_loras
from diffsign.models.sampler import in_channels_last
from diffsign.models.weights import DIFFUSERS_STEMS, find_weights, read_json, read_tensors
from diffsign.records.conditioning import LoRA
from diffsign.records.manifest import Manifest


def library(name: str) -> Any:
    """Import diffusers or transformers, which load their classes lazily, past what type checkers follow."""
    return importlib.import_module(name)


def quiet_libraries() -> None:
    """Silence the progress bars and the warnings of diffusers and transformers about what is intended here."""
    diffusers, transformers = library("diffusers"), library("transformers")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for logger in (diffusers.utils.logging, transformers.utils.logging):
        logger.set_verbosity_error()
        logger.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="diffusers|transformers")


def best_dtype(manifest: Manifest, settings: GenerateSettings, device: torch.device) -> torch.dtype:
    """Return the precision: as asked, else the family's on a GPU and float32 on a CPU."""
    return getattr(torch, settings.dtype or (manifest.family.dtype if device.type == "cuda" else "float32"))


def pipeline_class(architecture: str) -> Any:
    """Return the ControlNet pipeline of diffusers for an architecture."""
    diffusers = library("diffusers")
    return {
        "sd": diffusers.StableDiffusionControlNetPipeline,
        "sdxl": diffusers.StableDiffusionXLControlNetPipeline,
    }[architecture]


def img2img_class(architecture: str) -> Any:
    """Return the img2img ControlNet pipeline of diffusers for an architecture."""
    diffusers = library("diffusers")
    return {
        "sd": diffusers.StableDiffusionControlNetImg2ImgPipeline,
        "sdxl": diffusers.StableDiffusionXLControlNetImg2ImgPipeline,
    }[architecture]


def variant_in(folder: Path, stems: tuple[str, ...], variant: str | None) -> str | None:
    """Return the variant of the weights that ``folder`` holds: the one asked for, or None for plain files."""
    weights = find_weights(folder, stems, variant)
    return None if weights is None else weights[1]


def chosen_preset(manifest: Manifest, settings: GenerateSettings) -> Preset:
    """Return the preset to sample with."""
    presets = manifest.family.presets
    name = settings.preset or manifest.family.preset
    if name not in presets:
        raise DiffSignError(
            f"family '{manifest.name}' has no preset '{name}'{nearest(name, presets)}; it has {', '.join(presets)}."
        )
    return presets[name]


def chosen_controls(manifest: Manifest, settings: GenerateSettings) -> dict[ControlName, float]:
    """Return the controls to follow with their scales, those of scale 0 left out."""
    scales: dict[ControlName, float] = settings.controls or {
        name: weights.scale for name, weights in manifest.family.controlnets.items()
    }
    chosen: dict[ControlName, float] = {name: scale for name, scale in scales.items() if scale > 0}
    for name in chosen:
        if name not in manifest.controlnets:
            raise DiffSignError(
                f"the manifest of family '{manifest.name}' holds no ControlNet for {name}; "
                f"fetch the family again with {name} among its --controls."
            )
    return chosen


def _scheduler(manifest: Manifest, preset: Preset) -> Any:
    diffusers = library("diffusers")
    config = read_json(Path(manifest.base.path) / "scheduler" / "scheduler_config.json", "scheduler config")
    name = preset.scheduler.name if preset.scheduler else config["_class_name"]
    kind = getattr(diffusers, name, None)
    if kind is None or not hasattr(kind, "set_timesteps"):
        known = [known for known in dir(diffusers) if known.endswith("Scheduler")]
        raise DiffSignError(f"diffusers has no scheduler '{name}'{nearest(name, known)}.")
    return kind.from_config(config, **(preset.scheduler.options if preset.scheduler else {}))


def _read(kind: Any, folder: Path, variant: str | None, dtype: torch.dtype) -> Any:
    return kind.from_pretrained(
        folder,
        variant=variant_in(folder, DIFFUSERS_STEMS, variant),
        use_safetensors=None,
        torch_dtype=dtype,
        local_files_only=True,
    )


def _adapter_state(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Return an IP-Adapter's tensors as {"image_proj": …, "ip_adapter": …}."""
    tensors = read_tensors(path)
    if path.suffix != ".safetensors":
        return tensors
    state: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part in state:
            state[part][rest] = tensor
    return state


def _with_motion(manifest: Manifest, parts: dict[str, Any], dtype: torch.dtype) -> tuple[Any, dict[str, Any]]:
    """Return the pipeline that denoises frames together, and its parts: those of one frame, and the motion module."""
    if manifest.motion_adapter is None:
        raise DiffSignError(
            f"the manifest of family '{manifest.name}' holds no motion module, which temporal: animatediff needs; "
            "fetch it with --motion-adapter."
        )
    diffusers = library("diffusers")
    variant = manifest.family.motion_adapter.variant if manifest.family.motion_adapter else None
    adapter = _read(diffusers.MotionAdapter, Path(manifest.motion_adapter.path), variant, dtype)
    kept = ("vae", "text_encoder", "tokenizer", "unet", "controlnet", "scheduler")
    return diffusers.AnimateDiffControlNetPipeline, {name: parts[name] for name in kept} | {"motion_adapter": adapter}


def load_pipeline(
    manifest: Manifest, settings: GenerateSettings, pictures: bool = False, loras: Sequence[LoRA] = ()
) -> Any:
    """Load the pipeline for one signer.

    Text and image encoders are left out: their work is done when a signer is encoded (:mod:`diffsign.models.encoders`).

    Args:
        manifest: the family.
        settings: controls, preset, device, precision and ways to save memory.
        pictures: whether the signer has reference pictures, so that the IP-Adapter is needed.
        loras: of the signer; the preset's is added.

    Returns:
        The ControlNet pipeline of diffusers, with one ControlNet for each of :func:`chosen_controls`, in that order.
    """
    quiet_libraries()
    device = best_device(settings.device)
    dtype = best_dtype(manifest, settings, device)
    if settings.offload != "none" and device.type != "cuda":
        raise DiffSignError(f"offload {settings.offload} needs a GPU to offload from; set it to none.")
    preset = chosen_preset(manifest, settings)
    kind, parts = pipeline_class(manifest.architecture), _parts(manifest, settings, preset, dtype)
    if settings.temporal == "animatediff":
        kind, parts = _with_motion(manifest, parts, dtype)
    pipeline = kind(**parts)
    pipeline.set_progress_bar_config(disable=True)
    if pictures:
        _load_adapter(pipeline, manifest, dtype)
    merge_loras(pipeline, [*loras, *_preset_loras(manifest, preset)])
    _place(pipeline, settings, device)
    return pipeline


def _parts(manifest: Manifest, settings: GenerateSettings, preset: Preset, dtype: torch.dtype) -> dict[str, Any]:
    """Return the components of the ControlNet pipeline of one frame."""
    diffusers = library("diffusers")
    family, base = manifest.family, Path(manifest.base.path)
    vae_folder = Path(manifest.vae.path) if manifest.vae else base / "vae"
    vae_kind = read_json(vae_folder / "config.json", "config of the VAE").get("_class_name", "AutoencoderKL")
    vae_variant = (family.vae if family.vae else family.base).variant
    nets = [
        _read(diffusers.ControlNetModel, Path(manifest.controlnets[name].path), family.controlnets[name].variant, dtype)
        for name in chosen_controls(manifest, settings)
    ]
    return {
        "vae": _read(getattr(diffusers, vae_kind), vae_folder, vae_variant, dtype),
        "unet": _read(diffusers.UNet2DConditionModel, base / "unet", family.base.variant, dtype),
        "controlnet": diffusers.MultiControlNetModel(nets),
        "scheduler": _scheduler(manifest, preset),
        "text_encoder": None,
        "tokenizer": None,
        **without_extras(manifest.architecture),
    }


def without_extras(architecture: str) -> dict[str, Any]:
    """Return the arguments of a pipeline that leave out safety checker, watermark and second text encoder.

    The safety checker is not used: the pictures are of an avatar that the user has rendered.
    """
    if architecture == "sdxl":
        return {"text_encoder_2": None, "tokenizer_2": None, "add_watermarker": False}
    return {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def _load_adapter(pipeline: Any, manifest: Manifest, dtype: torch.dtype) -> None:
    if manifest.ip_adapter is None:
        raise DiffSignError(
            f"the manifest of family '{manifest.name}' holds no IP-Adapter; fetch it with --ip-adapter."
        )
    state = _adapter_state(Path(manifest.ip_adapter.weights.path))
    pipeline.load_ip_adapter(state, subfolder="", weight_name="", image_encoder_folder=None)
    pipeline.unet.to(dtype=dtype)


def _preset_loras(manifest: Manifest, preset: Preset) -> list[LoRA]:
    if preset.lora is None:
        return []
    if preset.lora not in manifest.loras:
        raise DiffSignError(
            f"the manifest of family '{manifest.name}' holds no LoRA '{preset.lora}', which the preset needs; "
            "fetch the family again with that --preset."
        )
    return [LoRA(manifest.loras[preset.lora].path, manifest.family.loras[preset.lora].scale)]


def _place(pipeline: Any, settings: GenerateSettings, device: torch.device) -> None:
    in_channels_last(pipeline)
    if settings.vae_tiling:
        pipeline.vae.enable_tiling()
    if settings.vae_slicing:
        pipeline.vae.enable_slicing()
    if settings.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif settings.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)
    if settings.compile:
        compiled: Any = getattr(torch, "compile")  # noqa: B009
        pipeline.unet = compiled(pipeline.unet)
        for number, net in enumerate(pipeline.controlnet.nets):
            pipeline.controlnet.nets[number] = compiled(net)
