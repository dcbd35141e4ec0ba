"""Pictures of the subject's class as the base generates it, for prior preservation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from diffsign.config.personalize import PersonalizeSettings
from diffsign.files import atomic
from diffsign.models.networks import chosen_preset
from diffsign.models.sampler import Sampling, denoise
from diffsign.personalize.networks import Networks
from diffsign.personalize.subject import TrainingSubject
from diffsign.progress import track


def class_pictures(
    networks: Networks, subject: TrainingSubject, settings: PersonalizeSettings, folder: Path
) -> list[Path]:
    """Return pictures of the class in ``folder``, generated under the controls of the subject's pictures.

    They are generated once and kept until something that they depend on changes; more of the same kind are added.
    """
    _clear_if_changed(networks, subject, settings, folder)
    paths = [folder / f"{number:04d}.png" for number in range(settings.prior_pictures)]
    missing = [number for number, path in enumerate(paths) if not path.exists()]
    prompts = [networks.encode_prompt(text) for text in subject.class_prompts]
    preset = chosen_preset(networks.manifest, networks.sampling)
    pipeline = networks.pipeline
    channels, side = pipeline.unet.config.in_channels, networks.size // pipeline.vae_scale_factor
    for number in track(missing, "pictures of the class"):
        rng = np.random.default_rng([settings.seed, 1, number])
        controls = [control[number % len(subject.files)][None] for control in networks.controls]
        controlled = rng.random() < settings.controlled
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        noise = torch.randn((1, channels, side, side), generator=generator)
        scales = tuple(scale * controlled for scale in networks.scales)
        sampling = Sampling(preset.steps, preset.guidance_scale, scales)
        picture = denoise(pipeline, sampling, prompts[number % len(prompts)], noise, [generator], controls)[0]
        with atomic(paths[number]) as temporary:
            Image.fromarray(np.round(picture * 255).clip(0, 255).astype(np.uint8)).save(temporary)
    return paths


def _clear_if_changed(
    networks: Networks, subject: TrainingSubject, settings: PersonalizeSettings, folder: Path
) -> None:
    """Delete the pictures in ``folder`` unless they were generated from the same things."""
    made_of = {
        "base": [networks.manifest.base.path, networks.manifest.base.bytes],
        "words": list(subject.class_prompts),
        "pictures": subject.sizes,
        "size": networks.size,
        "seed": settings.seed,
        "controls": networks.sampling.controls,
        "controlled": settings.controlled,
    }
    note = folder / "made_of.json"
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) == made_of:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    note.write_text(json.dumps(made_of, indent=2), encoding="utf-8")
