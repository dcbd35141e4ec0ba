"""Settings of ``diffsign train-demo``."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import Settings


class TrainDataSettings(Settings):
    """How the frames that training colours are made."""

    people: int = Field(
        default=100, ge=1, le=100_000, description="Signers, each with a body, a camera and a phrase of their own."
    )
    frames: int = Field(default=20, ge=1, le=10_000, description="Frames taken from each signer's phrase.")
    seconds: float = Field(default=14.0, gt=1, le=600, description="Length of the phrase that frames are taken from.")
    seed: int = Field(default=1000, ge=0, description="Seed of the first signer; the others follow.")


class TrainSettings(Settings):
    """How one part of the family is trained."""

    steps: int = Field(
        default=20_000, ge=1, description="Steps in all; the learning rate falls to zero over the last fifth."
    )
    batch: int = Field(default=16, ge=1, le=4096, description="Pictures a step.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Learning rate of AdamW after warming up.")
    crop: int = Field(
        default=128, ge=64, le=256, multiple_of=16, description="Pixels on a side of the crops trained on."
    )
    adapter: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of diffusion steps that look at a reference picture; needs a trained CLIP.",
    )
    whole: float = Field(
        default=0.1, ge=0, le=1, description="Share of steps on whole pictures (with a smaller batch)."
    )
    ema: float = Field(default=0.998, ge=0, lt=1, description="Decay of the averaged weights, which are what is kept.")
    seed: int = Field(default=0, ge=0, description="Seed of weights, pictures and noise.")
    precision: Literal["fp32", "bf16"] = Field(default="bf16", description="Arithmetic of the forward pass.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where to train; auto takes a GPU if there is one."
    )
    threads: int = Field(default=1, ge=1, description="Threads of a process on a CPU.")
    processes: int = Field(
        default=1, ge=1, le=64, description="Processes that share a step, each with a batch of its own (CPU only)."
    )
    save_every: int = Field(default=200, ge=1, description="Steps between checkpoints.")
    log_every: int = Field(default=20, ge=1, description="Steps that one row of the log is the mean of.")
    minutes: float | None = Field(
        default=None, gt=0, description="Stop after so many minutes with a checkpoint, to go on later."
    )


class MeasureSettings(Settings):
    """How a trained family is measured."""

    pictures: int = Field(
        default=40, ge=1, le=100_000, description="Pictures to draw from words, and as many from pictures."
    )
    steps: int = Field(default=8, ge=1, le=1000, description="Denoising steps.")
    guidance_scale: float = Field(
        default=1.0, ge=0, le=50, description="Classifier-free guidance; up to 1 switches it off."
    )
    adapter_scale: float = Field(default=1.0, ge=0, le=2, description="Weight of the reference picture.")
    batch: int = Field(default=8, ge=1, le=256, description="Pictures drawn at once.")
    seed: int = Field(default=0, ge=0, description="Chooses poses, attributes and noise.")
    threads: int = Field(default=1, ge=1, description="Threads on a CPU.")
