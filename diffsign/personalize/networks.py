"""The networks that a subject is learned with, and what they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from diffsign.config.generate import GenerateSettings
from diffsign.config.personalize import PersonalizeSettings
from diffsign.models.device import best_device
from diffsign.models.encoders import encode_prompt
from diffsign.models.networks import library, load_pipeline, quiet_libraries
from diffsign.personalize.subject import TrainingSubject
from diffsign.records.conditioning import Conditioning
from diffsign.records.manifest import Manifest


@dataclass(frozen=True)
class Examples:
    """Pictures of one thing, as training takes them.

    Attributes:
        latents: (N, C, h, w).
        controls: (N, 3, H, W) in [0, 1] for each ControlNet of the pipeline.
        prompt_embeds: (N, L, D), the prompt of each.
        pooled_prompt_embeds: (N, P), SDXL only.
    """

    latents: torch.Tensor
    controls: list[torch.Tensor]
    prompt_embeds: torch.Tensor
    pooled_prompt_embeds: torch.Tensor | None


class Networks:
    """A family's networks with the controls of a subject's pictures.

    Attributes:
        manifest: the family.
        sampling: settings that the base generates pictures of the class with.
        scales: conditioning scale of each ControlNet.
        pipeline: the ControlNet pipeline of diffusers.
        device: where it computes.
        size: pixels of a side.
        controls: (N, size, size, 3) uint8 of each ControlNet for the subject's N pictures.
        schedule: the noise schedule that training adds noise with.
    """

    def __init__(self, manifest: Manifest, subject: TrainingSubject, settings: PersonalizeSettings) -> None:
        quiet_libraries()
        self.manifest, self.device = manifest, best_device(settings.device)
        frozen = "float32" if self.device.type == "cpu" else "bfloat16"
        names = subject.controls(manifest)
        scales = {name: manifest.family.controlnets[name].scale or 1.0 for name in names}
        chosen = {"device": settings.device, "dtype": settings.dtype or frozen, "controls": scales, "batch_size": 1}
        self.sampling = GenerateSettings.model_validate(chosen)
        self.scales = list(scales.values())
        self.pipeline: Any = load_pipeline(manifest, self.sampling)
        sample = int(self.pipeline.unet.config.sample_size or 64)
        self.size = settings.size or sample * self.pipeline.vae_scale_factor
        self.controls = [subject.control_pictures(name, self.size) for name in names]
        self.schedule = library("diffusers").DDPMScheduler.from_config(self.pipeline.scheduler.config)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of what is not trained."""
        return self.pipeline.unet.dtype

    def encode_prompt(self, prompt: str) -> Conditioning:
        """Encode a prompt beside the family's negative one."""
        negative = self.manifest.family.negative_prompt
        encoded = encode_prompt(self.manifest, prompt, negative, self.device)
        return Conditioning(self.manifest.name, prompt, negative, True, (), **encoded)  # type: ignore[arg-type]

    def encode(self, pictures: Sequence[np.ndarray], prompts: Sequence[str]) -> Examples:
        """Encode pictures (size, size, 3) uint8; the n-th has the n-th prompt and the n-th control, counted round."""
        vae = self.pipeline.vae
        count = len(self.controls[0])
        latents, order = [], [number % count for number in range(len(pictures))]
        with torch.no_grad():
            for picture in pictures:
                pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].to(self.device, vae.dtype) / 127.5 - 1
                encoded = vae.encode(pixels)
                latent = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
                latents.append(latent.float() * vae.config.scaling_factor)
        controls = [torch.from_numpy(c[order]).permute(0, 3, 1, 2).to(self.device) / 255 for c in self.controls]
        encoded_prompts = [self.encode_prompt(prompt) for prompt in prompts]
        words = [encoded_prompts[number % len(prompts)] for number in range(len(pictures))]
        pooled = [word.pooled_prompt_embeds for word in words if word.pooled_prompt_embeds is not None]
        embeds = torch.cat([word.prompt_embeds for word in words])
        return Examples(torch.cat(latents), controls, embeds, torch.cat(pooled) if pooled else None)

    def predict(
        self,
        unet: Any,
        noisy: torch.Tensor,
        times: torch.Tensor,
        text: torch.Tensor,
        controls: list[torch.Tensor] | None,
        pooled: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return what the UNet predicts for noisy latents (N, C, h, w), with or without the controls."""
        text = text.to(self.device, self.dtype)
        added: dict[str, Any] = {}
        if pooled is not None:
            size = torch.tensor([[self.size, self.size, 0, 0, self.size, self.size]], device=self.device)
            added["added_cond_kwargs"] = {
                "text_embeds": pooled.to(self.device, self.dtype),
                "time_ids": size.repeat(len(noisy), 1).to(self.dtype),
            }
        noisy = noisy.to(self.dtype)
        if controls is not None:
            with torch.no_grad():
                down, middle = self.pipeline.controlnet(
                    noisy,
                    times,
                    encoder_hidden_states=text,
                    controlnet_cond=[control.to(self.dtype) for control in controls],
                    conditioning_scale=self.scales,
                    return_dict=False,
                    **added,
                )
            added |= {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        return unet(noisy, times, encoder_hidden_states=text, return_dict=False, **added)[0]
