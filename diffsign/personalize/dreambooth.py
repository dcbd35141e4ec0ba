"""Teach a family one character from a few pictures: DreamBooth with prior preservation, trained as a LoRA.

Ruiz et al., "DreamBooth", CVPR 2023; Hu et al., "LoRA", ICLR 2022. A rare word is tied to the character's looks while
pictures that the base itself has drawn of the class ("a person") keep the class as it was. As at use, the UNet draws
under ControlNets: edges are taken from each picture; a pose and a depth may lie beside it. Words are encoded once and
are not trained.

Everything random comes from the seed and the number of the step, so a run that was cut off and goes on from its
checkpoint ends with the same bits.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from diffsign.config.family import ControlName
from diffsign.config.generate import GenerateSettings
from diffsign.config.personalize import PersonalizeSettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic, picture_files
from diffsign.generate.encode import encode_words, open_picture
from diffsign.models.control_pictures import canny_picture
from diffsign.models.networks import best_device, chosen_preset, library, load_pipeline, quiet_libraries
from diffsign.models.sampler import Sampling, denoise
from diffsign.progress import track
from diffsign.records.conditioning import Conditioning
from diffsign.records.manifest import Manifest

log = logging.getLogger(__name__)

#: Layers of the UNet that the LoRA changes.
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TARGETS = {"attention": ATTENTION, "all": (*ATTENTION, "proj_in", "proj_out", "conv1", "conv2", "conv_shortcut")}
#: Share of the steps at the noise levels that the family's preset samples at; the rest are at any level.
AT_USE = 0.5
#: Steps over which the logged loss is averaged.
WINDOW = 25


def squared(path: str | Path, size: int) -> np.ndarray:
    """Read a picture and cut the square in its middle: (size, size, 3) uint8."""
    return np.array(ImageOps.fit(open_picture(path), (size, size), Image.Resampling.LANCZOS))


def control_file(picture: Path, control: str) -> Path:
    """Return where a picture's control picture lies if there is one: ``1.pose.png`` beside ``1.png``."""
    return picture.with_name(f"{picture.stem}.{control}.png")


def shared_controls(pictures: Sequence[Path], manifest: Manifest) -> list[ControlName]:
    """Return the controls to train under: edges, and those that every picture has beside it."""
    return [
        name
        for name in manifest.controlnets
        if name == "canny" or all(control_file(picture, name).is_file() for picture in pictures)
    ]


@dataclass(frozen=True)
class Examples:
    """Pictures of one thing, as training takes them.

    Attributes:
        latents: (N, C, h, w).
        controls: (N, 3, H, W) in [0, 1] for each ControlNet of the pipeline.
        prompt_embeds: (N, L, D), what is said of each.
        pooled_prompt_embeds: (N, P), SDXL only.
    """

    latents: torch.Tensor
    controls: list[torch.Tensor]
    prompt_embeds: torch.Tensor
    pooled_prompt_embeds: torch.Tensor | None


class Personalization:
    """One character's training.

    Args:
        manifest: the family; it has to hold a ControlNet for canny.
        pictures: files and folders of the character's pictures.
        words: what calls the character, such as "a zwx person".
        class_words: what it is one of, such as "a person"; several descriptions are separated by ";".
        work: folder for the pictures of the class, the checkpoint and the log of the loss.
        settings: how.

    Raises:
        DiffSignError: if a picture cannot be read, the words are the class's, or the family lacks a part.
    """

    def __init__(
        self,
        manifest: Manifest,
        pictures: Sequence[str | Path],
        words: str,
        class_words: str,
        work: str | Path,
        settings: PersonalizeSettings,
    ) -> None:
        self.class_words = [text.strip() for text in class_words.split(";") if text.strip()]
        if not self.class_words or words.split() in [text.split() for text in self.class_words]:
            raise DiffSignError(
                f"the character's words are '{words}', the class's '{class_words}'; the character's need a rare word "
                "more, such as 'zwx'."
            )
        if "canny" not in manifest.controlnets:
            raise DiffSignError(
                f"the manifest of family '{manifest.name}' holds no ControlNet for canny, which personalize draws and "
                "trains with; fetch the family again with canny among its --controls."
            )
        quiet_libraries()
        self.manifest, self.settings, self.work = manifest, settings, Path(work)
        self.words = words
        self.files = picture_files(pictures)
        self.device = best_device(settings.device)
        frozen = "float32" if self.device.type == "cpu" else "bfloat16"
        scales: dict[ControlName, float] = {
            name: manifest.family.controlnets[name].scale or 1.0 for name in shared_controls(self.files, manifest)
        }
        self.sampling = GenerateSettings(
            device=settings.device, dtype=settings.dtype or frozen, controls=scales, batch_size=1
        )
        self.scales = list(scales.values())
        self.pipeline: Any = load_pipeline(manifest, self.sampling)
        sample = int(self.pipeline.unet.config.sample_size or 64)
        self.size = settings.size or sample * self.pipeline.vae_scale_factor
        self.controls = [self._control(name) for name in scales]
        diffusers = library("diffusers")
        self.noising = diffusers.DDPMScheduler.from_config(self.pipeline.scheduler.config)

    def train(self) -> dict[str, torch.Tensor]:
        """Train to the last step, going on from a checkpoint of the same settings if there is one.

        Returns:
            The LoRA's tensors, float32, named as diffusers and PEFT name them.
        """
        character = self._examples([squared(path, self.size) for path in self.files], [self.words])
        prior = None
        if self.settings.prior_weight > 0:
            prior = self._examples([squared(path, self.size) for path in self._prior()], self.class_words)
        unet = self._trainable()
        trained = {name: p for name, p in unet.named_parameters() if p.requires_grad}
        optimizer = torch.optim.AdamW(trained.values(), lr=self.settings.learning_rate, weight_decay=1e-4)
        first = self._restore(trained, optimizer)
        losses = self._losses(first)
        with (self.work / "loss.csv").open("w", encoding="utf-8") as table:
            table.writelines(["step,loss\n", *(f"{step},{loss:.6g}\n" for step, loss in enumerate(losses))])
            recent = lambda: f"loss {np.mean(losses[-WINDOW:]):.4f}" if losses else "loss"  # noqa: E731
            for step in track(range(first, self.settings.steps), recent):
                loss = self._loss(unet, character, prior, step)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
                optimizer.step()
                losses.append(loss.item())
                table.write(f"{step},{losses[-1]:.6g}\n")
                if (step + 1) % self.settings.save_every == 0 or step + 1 == self.settings.steps:
                    table.flush()
                    self._save(trained, optimizer, step + 1)
                    log.info("Step %d of %d, %s.", step + 1, self.settings.steps, recent())
        peft = library("peft")
        found = peft.get_peft_model_state_dict(unet, adapter_name="character")
        return {f"unet.{name}": tensor.detach().float().cpu().contiguous() for name, tensor in found.items()}

    def _control(self, name: ControlName) -> np.ndarray:
        """Return one control of all pictures, (N, H, W, 3) uint8."""
        if name == "canny":
            edges = [canny_picture(squared(path, self.size)) for path in self.files]
            files = [control_file(path, name) for path in self.files]
            return np.stack([squared(f, self.size) if f.is_file() else e for f, e in zip(files, edges, strict=True)])
        return np.stack([squared(control_file(path, name), self.size) for path in self.files])

    def _examples(self, pictures: list[np.ndarray], texts: list[str]) -> Examples:
        """Encode pictures; the n-th has the n-th text and the controls of the character's n-th, counted round."""
        vae, dtype = self.pipeline.vae, self.pipeline.vae.dtype
        latents, order = [], [number % len(self.files) for number in range(len(pictures))]
        with torch.no_grad():
            for picture in pictures:
                pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].to(self.device, dtype) / 127.5 - 1
                encoded = vae.encode(pixels)
                latent = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
                latents.append(latent.float() * vae.config.scaling_factor)
        controls = [torch.from_numpy(c[order]).permute(0, 3, 1, 2).to(self.device) / 255 for c in self.controls]
        said = [self._said(text) for text in texts]
        said = [said[number % len(said)] for number in range(len(pictures))]
        pooled = [words.pooled_prompt_embeds for words in said if words.pooled_prompt_embeds is not None]
        prompts = torch.cat([words.prompt_embeds for words in said])
        return Examples(torch.cat(latents), controls, prompts, torch.cat(pooled) if pooled else None)

    def _said(self, words: str) -> Conditioning:
        encoded = encode_words(self.manifest, words, self.manifest.family.negative_prompt, self.device)
        negative = self.manifest.family.negative_prompt
        return Conditioning(self.manifest.name, words, negative, True, (), **encoded)  # type: ignore[arg-type]

    def _prior(self) -> list[Path]:
        """Return pictures of the class as the base draws it, under the controls of the character's pictures.

        They are drawn once and kept until something that they depend on changes.
        """
        folder, settings = self.work / "prior", self.settings
        # What a picture depends on; more pictures of the same kind are added to those that are there.
        made_of = {
            "base": [self.manifest.base.path, self.manifest.base.bytes],
            "words": self.class_words,
            "pictures": [[str(path), path.stat().st_size] for path in self.files],
            "size": self.size,
            "seed": settings.seed,
            "controls": self.sampling.controls,
            "controlled": settings.controlled,
        }
        note = folder / "made_of.json"
        kept = note.is_file() and json.loads(note.read_text(encoding="utf-8")) == made_of
        folder.mkdir(parents=True, exist_ok=True)
        if not kept:
            for old in folder.glob("*.png"):
                old.unlink()
            note.write_text(json.dumps(made_of, indent=2), encoding="utf-8")
        paths = [folder / f"{number:04d}.png" for number in range(settings.prior_pictures)]
        said = [self._said(text) for text in self.class_words]
        preset = chosen_preset(self.manifest, self.sampling)
        channels, side = self.pipeline.unet.config.in_channels, self.size // self.pipeline.vae_scale_factor
        for number in track([n for n, path in enumerate(paths) if not path.exists()], "pictures of the class"):
            rng = np.random.default_rng([settings.seed, 1, number])
            controls = [control[number % len(self.files)][None] for control in self.controls]
            seen = rng.random() < settings.controlled
            generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
            noise = torch.randn((1, channels, side, side), generator=generator)
            scales = tuple(scale * seen for scale in self.scales)
            sampling = Sampling(preset.steps, preset.guidance_scale, scales)
            words = said[number % len(said)]
            picture = denoise(self.pipeline, sampling, words, noise, [generator], controls)[0]
            with atomic(paths[number]) as temporary:
                Image.fromarray(np.round(picture * 255).clip(0, 255).astype(np.uint8)).save(temporary)
        return paths

    def _trainable(self) -> Any:
        """Return the UNet with a fresh LoRA, everything else frozen."""
        peft = library("peft")
        for part in (self.pipeline.unet, self.pipeline.vae, self.pipeline.controlnet):
            part.requires_grad_(False)
        unet, settings = self.pipeline.unet, self.settings
        config = peft.LoraConfig(
            r=settings.rank,
            lora_alpha=settings.rank,
            init_lora_weights="gaussian",
            target_modules=list(TARGETS[settings.layers]),
        )
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            unet.add_adapter(config, adapter_name="character")
        for parameter in unet.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        if settings.checkpointing:
            unet.enable_gradient_checkpointing()
        return unet.train()

    def _loss(self, unet: Any, character: Examples, prior: Examples | None, step: int) -> torch.Tensor:
        """Return the loss of one step: how wrong the UNet is about the character, and about the class."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, 2, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        shown = [character] if prior is None else [character, prior]
        picked = [rng.integers(len(examples.latents), size=settings.batch_size) for examples in shown]
        clean = torch.cat([examples.latents[index] for examples, index in zip(shown, picked, strict=True)])
        controls = [
            torch.cat([examples.controls[net][index] for examples, index in zip(shown, picked, strict=True)])
            for net in range(len(self.controls))
        ]
        times = self._times(rng, len(clean))
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        noisy = self.noising.add_noise(clean, noise, times)
        kind = self.noising.config.prediction_type
        if kind == "v_prediction":
            target = self.noising.get_velocity(clean, noise, times)
        else:
            target = clean if kind == "sample" else noise
        text = torch.cat([examples.prompt_embeds[index] for examples, index in zip(shown, picked, strict=True)])
        pooled = [
            examples.pooled_prompt_embeds[index]
            for examples, index in zip(shown, picked, strict=True)
            if examples.pooled_prompt_embeds is not None
        ]
        dtype = self.pipeline.unet.dtype
        with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            seen = controls if rng.random() < settings.controlled else None
            found = self._predict(unet, noisy, times, text, seen, torch.cat(pooled) if pooled else None)
        wrong = (found.float() - target).square().mean(dim=(1, 2, 3))
        weights = torch.ones_like(wrong)
        weights[settings.batch_size :] = settings.prior_weight
        return (wrong * weights).sum() / settings.batch_size

    def _times(self, rng: np.random.Generator, count: int) -> torch.Tensor:
        """Draw noise levels: half of them those that the family's preset samples at, the others any."""
        scheduler = self.pipeline.scheduler
        scheduler.set_timesteps(chosen_preset(self.manifest, self.sampling).steps)
        used = np.round(scheduler.timesteps.cpu().numpy()).astype(int)
        every = self.noising.config.num_train_timesteps
        times = np.where(rng.random(count) < AT_USE, rng.choice(used, count), rng.integers(every, size=count))
        return torch.from_numpy(times.clip(0, every - 1)).to(self.device)

    def _predict(
        self,
        unet: Any,
        noisy: torch.Tensor,
        times: torch.Tensor,
        text: torch.Tensor,
        controls: list[torch.Tensor] | None,
        pooled: torch.Tensor | None,
    ) -> torch.Tensor:
        dtype = self.pipeline.unet.dtype
        text = text.to(self.device, dtype)
        added: dict[str, Any] = {}
        if pooled is not None:
            size = torch.tensor([[self.size, self.size, 0, 0, self.size, self.size]], device=self.device)
            added["added_cond_kwargs"] = {
                "text_embeds": pooled.to(self.device, dtype),
                "time_ids": size.repeat(len(noisy), 1).to(dtype),
            }
        noisy = noisy.to(dtype)
        if controls is not None:
            with torch.no_grad():
                down, middle = self.pipeline.controlnet(
                    noisy,
                    times,
                    encoder_hidden_states=text,
                    controlnet_cond=[control.to(dtype) for control in controls],
                    conditioning_scale=self.scales,
                    return_dict=False,
                    **added,
                )
            added |= {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        return unet(noisy, times, encoder_hidden_states=text, return_dict=False, **added)[0]

    def _losses(self, steps: int) -> list[float]:
        """Return the logged losses of the first ``steps`` steps."""
        table = self.work / "loss.csv"
        if not steps or not table.is_file():
            return []
        return [float(line.split(",")[1]) for line in table.read_text(encoding="utf-8").splitlines()[1 : steps + 1]]

    # The checkpoint

    @property
    def _path(self) -> Path:
        return self.work / "checkpoint.pt"

    def _made_of(self) -> str:
        """Everything that a checkpoint must agree on to go on from it, as text."""
        own = self.settings.model_dump(mode="json", exclude={"steps", "save_every", "checkpointing", "device"})
        files = [[str(path), path.stat().st_size] for path in self.files]
        base = [self.manifest.base.path, self.manifest.base.bytes]
        return json.dumps([own, files, base, self.words, self.class_words, self.size])

    def _save(self, trained: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer, step: int) -> None:
        state = {
            "made_of": self._made_of(),
            "step": step,
            "lora": {name: parameter.detach() for name, parameter in trained.items()},
            "optimizer": optimizer.state_dict(),
        }
        with atomic(self._path) as temporary:
            torch.save(state, temporary)

    def _restore(self, trained: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer) -> int:
        """Go on from the checkpoint if it is of this training; return the step to begin with."""
        self.work.mkdir(parents=True, exist_ok=True)
        if not self._path.exists():
            return 0
        try:
            state = torch.load(self._path, map_location=self.device, weights_only=True)
            made_of, step = state["made_of"], int(state["step"])
        except Exception as error:
            raise DiffSignError(
                f"checkpoint '{self._path}' cannot be read ({error}); remove it to begin anew."
            ) from error
        if made_of != self._made_of() or step > self.settings.steps:
            log.info("The checkpoint '%s' is of other pictures or settings; training begins anew.", self._path)
            return 0
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(state["lora"][name])
        optimizer.load_state_dict(state["optimizer"])
        log.info("Going on from step %d.", step)
        return step
