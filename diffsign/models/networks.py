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
from diffsign.models.lora import merge_loras
from diffsign.models.sampler import in_channels_last
from diffsign.models.weights import DIFFUSERS_STEMS, read_json, read_tensors, weight_names
from diffsign.records.conditioning import LoRA
from diffsign.records.manifest import Manifest


def library(name: str) -> Any:
    """Import diffusers or transformers, which load their classes lazily, past what type checkers follow."""
    return importlib.import_module(name)


def quiet_libraries() -> None:
    """Keep to ourselves what diffusers and transformers say of things that are meant so."""
    diffusers, transformers = library("diffusers"), library("transformers")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for talker in (diffusers.utils.logging, transformers.utils.logging):
        talker.set_verbosity_error()
        talker.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="diffusers|transformers")


def best_device(device: str) -> torch.device:
    """Return the device that is asked for, or the best there is for ``auto``."""
    if device == "cuda" and not torch.cuda.is_available():
        raise DiffSignError("device cuda was asked for, but PyTorch sees no GPU here; use device auto or cpu.")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


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


def drawing_over_class(architecture: str) -> Any:
    """Return the img2img ControlNet pipeline of diffusers for an architecture."""
    diffusers = library("diffusers")
    return {
        "sd": diffusers.StableDiffusionControlNetImg2ImgPipeline,
        "sdxl": diffusers.StableDiffusionXLControlNetImg2ImgPipeline,
    }[architecture]


def variant_in(folder: Path, stems: tuple[str, ...], variant: str | None) -> str | None:
    """Return ``variant`` if ``folder`` holds weights of it, otherwise None (the plain files)."""
    if variant is None:
        return None
    plain = weight_names(stems, None)
    names = [name for name in weight_names(stems, variant) if name not in plain]
    there = any((folder / name).exists() or (folder / f"{name}.index.json").exists() for name in names)
    return variant if there else None


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

    Text and image encoders are left out: :mod:`diffsign.generate.encode` has done their work.

    Args:
        manifest: the family.
        settings: controls, preset, device, precision and ways to save memory.
        pictures: whether the signer has reference pictures, so that the IP-Adapter is needed.
        loras: of the signer; the preset's is added.

    Returns:
        The ControlNet pipeline of diffusers, with one ControlNet for each of :func:`chosen_controls`, in that order.
    """
    diffusers = library("diffusers")
    quiet_libraries()
    device = best_device(settings.device)
    dtype = best_dtype(manifest, settings, device)
    if settings.offload != "none" and device.type != "cuda":
        raise DiffSignError(f"offload {settings.offload} needs a GPU to offload from; set it to none.")
    family, base, preset = manifest.family, Path(manifest.base.path), chosen_preset(manifest, settings)
    controls = chosen_controls(manifest, settings)
    vae_folder = Path(manifest.vae.path) if manifest.vae else base / "vae"
    vae_kind = read_json(vae_folder / "config.json", "config of the VAE").get("_class_name", "AutoencoderKL")
    nets = [
        _read(diffusers.ControlNetModel, Path(manifest.controlnets[name].path), family.controlnets[name].variant, dtype)
        for name in controls
    ]
    parts: dict[str, Any] = {
        "vae": _read(
            getattr(diffusers, vae_kind), vae_folder, (family.vae if family.vae else family.base).variant, dtype
        ),
        "unet": _read(diffusers.UNet2DConditionModel, base / "unet", family.base.variant, dtype),
        "controlnet": diffusers.MultiControlNetModel(nets),
        "scheduler": _scheduler(manifest, preset),
        "text_encoder": None,
        "tokenizer": None,
    }
    if manifest.architecture == "sdxl":
        parts |= {"text_encoder_2": None, "tokenizer_2": None, "add_watermarker": False}
    else:
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline_kind = pipeline_class(manifest.architecture)
    if settings.temporal == "animatediff":
        pipeline_kind, parts = _with_motion(manifest, parts, dtype)
    pipeline = pipeline_kind(**parts)
    pipeline.set_progress_bar_config(disable=True)
    if pictures:
        if manifest.ip_adapter is None:
            raise DiffSignError(
                f"the manifest of family '{manifest.name}' holds no IP-Adapter; fetch it with --ip-adapter."
            )
        state = _adapter_state(Path(manifest.ip_adapter.weights.path))
        pipeline.load_ip_adapter(state, subfolder="", weight_name="", image_encoder_folder=None)
        pipeline.unet.to(dtype=dtype)
    if preset.lora is not None:
        if preset.lora not in manifest.loras:
            raise DiffSignError(
                f"the manifest of family '{manifest.name}' holds no LoRA '{preset.lora}', which the preset needs; "
                "fetch the family again with that --preset."
            )
        loras = [*loras, LoRA(manifest.loras[preset.lora].path, family.loras[preset.lora].scale)]
    merge_loras(pipeline, loras)
    _place(pipeline, settings, device)
    return pipeline


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
        pipeline.unet = torch.compile(pipeline.unet)
        for number, net in enumerate(pipeline.controlnet.nets):
            pipeline.controlnet.nets[number] = torch.compile(net)


def use_threads(threads: int | None) -> None:
    """Compute with so many CPU threads; None leaves it to PyTorch."""
    if threads is not None:
        torch.set_num_threads(threads)
