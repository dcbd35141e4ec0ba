"""DreamBooth with prior preservation, trained as a LoRA.

Ruiz et al., "DreamBooth", CVPR 2023; Hu et al., "LoRA", ICLR 2022. A rare word is tied to the subject's appearance
while pictures that the base itself has generated of the class ("a person") keep the class as it was. As in generation,
the UNet runs under ControlNets: edges are taken from each picture; a pose and a depth may lie beside it. Prompts are
encoded once; text encoders are not trained.

Everything random comes from the seed and the number of the step, so a run that was interrupted and goes on from its
checkpoint ends with the same bits.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffsign.config.personalize import PersonalizeSettings
from diffsign.errors import DiffSignError
from diffsign.models.networks import chosen_preset, library
from diffsign.models.training import load_checkpoint, save_checkpoint, update
from diffsign.personalize.class_pictures import class_pictures
from diffsign.personalize.networks import Examples, Networks
from diffsign.personalize.subject import TrainingSubject, read_square
from diffsign.progress import track
from diffsign.records.manifest import Manifest

log = logging.getLogger(__name__)

#: Layers of the UNet that the LoRA changes.
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TARGETS = {"attention": ATTENTION, "all": (*ATTENTION, "proj_in", "proj_out", "conv1", "conv2", "conv_shortcut")}
#: Share of the steps at the noise levels that the family's preset samples at; the rest are at any level.
SAMPLED_LEVELS = 0.5
#: Steps over which the logged loss is averaged.
WINDOW = 25
ADAPTER = "subject"


class Personalization:
    """One subject's training.

    Args:
        manifest: the family; it has to hold a ControlNet for canny.
        subject: who or what is learned.
        work: folder for the pictures of the class, the checkpoint and the log of the loss.
        settings: how.

    Raises:
        DiffSignError: if a picture cannot be read, or the family lacks a part.
    """

    def __init__(
        self, manifest: Manifest, subject: TrainingSubject, work: str | Path, settings: PersonalizeSettings
    ) -> None:
        self.subject, self.settings, self.work = subject, settings, Path(work)
        self.networks = Networks(manifest, subject, settings)
        self.checkpoint = Checkpoint(self.work / "checkpoint.pt", self._made_of(), self.networks.device)

    def _made_of(self) -> str:
        """Everything that a checkpoint must agree on to go on from it, as text."""
        settings = self.settings.model_dump(mode="json", exclude={"steps", "save_every", "checkpointing", "device"})
        base = self.networks.manifest.base
        prompts = [self.subject.instance_prompt, *self.subject.class_prompts]
        return json.dumps([settings, self.subject.sizes, [base.path, base.bytes], prompts, self.networks.size])

    def train(self) -> dict[str, torch.Tensor]:
        """Train to the last step, going on from a checkpoint of the same settings if there is one.

        Returns:
            The LoRA's tensors, float32, named as diffusers and PEFT name them.
        """
        settings, size = self.settings, self.networks.size
        self.work.mkdir(parents=True, exist_ok=True)
        pictures = [read_square(path, size) for path in self.subject.files]
        subject, prior = self.networks.encode(pictures, [self.subject.instance_prompt]), None
        if settings.prior_weight > 0:
            paths = class_pictures(self.networks, self.subject, settings, self.work / "prior")
            prior = self.networks.encode([read_square(path, size) for path in paths], self.subject.class_prompts)
        unet = self._trainable()
        trained = {name: p for name, p in unet.named_parameters() if p.requires_grad}
        optimizer = torch.optim.AdamW(trained.values(), lr=settings.learning_rate, weight_decay=1e-4)
        first = self.checkpoint.restore(trained, optimizer, settings.steps)
        losses = _logged_losses(self.work / "loss.csv", first)
        with (self.work / "loss.csv").open("w", encoding="utf-8") as table:
            table.writelines(["step,loss\n", *(f"{step},{loss:.6g}\n" for step, loss in enumerate(losses))])
            for step in track(range(first, settings.steps), lambda: _recent(losses)):
                loss = self.loss(unet, subject, prior, step)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                update(optimizer, trained.values())
                losses.append(loss.item())
                table.write(f"{step},{losses[-1]:.6g}\n")
                if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
                    table.flush()
                    self.checkpoint.save(trained, optimizer, step + 1)
                    log.info("Step %d of %d, %s.", step + 1, settings.steps, _recent(losses))
        state = library("peft").get_peft_model_state_dict(unet, adapter_name=ADAPTER)
        return {f"unet.{name}": tensor.detach().float().cpu().contiguous() for name, tensor in state.items()}

    def _trainable(self) -> Any:
        """Return the UNet with a fresh LoRA, everything else frozen."""
        settings, pipeline = self.settings, self.networks.pipeline
        for part in (pipeline.unet, pipeline.vae, pipeline.controlnet):
            part.requires_grad_(False)
        config = library("peft").LoraConfig(
            r=settings.rank,
            lora_alpha=settings.rank,
            init_lora_weights="gaussian",
            target_modules=list(TARGETS[settings.layers]),
        )
        unet = pipeline.unet
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            unet.add_adapter(config, adapter_name=ADAPTER)
        for parameter in unet.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        if settings.checkpointing:
            unet.enable_gradient_checkpointing()
        return unet.train()

    def loss(self, unet: Any, subject: Examples, prior: Examples | None, step: int) -> torch.Tensor:
        """Return the loss of one step: the error of the prediction for the subject, and for the class."""
        settings, networks = self.settings, self.networks
        rng = np.random.default_rng([settings.seed, 2, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        batch = _batch([subject] if prior is None else [subject, prior], settings.batch_size, rng)
        times = self._times(rng, len(batch.latents))
        noise = torch.randn(batch.latents.shape, generator=generator).to(networks.device)
        noisy = networks.schedule.add_noise(batch.latents, noise, times)
        target = self._target(batch.latents, noise, times)
        dtype = networks.dtype
        with torch.autocast(networks.device.type, dtype, enabled=dtype != torch.float32):
            controls = batch.controls if rng.random() < settings.controlled else None
            text, pooled = batch.prompt_embeds, batch.pooled_prompt_embeds
            prediction = networks.predict(unet, noisy, times, text, controls, pooled)
        error = (prediction.float() - target).square().mean(dim=(1, 2, 3))
        weights = torch.ones_like(error)
        weights[settings.batch_size :] = settings.prior_weight
        return (error * weights).sum() / settings.batch_size

    def _target(self, clean: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        kind = self.networks.schedule.config.prediction_type
        if kind == "v_prediction":
            return self.networks.schedule.get_velocity(clean, noise, times)
        return clean if kind == "sample" else noise

    def _times(self, rng: np.random.Generator, count: int) -> torch.Tensor:
        """Draw noise levels: half of them those that the family's preset samples at, the others any."""
        networks = self.networks
        scheduler = networks.pipeline.scheduler
        scheduler.set_timesteps(chosen_preset(networks.manifest, networks.sampling).steps)
        sampled = np.round(scheduler.timesteps.cpu().numpy()).astype(int)
        every = networks.schedule.config.num_train_timesteps
        times = np.where(
            rng.random(count) < SAMPLED_LEVELS, rng.choice(sampled, count), rng.integers(every, size=count)
        )
        return torch.from_numpy(times.clip(0, every - 1)).to(networks.device)


def _batch(sources: list[Examples], size: int, rng: np.random.Generator) -> Examples:
    """Draw ``size`` examples from each of ``sources``."""
    indices = [rng.integers(len(examples.latents), size=size) for examples in sources]
    picked = list(zip(sources, indices, strict=True))
    pooled = [e.pooled_prompt_embeds[index] for e, index in picked if e.pooled_prompt_embeds is not None]
    return Examples(
        latents=torch.cat([examples.latents[index] for examples, index in picked]),
        controls=[
            torch.cat([examples.controls[net][index] for examples, index in picked])
            for net in range(len(sources[0].controls))
        ],
        prompt_embeds=torch.cat([examples.prompt_embeds[index] for examples, index in picked]),
        pooled_prompt_embeds=torch.cat(pooled) if pooled else None,
    )


def _recent(losses: list[float]) -> str:
    return f"loss {np.mean(losses[-WINDOW:]):.4f}" if losses else "loss"


def _logged_losses(table: Path, steps: int) -> list[float]:
    """Return the logged losses of the first ``steps`` steps."""
    if not steps or not table.is_file():
        return []
    return [float(line.split(",")[1]) for line in table.read_text(encoding="utf-8").splitlines()[1 : steps + 1]]


class Checkpoint:
    """What an interrupted training goes on from.

    Args:
        path: the file (``.pt``).
        made_of: everything that has to be as it was, as text.
        device: where its tensors are read to.
    """

    def __init__(self, path: Path, made_of: str, device: torch.device) -> None:
        self.path, self.made_of, self.device = path, made_of, device

    def save(self, trained: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer, step: int) -> None:
        """Write weights and optimiser after ``step`` steps."""
        state = {
            "made_of": self.made_of,
            "step": step,
            "lora": {name: parameter.detach() for name, parameter in trained.items()},
            "optimizer": optimizer.state_dict(),
        }
        save_checkpoint(self.path, state)

    def restore(self, trained: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer, steps: int) -> int:
        """Go on from the checkpoint if it is of this training; return the step to begin with.

        Raises:
            DiffSignError: if there is a checkpoint that cannot be read.
        """
        state = load_checkpoint(self.path, self.device)
        if state is None:
            return 0
        if "made_of" not in state or "step" not in state:
            raise DiffSignError(f"checkpoint '{self.path}' is not one of personalize; remove it to begin anew.")
        made_of, step = state["made_of"], int(state["step"])
        if made_of != self.made_of or step > steps:
            log.info("The checkpoint '%s' is of other pictures or settings; training begins anew.", self.path)
            return 0
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(state["lora"][name])
        optimizer.load_state_dict(state["optimizer"])
        log.info("Going on from step %d.", step)
        return step
