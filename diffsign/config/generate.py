"""Settings of ``diffsign fetch``, ``encode`` and ``generate``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from diffsign.config.family import ControlName, DType
from diffsign.config.settings import Settings


class FetchSettings(Settings):
    """Which parts of a family are needed."""

    controls: list[ControlName] | None = Field(
        default=None,
        description="Controls whose ControlNets are needed; by default those with a scale above 0 in the family.",
    )
    ip_adapter: bool = Field(
        default=True, description="The IP-Adapter and its image encoder, for signers given by pictures."
    )
    clip: bool = Field(default=False, description="The CLIP model that judges the result.")
    preset: str | None = Field(default=None, description="Preset whose LoRA is needed; by default the family's.")
    loras: list[str] = Field(
        default=[], description="Names of further LoRAs of the family, for signers that name them."
    )
    motion_adapter: bool = Field(default=False, description="The motion module, for temporal: animatediff.")


class EncodeSettings(Settings):
    """How a signer is encoded."""

    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Where to compute.")


class GenerateSettings(Settings):
    """How a signer is generated. What is null is taken from the model family."""

    preset: str | None = Field(default=None, description="Way to sample, by its name in the family.")
    steps: int | None = Field(default=None, ge=1, le=1000, description="Denoising steps.")
    guidance_scale: float | None = Field(
        default=None,
        ge=0,
        le=50,
        description="Classifier-free guidance; up to 1 switches it off, and the negative prompt.",
    )
    controls: dict[ControlName, float] | None = Field(
        default=None, description="Controls to follow, with their conditioning scales, such as {pose: 1.0, canny: 0.8}."
    )
    control_start: float = Field(default=0.0, ge=0, le=1, description="Share of the steps before the controls set in.")
    control_end: float = Field(
        default=1.0, ge=0, le=1, description="Share of the steps after which the controls let go."
    )
    ip_adapter_scale: float | None = Field(default=None, ge=0, le=2, description="Weight of the reference pictures.")
    seed: int | None = Field(default=None, ge=0, lt=2**63, description="Seed of the noise.")
    noise: Literal["shared", "mesh", "frame"] | None = Field(
        default=None,
        description="What frames start from: the same noise, as the paper did (shared); noise that moves with the "
        "avatar's surface (mesh); each its own (frame). By default shared, and frame with temporal: animatediff.",
    )
    temporal: Literal["none", "cross-frame", "animatediff"] = Field(
        default="none",
        description="What frames see of each other: nothing (none); the first frame and the last key frame, in "
        "self-attention (cross-frame); their neighbours, through the family's motion module (animatediff).",
    )
    key_every: int = Field(
        default=8, ge=1, le=1000, description="Distance of the key frames of cross-frame, in frames."
    )
    width: int | None = Field(
        default=None,
        ge=64,
        le=4096,
        multiple_of=8,
        description="Width in pixels, as many 8s as there are latents; alone, the height follows the clip's shape.",
    )
    height: int | None = Field(
        default=None,
        ge=64,
        le=4096,
        multiple_of=8,
        description="Height in pixels, as many 8s as there are latents; alone, the width follows the clip's shape.",
    )
    details: list[Literal["face", "hands"]] = Field(
        default=[], description="Parts that are cropped, refined at a larger size (img2img), and composited."
    )
    details_strength: float = Field(
        default=0.4, ge=0.05, le=1, description="How far details may depart from what is there; 1 keeps nothing of it."
    )
    details_size: int | None = Field(
        default=None,
        ge=64,
        le=2048,
        multiple_of=8,
        description="Pixels of a side at which details are refined; by default the family's short side, or 512.",
    )
    background: str | None = Field(
        default=None,
        description="Colour ('#rrggbb') or picture to put behind the signer, whom the avatar's mask cuts out; by "
        "default what the model draws.",
    )
    background_edge: float = Field(
        default=0.01,
        ge=0,
        le=0.1,
        description="Over how far the signer fades into a background, as a share of the shorter side.",
    )
    batch_size: int = Field(default=8, ge=1, le=256, description="Frames denoised together; less for less memory.")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Where to compute.")
    dtype: DType | None = Field(
        default=None, description="Precision; by default the family's on a GPU, float32 on a CPU."
    )
    offload: Literal["none", "model", "sequential"] = Field(
        default="none",
        description="Keep networks in main memory while they wait (model), or every layer (sequential, slow).",
    )
    vae_tiling: bool = Field(default=False, description="Decode large pictures in tiles, for small cards.")
    vae_slicing: bool = Field(default=False, description="Decode the frames of a batch one by one, for small cards.")
    compile: bool = Field(
        default=False, description="Compile the networks with torch.compile; pays off for long clips on GPUs."
    )

    @property
    def starting_noise(self) -> Literal["shared", "mesh", "frame"]:
        """What frames start from. Motion modules are trained on independent noise for each frame."""
        return self.noise or ("frame" if self.temporal == "animatediff" else "shared")

    @model_validator(mode="after")
    def _one_frame_at_a_time(self) -> GenerateSettings:
        if self.details and self.temporal == "animatediff":
            raise ValueError("details are refined frame by frame, which animatediff's networks cannot; leave one out")
        return self

    @field_validator("background")
    @classmethod
    def _backdrop(cls, value: str | None) -> str | None:
        if value is not None and (value == "transparent" or not value):
            raise ValueError("it must be a colour written as '#rrggbb' or the path of a picture")
        return value

    @field_validator("controls")
    @classmethod
    def _scales(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        for name, scale in (value or {}).items():
            if not 0 <= scale <= 2:
                raise ValueError(f"the scale of '{name}' is {scale:g}; it must be from 0 to 2")
        if value is not None and not any(value.values()):
            raise ValueError("at least one control needs a scale above 0")
        return value
