"""Train one part of the family from files, in one process or in several."""

from __future__ import annotations

from pathlib import Path

from diffsign.config.training import TrainSettings
from diffsign.errors import DiffSignError
from diffsign.training.adapter import train_adapter
from diffsign.training.architecture import build_family
from diffsign.training.autoencoder import train_autoencoder, use_encoder
from diffsign.training.clip import train_clip
from diffsign.training.data import TrainingFrames
from diffsign.training.diffusion import train_diffusion
from diffsign.training.loop import device_of, in_processes
from diffsign.training.text_encoder import train_text_encoder

TRAINERS = {
    "text": train_text_encoder,
    "vae": train_autoencoder,
    "clip": train_clip,
    "diffusion": train_diffusion,
    "adapter": train_adapter,
}


def _train(part: str, data: Path, work: Path, settings: TrainSettings) -> None:
    TRAINERS[part](build_family(settings.seed), TrainingFrames(data), work, settings)


def train_part(part: str, data: Path, work: Path, settings: TrainSettings) -> None:
    """Train ``vae``, ``clip`` or ``diffusion``; goes on from the checkpoint in ``work`` if there is one.

    Raises:
        DiffSignError: if there are no frames, a part that this one needs is not trained, or a GPU is asked to be
            shared by processes.
    """
    if settings.processes > 1 and device_of(settings).type != "cpu":
        raise DiffSignError("processes is for training on a CPU; give --processes 1 or --device cpu.")
    work.mkdir(parents=True, exist_ok=True)
    # the encoder is computed once, before processes start to look for it
    use_encoder(build_family(settings.seed), TrainingFrames(data), work, settings.seed)
    in_processes(settings.processes, _train, part, data, work, settings)
