"""Train one part of the demo family from frames, in one process or in several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffsign.config.training import TrainSettings
from diffsign.errors import DiffSignError
from diffsign.models.device import best_device
from diffsign.training.adapter import train_adapter
from diffsign.training.architecture import build_family
from diffsign.training.autoencoder import train_autoencoder, use_encoder
from diffsign.training.clip import train_clip
from diffsign.training.data import TrainingFrames
from diffsign.training.diffusion import train_diffusion
from diffsign.training.loop import in_processes
from diffsign.training.text_encoder import train_text_encoder

TRAINERS = {
    "text": train_text_encoder,
    "vae": train_autoencoder,
    "clip": train_clip,
    "diffusion": train_diffusion,
    "adapter": train_adapter,
}


@dataclass(frozen=True)
class Inputs:
    """What is read: a folder of frames that ``diffsign train-demo data`` wrote."""

    frames: Path


@dataclass(frozen=True)
class Outputs:
    """What is written: a folder of checkpoints and logs, gone on from if they are there."""

    work: Path


def _train(part: str, frames: Path, work: Path, settings: TrainSettings) -> None:
    TRAINERS[part](build_family(settings.seed), TrainingFrames(frames), work, settings)


def run(inputs: Inputs, outputs: Outputs, settings: TrainSettings, *, part: str) -> str:
    """Train one part, a key of :data:`TRAINERS`; go on from its checkpoint if there is one.

    Returns:
        Where the checkpoint is.

    Raises:
        DiffSignError: if there are no frames, a part that this one needs is not trained, or a GPU is asked to be
            shared by processes.
    """
    if settings.processes > 1 and best_device(settings.device).type != "cpu":
        raise DiffSignError("processes is for training on a CPU; give --processes 1 or --device cpu.")
    work = outputs.work
    work.mkdir(parents=True, exist_ok=True)
    # the encoder is computed once, before processes start to look for it
    use_encoder(build_family(settings.seed), TrainingFrames(inputs.frames), work, settings.seed)
    in_processes(settings.processes, _train, part, inputs.frames, work, settings)
    return f"{work / f'{part}.pt'}: {part} of the demo family."
