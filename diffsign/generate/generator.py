"""Run the diffusion model over the frames of a clip."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from diffsign.core.errors import DiffSignError
from diffsign.core.manifest import Manifest
from diffsign.core.settings.family import ControlName
from diffsign.core.settings.generate import GenerateSettings
from diffsign.generate.chunks import batches_of
from diffsign.generate.conditioning import Conditioning
from diffsign.generate.frames import Sizing
from diffsign.generate.networks import chosen_controls, chosen_preset, load_pipeline

log = logging.getLogger(__name__)


class Generator:
    """One signer's pictures for any control pictures: image, text and multimodal signers alike.

    Args:
        manifest: the model family.
        conditioning: who signs.
        settings: how.

    Raises:
        DiffSignError: if the conditioning is another family's, or the manifest lacks a part that is needed.
    """

    def __init__(self, manifest: Manifest, conditioning: Conditioning, settings: GenerateSettings) -> None:
        if conditioning.family != manifest.name:
            raise DiffSignError(
                f"the signer was encoded for family '{conditioning.family}', the manifest is of '{manifest.name}'; "
                "run diffsign encode with the same manifest."
            )
        if manifest.untrained:
            log.warning("Family '%s' is a stand-in that is not trained far enough to be judged.", manifest.name)
        preset = chosen_preset(manifest, settings)
        self.conditioning = conditioning
        self.settings = settings
        self.controls: dict[ControlName, float] = chosen_controls(manifest, settings)
        self.steps = settings.steps or preset.steps
        self.guidance_scale = preset.guidance_scale if settings.guidance_scale is None else settings.guidance_scale
        self.seed = manifest.family.seed if settings.seed is None else settings.seed
        pictures = conditioning.image_embeds is not None
        self.pipeline: Any = load_pipeline(manifest, settings, pictures)
        adapter = manifest.family.ip_adapter
        if pictures and adapter is not None:
            own = adapter.scale_with_text if conditioning.worded else adapter.scale
            scale = own if settings.ip_adapter_scale is None else settings.ip_adapter_scale
            self.pipeline.set_ip_adapter_scale(scale)

    @property
    def factor(self) -> int:
        """What width and height must be multiples of: pixels a latent, on each side."""
        return self.pipeline.vae_scale_factor

    def _noise(self, frames: range, height: int, width: int) -> tuple[torch.Tensor, list[torch.Generator]]:
        """Return the start of every frame (N, C, h, w) and what schedulers draw more noise from.

        Drawn on the CPU, so that a GPU starts from the same.
        """
        shape = (1, self.pipeline.unet.config.in_channels, height // self.factor, width // self.factor)
        seeds = [self.seed + (frame if self.settings.noise == "frame" else 0) for frame in frames]
        generators = [torch.Generator("cpu").manual_seed(seed % 2**63) for seed in seeds]
        return torch.cat([torch.randn(shape, generator=generator) for generator in generators]), generators

    def _embeddings(self, count: int) -> dict[str, Any]:
        """Return the signer's embeddings for ``count`` frames, as the pipeline's arguments."""
        guided = self.guidance_scale > 1
        dtype = self.pipeline.unet.dtype
        words = self.conditioning

        def repeated(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(dtype).repeat(count, *[1] * (tensor.ndim - 1))

        names = ["prompt_embeds", "pooled_prompt_embeds"]
        names += ["negative_prompt_embeds", "negative_pooled_prompt_embeds"] if guided else []
        arguments: dict[str, Any] = {
            name: repeated(tensor) for name in names if (tensor := getattr(words, name)) is not None
        }
        if words.image_embeds is not None and words.negative_image_embeds is not None:
            pictures = repeated(words.image_embeds)
            if guided:
                pictures = torch.cat([repeated(words.negative_image_embeds), pictures])
            arguments["ip_adapter_image_embeds"] = [pictures.to(self.pipeline._execution_device)]
        return arguments

    def batch(self, frames: range, controls: Mapping[ControlName, np.ndarray]) -> np.ndarray:
        """Generate the frames of one batch.

        Args:
            frames: their numbers in the clip.
            controls: (N, H, W, 3) uint8 for each of :attr:`controls`, H and W multiples of :attr:`factor`.

        Returns:
            (N, H, W, 3) float32 in [0, 1].
        """
        height, width = next(iter(controls.values())).shape[1:3]
        noise, generators = self._noise(frames, height, width)
        pictures = [
            torch.from_numpy(controls[name]).permute(0, 3, 1, 2).to(self.pipeline.unet.dtype) / 255
            for name in self.controls
        ]
        with torch.inference_mode():
            return self.pipeline(
                image=pictures,
                height=height,
                width=width,
                num_inference_steps=self.steps,
                guidance_scale=self.guidance_scale,
                latents=noise.to(self.pipeline.unet.dtype),
                generator=generators,
                controlnet_conditioning_scale=list(self.controls.values()),
                control_guidance_start=self.settings.control_start,
                control_guidance_end=self.settings.control_end,
                output_type="np",
                **self._embeddings(len(frames)),
            ).images

    def frames(
        self, clips: Mapping[ControlName, Iterable[np.ndarray]], total: int, wanted: range, sizing: Sizing
    ) -> Iterator[np.ndarray]:
        """Generate a run of a clip's frames.

        Args:
            clips: the whole control clips, (H, W, 3) uint8 a frame.
            total: frames of the whole clip.
            wanted: frames to generate.
            sizing: of the result.

        Yields:
            (height, width, 3) uint8 RGB for each of ``wanted``.

        Raises:
            DiffSignError: if a control clip ends early.
        """
        streams: dict[ControlName, Iterator[tuple[int, np.ndarray]]] = {
            name: enumerate(clips[name]) for name in self.controls
        }
        for batch in batches_of(total, wanted, self.settings.batch_size):
            controls: dict[ControlName, np.ndarray] = {}
            for name, stream in streams.items():
                kept = []
                for number, frame in stream:
                    if number >= batch.start:
                        kept.append(sizing.control(frame))
                    if number == batch.stop - 1:
                        break
                if len(kept) != len(batch):
                    raise DiffSignError(f"the {name} control ends before frame {batch.stop}; make it again.")
                controls[name] = np.stack(kept)
            pictures = sizing.result(self.batch(batch, controls))
            for number, picture in zip(batch, pictures, strict=True):
                if number in wanted:
                    yield picture
