"""The stage ``personalize``: a LoRA of one subject from a few pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffsign.config.personalize import PersonalizeSettings
from diffsign.models.device import use_threads
from diffsign.personalize.subject import TrainingSubject
from diffsign.personalize.training import Personalization
from diffsign.records.manifest import load_manifest
from diffsign.records.tensors import save_tensors


@dataclass(frozen=True)
class Inputs:
    """What is learned.

    Attributes:
        manifest: of the model family.
        pictures: files and folders of pictures of the subject.
        instance_prompt: what the subject is called: a rare word and the class, such as "a zwx person".
        class_prompt: the class without the rare word; several descriptions are separated by ";".
    """

    manifest: Path
    pictures: tuple[Path, ...]
    instance_prompt: str
    class_prompt: str = "a person"


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        lora: the LoRA; pictures of the class, the checkpoint and the loss are kept in a folder of that name.
    """

    lora: Path


def run(inputs: Inputs, outputs: Outputs, settings: PersonalizeSettings, *, threads: int | None = None) -> str:
    """Fine-tune a family on a subject, going on where an earlier run was interrupted.

    Raises:
        DiffSignError: if a picture cannot be read, the prompts are the same, or the family lacks a part.
    """
    use_threads(threads)
    subject = TrainingSubject.of(inputs.pictures, inputs.instance_prompt, inputs.class_prompt)
    training = Personalization(load_manifest(inputs.manifest), subject, outputs.lora.with_suffix(""), settings)
    tensors = training.train()
    metadata = {"format": "pt", "words": inputs.instance_prompt, "class_words": inputs.class_prompt}
    save_tensors(outputs.lora, tensors, metadata)
    return f"{outputs.lora}: {outputs.lora.stat().st_size / 1e6:.1f} MB; called by '{inputs.instance_prompt}'."
