"""UNet, ControlNets and IP-Adapter, trained together from the start on a text encoder that can read.

The real family's parts were trained one after another on frozen ones, because each had its own makers. Here they
are small and begin together, so the ControlNets need no zero convolutions and the UNet can lean on them: with dense
controls the task is nearly a translation of pictures, and hands are in the picture after minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from diffsign.config.training import TrainSettings
from diffsign.training.architecture import CLIP_SIZE, CONTROLS, FACTOR, DemoFamily, attach_adapter
from diffsign.training.attributes import Attributes
from diffsign.training.autoencoder import use_encoder
from diffsign.training.clip import clip_pixels, load_clip
from diffsign.training.data import TrainingFrames, merge_attributes, nothing, words
from diffsign.training.gbuffer import COARSE
from diffsign.training.loop import Draw, Training, averaged
from diffsign.training.text_encoder import load_text_encoder

#: How often each number of controls is used together.
CONTROL_COUNTS = {3: 0.8, 2: 0.12, 1: 0.08}
#: Share of pictures drawn from pure noise: the step that decides most when there are few of them.
PURE_NOISE = 0.65
#: An error below this is squared, one above it counts as it is.
SOFT = 0.05
#: How much differences between neighbours count beside the values themselves.
EDGES = 0.3
#: Share of captions left out, for guidance.
NO_WORDS = 0.1


def open_controls(family: DemoFamily, seed: int) -> None:
    """Let the ControlNets speak from the first step instead of starting at zero."""
    generator = torch.Generator().manual_seed(seed)
    for net in family.controlnets.values():
        zero = [*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out]
        for layer in zero:
            assert isinstance(layer, nn.Conv2d)
            fan_in = layer.weight[0].numel()
            with torch.no_grad():
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * 0.3 / fan_in**0.5)


class Step:
    """One step's loss; call it with the step's random numbers."""

    def __init__(
        self, family: DemoFamily, frames: TrainingFrames, settings: TrainSettings, device: torch.device
    ) -> None:
        self.family, self.frames, self.settings, self.device = family, frames, settings, device
        self.alphas = family.scheduler.alphas_cumprod.to(device)

    def conditions(self, draw: Draw, count: int) -> tuple[list[Attributes], list[str], np.ndarray | None]:
        """Return attributes to draw, captions, and reference pictures if this step has them."""
        rng = draw.numpy
        wanted, texts, pictures = [], [], []
        use_picture = draw.shared.random() < self.settings.adapter
        for _ in range(count):
            asked = Attributes.random(rng)
            text, named = words(asked, rng)
            if use_picture:
                shown = Attributes.random(rng)
                if rng.random() < 0.5:
                    text, named = nothing(rng), frozenset()
                attributes = merge_attributes(asked, shown, named)
                while attributes.held_out():
                    shown = Attributes.random(rng)
                    attributes = merge_attributes(asked, shown, named)
                wanted.append(attributes)
                pictures.append(self.frames.portrait(rng, shown, CLIP_SIZE))
            else:
                wanted.append(asked)
                if rng.random() < NO_WORDS:
                    text = nothing(rng)
            texts.append(text)
        return wanted, texts, np.stack(pictures) if use_picture else None

    def __call__(self, draw: Draw) -> dict[str, torch.Tensor]:
        """Return the losses: over all, and at pure noise."""
        rng, family, settings = draw.numpy, self.family, self.settings
        whole = draw.shared.random() < settings.whole
        size = COARSE if whole else settings.crop
        count = max(1, round(settings.batch * (settings.crop / size) ** 2))
        wanted, texts, pictures = self.conditions(draw, count)
        samples = [self.frames.draw(rng, size, attributes) for attributes in wanted]
        picture = self.tensor([s.picture for s in samples]) * 2 - 1
        weight = functional.avg_pool2d(self.tensor([s.weight for s in samples])[:, None], FACTOR)
        controls = self.tensor([s.controls for s in samples])
        with torch.no_grad():
            clean = family.vae.encoder(picture).float()
        times = torch.randint(0, 1000, (count,), generator=draw.torch)
        times = torch.where(torch.rand(count, generator=draw.torch) < PURE_NOISE, 999, times).to(self.device)
        noise = torch.randn(clean.shape, generator=draw.torch).to(self.device)
        alpha = self.alphas[times][:, None, None, None]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        prediction = self.predict(noisy, times, texts, pictures, controls, self.used(draw.shared))
        away = prediction - clean
        wrong = (away.square() + SOFT**2).sqrt() - SOFT
        each = (wrong * weight).mean(dim=(1, 2, 3)) / weight.mean()
        # outlines, and flat colour without the noise that it came from
        edges = sum((torch.diff(away, dim=d).abs() * weight.narrow(d, 1, weight.shape[d] - 1)).mean() for d in (2, 3))
        losses = {"loss": each.mean() + EDGES * edges / weight.mean(), "colour": each.mean().detach()}
        first = times == 999
        if first.any():
            losses["from_noise" + ("_picture" if pictures is not None else "")] = each[first].mean().detach()
        return losses

    def tensor(self, arrays: list[np.ndarray]) -> torch.Tensor:
        """Stack arrays on the device."""
        return torch.from_numpy(np.stack(arrays)).float().to(self.device)

    @staticmethod
    def used(rng: np.random.Generator) -> list[int]:
        """Draw which controls are used."""
        count = rng.choice(list(CONTROL_COUNTS), p=list(CONTROL_COUNTS.values()))
        return sorted(rng.choice(len(CONTROLS), count, replace=False).tolist())

    def predict(
        self,
        noisy: torch.Tensor,
        times: torch.Tensor,
        texts: list[str],
        pictures: np.ndarray | None,
        controls: torch.Tensor,
        used: list[int],
    ) -> torch.Tensor:
        """Return the clean latents that the family sees in noisy ones, (B, 8, h, w)."""
        family = self.family
        ids = family.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        with torch.no_grad():
            text = family.text_encoder(input_ids=ids.to(self.device)).last_hidden_state
        if pictures is None:
            embedding = torch.zeros(len(texts), 1, family.adapter.image_embeds.in_features, device=self.device)
        else:
            with torch.no_grad():
                embedding = family.image_embeddings(clip_pixels(self.tensor(list(pictures))))[:, None].float()
        for layer in family.processors.values():
            layer.scale = [0.0 if pictures is None else 1.0]  # type: ignore[union-attr]
        down, middle = None, None
        for number in used:
            net = family.controlnets[CONTROLS[number]]
            more, last = net(
                noisy, times, encoder_hidden_states=text, controlnet_cond=controls[:, number], return_dict=False
            )
            down = list(more) if down is None else [a + b for a, b in zip(down, more, strict=True)]
            middle = last if middle is None else middle + last
        return family.unet(
            noisy,
            times,
            encoder_hidden_states=text,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            added_cond_kwargs={"image_embeds": [embedding]},
        ).sample.float()


def networks(family: DemoFamily) -> dict[str, nn.Module]:
    """Return what is trained together, by name."""
    return {
        name: net
        for name, net in family.modules().items()
        if name not in ("vae", "clip", "text_encoder", "adapter", "processors")
    }


def train_diffusion(family: DemoFamily, frames: TrainingFrames, folder: str | Path, settings: TrainSettings) -> None:
    """Train everything that draws, on a text encoder trained before; with ``adapter`` above zero, on CLIP as well."""
    use_encoder(family, frames, folder, settings.seed)
    load_text_encoder(family, folder)
    open_controls(family, settings.seed)
    if settings.adapter > 0:
        load_clip(family, folder)
    # the adapter's layers become a part of the UNet, and are trained and kept with it
    attach_adapter(family)
    training = Training(Path(folder) / "diffusion.pt", networks(family), settings)
    for module in (family.vae, family.clip, family.text_encoder):
        module.to(training.device).requires_grad_(False)  # type: ignore[arg-type]
    training.run(Step(family, frames, settings, training.device))


def load_diffusion(family: DemoFamily, folder: str | Path) -> int:
    """Give the family the trained networks (averaged); return the step they are of."""
    attach_adapter(family)
    return averaged(Path(folder) / "diffusion.pt", networks(family))
