"""Run a pipeline of diffusers over frames.

Needs torch, diffusers and transformers only, so that ``benchmarks/generate.py`` measures it where nothing else is
installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch
from PIL import Image

from diffsign.records.conditioning import Conditioning

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Sampling:
    """How frames are denoised.

    Attributes:
        steps: denoising steps.
        guidance_scale: classifier-free guidance; up to 1 switches it off.
        control_scales: conditioning scale of each ControlNet of the pipeline.
        control_start: share of the steps before the controls set in.
        control_end: share of the steps after which the controls let go.
    """

    steps: int
    guidance_scale: float
    control_scales: tuple[float, ...]
    control_start: float = 0.0
    control_end: float = 1.0

    def arguments(self) -> dict[str, Any]:
        """Return this as arguments of the pipelines."""
        return {
            "num_inference_steps": self.steps,
            "guidance_scale": self.guidance_scale,
            "controlnet_conditioning_scale": list(self.control_scales),
            "control_guidance_start": self.control_start,
            "control_guidance_end": self.control_end,
        }


def _tensor(array: Array) -> torch.Tensor:
    return torch.from_numpy(array)  # pyright: ignore[reportUnknownMemberType]


def in_channels_last(pipeline: Any) -> None:
    """Lay the networks' weights out as convolutions are fastest on CPUs and on tensor cores; results are the same."""
    for network in (pipeline.unet, pipeline.vae, *pipeline.controlnet.nets):
        network.to(memory_format=torch.channels_last)


def embeddings(pipeline: Any, conditioning: Conditioning, guided: bool, count: int) -> dict[str, Any]:
    """Return a signer's embeddings for ``count`` frames, as arguments of the pipelines."""
    dtype = pipeline.unet.dtype

    def repeated(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(dtype).repeat(count, *[1] * (tensor.ndim - 1))

    names = ["prompt_embeds", "pooled_prompt_embeds"]
    names += ["negative_prompt_embeds", "negative_pooled_prompt_embeds"] if guided else []
    arguments: dict[str, Any] = {
        name: repeated(tensor) for name in names if (tensor := getattr(conditioning, name)) is not None
    }
    if conditioning.image_embeds is not None and conditioning.negative_image_embeds is not None:
        pictures = repeated(conditioning.image_embeds)
        if guided:
            pictures = torch.cat([repeated(conditioning.negative_image_embeds), pictures])
        arguments["ip_adapter_image_embeds"] = [pictures.to(pipeline._execution_device)]
    return arguments


def region_masks(conditioning: Conditioning, masks: Array | None) -> torch.Tensor | None:
    """Return the region mask of each reference picture, (N, P, H, W), from the avatar's masks (N, H, W, 3) uint8.

    None if every picture is for the whole frame.
    """
    if not conditioning.regions or masks is None:
        return None
    signer = _tensor(masks[..., 0]).float() / 255
    parts = {"all": torch.ones_like(signer), "signer": signer, "background": 1 - signer}
    return torch.stack([parts[region] for region in conditioning.regions], dim=1)


def _mask_arguments(pipeline: Any, guided: bool, regions: torch.Tensor | None) -> dict[str, Any]:
    """Return region masks (N, P, H, W) in [0, 1] as an argument of the pipelines.

    Pictures with region masks are attended to one by one, and add up where regions overlap.
    """
    if regions is None:
        return {}
    masks = regions.to(pipeline._execution_device, pipeline.unet.dtype)
    return {"cross_attention_kwargs": {"ip_adapter_masks": [masks.repeat(2 if guided else 1, 1, 1, 1)]}}


def as_tensors(pipeline: Any, controls: Sequence[Array]) -> list[torch.Tensor]:
    """Return control pictures (N, H, W, 3) uint8 as the ControlNets take them: (N, 3, H, W) in [0, 1]."""
    dtype = pipeline.unet.dtype
    return [_tensor(pictures).permute(0, 3, 1, 2).to(dtype) / 255 for pictures in controls]


@torch.inference_mode()
def denoise(
    pipeline: Any,
    sampling: Sampling,
    conditioning: Conditioning,
    noise: torch.Tensor,
    generators: list[torch.Generator],
    controls: Sequence[Array],
    regions: torch.Tensor | None = None,
) -> Array:
    """Generate frames together, each from its own noise.

    Args:
        pipeline: a ControlNet pipeline of diffusers with one ControlNet for each of ``controls``.
        sampling: how.
        conditioning: who signs.
        noise: (N, C, h, w) float32.
        generators: N, what schedulers draw more noise from.
        controls: (N, H, W, 3) uint8 for each ControlNet.
        regions: (N, P, H, W) in [0, 1], region masks of P reference pictures; by default they are for the whole frame.

    Returns:
        (N, H, W, 3) float32 in [0, 1].
    """
    height, width = controls[0].shape[1:3]
    return pipeline(
        image=as_tensors(pipeline, controls),
        height=height,
        width=width,
        latents=noise.to(pipeline.unet.dtype),
        generator=generators,
        output_type="np",
        **sampling.arguments(),
        **embeddings(pipeline, conditioning, sampling.guidance_scale > 1, len(noise)),
        **_mask_arguments(pipeline, sampling.guidance_scale > 1, regions),
    ).images


@torch.inference_mode()
def denoise_with_motion(
    pipeline: Any,
    sampling: Sampling,
    conditioning: Conditioning,
    noise: torch.Tensor,
    generators: list[torch.Generator],
    controls: Sequence[Array],
    regions: torch.Tensor | None = None,
) -> Array:
    """Generate successive frames with a motion module, which sees all of them (Guo et al., "AnimateDiff", ICLR 2024).

    Arguments and result as in :func:`denoise`; the pipeline is ``AnimateDiffControlNetPipeline``.
    """
    height, width = controls[0].shape[1:3]
    return pipeline(
        conditioning_frames=[[Image.fromarray(picture) for picture in pictures] for pictures in controls],
        num_frames=len(noise),
        height=height,
        width=width,
        latents=noise.to(pipeline.unet.dtype).transpose(0, 1)[None],
        generator=generators[0],
        output_type="np",
        **sampling.arguments(),
        **embeddings(pipeline, conditioning, sampling.guidance_scale > 1, 1),
        **_mask_arguments(pipeline, sampling.guidance_scale > 1, regions),
    ).frames[0]


@torch.inference_mode()
def refine(
    pipeline: Any,
    sampling: Sampling,
    conditioning: Conditioning,
    pictures: Array,
    strength: float,
    generators: list[torch.Generator],
    controls: Sequence[Array],
    regions: torch.Tensor | None = None,
) -> Array:
    """Refine pictures by img2img, keeping the more the lower ``strength`` is (Meng et al., "SDEdit", ICLR 2022).

    Args:
        pipeline: an img2img pipeline of diffusers with one ControlNet for each of ``controls``.
        sampling: how; of its steps the last ``strength`` are taken.
        conditioning: who signs.
        pictures: (N, H, W, 3) float32 in [0, 1].
        strength: above 0, where nothing changes, to 1, where nothing stays.
        generators: N, of the noise.
        controls: (N, H, W, 3) uint8 for each ControlNet.
        regions: (N, P, H, W) in [0, 1], region masks of P reference pictures; by default they are for the whole frame.

    Returns:
        (N, H, W, 3) float32 in [0, 1].
    """
    return pipeline(
        image=_tensor(pictures).permute(0, 3, 1, 2).to(pipeline.unet.dtype),
        control_image=as_tensors(pipeline, controls),
        height=pictures.shape[1],
        width=pictures.shape[2],
        strength=strength,
        generator=generators,
        output_type="np",
        **sampling.arguments(),
        **embeddings(pipeline, conditioning, sampling.guidance_scale > 1, len(pictures)),
        **_mask_arguments(pipeline, sampling.guidance_scale > 1, regions),
    ).images
