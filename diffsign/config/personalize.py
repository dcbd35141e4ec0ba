"""Settings of ``diffsign personalize``, and the subjects of a config."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from diffsign.config.family import DType
from diffsign.config.renamed import formerly
from diffsign.config.settings import Settings


class PersonalizeSettings(Settings):
    """How a LoRA is trained from a few pictures (DreamBooth with prior preservation)."""

    steps: int = Field(default=400, ge=1, le=100_000, description="Training steps; more for a closer likeness.")
    learning_rate: float = Field(default=1e-4, gt=0, le=0.1, description="Step size of the optimiser.")
    rank: int = Field(default=16, ge=1, le=256, description="Rank of the LoRA: how much it can hold.")
    layers: Literal["attention", "all"] = Field(
        default="attention",
        description="What the LoRA changes; all takes convolutions as well, which small families need.",
    )
    batch_size: int = Field(
        default=1, ge=1, le=64, description="Pictures a step, and as many of the prior beside them."
    )
    size: int | None = Field(
        default=None,
        ge=64,
        le=2048,
        multiple_of=8,
        description="Pixels on a side; by default what the base was trained at.",
    )
    controlled: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of the steps that see control pictures, as at use. With them a LoRA learns colours and "
        "textures, without them also shapes; the family demo cannot draw without them.",
    )
    prior_weight: float = Field(
        default=1.0, ge=0, le=10, description="Weight of what the class looked like before; 0 is none."
    )
    prior_pictures: int = Field(default=16, ge=1, le=1000, description="Pictures of the class, drawn once by the base.")
    seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of everything random; the same gives the same LoRA.")
    save_every: int = Field(default=50, ge=1, le=100_000, description="Steps between checkpoints.")
    checkpointing: bool = Field(default=False, description="Save memory by computing activations twice; slower.")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Where to compute.")
    dtype: DType | None = Field(
        default=None, description="Precision of what is not trained; by default bfloat16 on a GPU, float32 on a CPU."
    )


class SubjectSettings(PersonalizeSettings):
    """A person who has consented, or a designed character, given by a few pictures."""

    pictures: list[str] = Field(min_length=1, description="Pictures, or folders of pictures.")
    instance_prompt: str = Field(
        min_length=1,
        description="What the subject is called: a rare word and the class, 'a zwx person'.",
        json_schema_extra=formerly("words"),
    )
    class_prompt: str = Field(
        default="a person",
        min_length=1,
        description="The class, without the rare word; several descriptions, separated by ';', are kept all.",
        json_schema_extra=formerly("class_words"),
    )
    family: str | None = Field(
        default=None, description="Model family to fine-tune; by default that of signers given by words."
    )

    @property
    def rare_words(self) -> list[str]:
        """The words of the instance prompt that the class prompt does not have."""
        common = self.class_prompt.replace(";", " ").split()
        return [word for word in self.instance_prompt.split() if word not in common]

    @property
    def training(self) -> PersonalizeSettings:
        """The settings of its training alone."""
        return PersonalizeSettings(**self.model_dump(include=set(PersonalizeSettings.model_fields)))
