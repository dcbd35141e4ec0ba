"""Who signs, as the numbers that condition the diffusion model; computed once for a signer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from diffsign.errors import DiffSignError, explain_validation
from diffsign.records.tensors import checksum_of, load_tensors, save_tensors

if TYPE_CHECKING:
    import torch

    from diffsign.config.sheets import Region

FORMAT, VERSION = "diffsign-conditioning", 3


@dataclass(frozen=True)
class LoRA:
    """A file of LoRA weights and how strongly it is applied."""

    path: str
    scale: float


@dataclass(frozen=True)
class Conditioning:
    """Embeddings of a signer, float32.

    Attributes:
        family: name of the model family that they belong to.
        prompt: the words that were encoded.
        negative: the negative words.
        worded: whether the signer brought words (and not only the family's own).
        images: file names of the reference pictures.
        regions: the part of the result that each picture describes; empty where each describes all of it.
        loras: LoRAs of the signer.
        prompt_embeds: (1, L, D) text.
        negative_prompt_embeds: (1, L, D).
        pooled_prompt_embeds: (1, P), SDXL only.
        negative_pooled_prompt_embeds: (1, P), SDXL only.
        image_embeds: (1, N, E) for N pictures, or (1, N, S, E) where the adapter takes hidden states.
        negative_image_embeds: of the same shape.
    """

    family: str
    prompt: str
    negative: str
    worded: bool
    images: tuple[str, ...]
    prompt_embeds: torch.Tensor
    negative_prompt_embeds: torch.Tensor
    pooled_prompt_embeds: torch.Tensor | None = None
    negative_pooled_prompt_embeds: torch.Tensor | None = None
    image_embeds: torch.Tensor | None = None
    negative_image_embeds: torch.Tensor | None = None
    loras: tuple[LoRA, ...] = ()
    regions: tuple[Region, ...] = ()

    @property
    def kind(self) -> str:
        """``image``, ``text`` or ``multimodal``."""
        if self.image_embeds is None:
            return "text"
        return "multimodal" if self.worded else "image"


@dataclass(frozen=True)
class Description:
    """What a conditioning says of the signer: the words that were encoded, and the reference pictures' file names."""

    prompt: str
    images: tuple[str, ...]


_TENSORS = (
    "prompt_embeds",
    "negative_prompt_embeds",
    "pooled_prompt_embeds",
    "negative_pooled_prompt_embeds",
    "image_embeds",
    "negative_image_embeds",
)


#: The part of a conditioning that is no tensor.
_WORDS = ("family", "prompt", "negative", "worded", "images", "regions", "loras")


def _read_words(text: str, where: str) -> Any:
    """Check the part of a conditioning that is no tensor; whoever only samples needs no pydantic for it."""
    from pydantic import BaseModel, ConfigDict, ValidationError

    from diffsign.config import sheets

    class Words(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)

        family: str
        prompt: str
        negative: str
        worded: bool
        images: list[str]
        regions: list[sheets.Region] = []
        loras: list[LoRA] = []

    Words.model_rebuild(_types_namespace={"sheets": sheets, "LoRA": LoRA})
    try:
        return Words.model_validate_json(text)
    except ValidationError as error:
        raise explain_validation(error, where, known=Words.model_fields) from error


def save_conditioning(path: str | Path, conditioning: Conditioning) -> None:
    """Write embeddings as safetensors; words and picture names go into its metadata."""
    tensors = {name: getattr(conditioning, name) for name in _TENSORS if getattr(conditioning, name) is not None}
    values = {name: getattr(conditioning, name) for name in _WORDS}
    words = json.dumps(values | {"loras": [asdict(lora) for lora in conditioning.loras]}, ensure_ascii=False)
    metadata = {"format": FORMAT, "version": str(VERSION), "signer": words, "checksum": checksum_of(tensors, words)}
    save_tensors(path, tensors, metadata)


def _check_tensors(tensors: Mapping[str, torch.Tensor], where: str) -> None:
    for name in ("prompt_embeds", "negative_prompt_embeds"):
        if name not in tensors:
            raise DiffSignError(f"{where}: '{name}' is missing; run diffsign encode again.")
    for name, tensor in tensors.items():
        if name not in _TENSORS:
            raise DiffSignError(f"{where}: '{name}' is no part of a conditioning; run diffsign encode again.")
        other = name.removeprefix("negative_") if name.startswith("negative_") else f"negative_{name}"
        if other not in tensors or tensors[other].shape[2:] != tensor.shape[2:] or len(tensor) != 1:
            raise DiffSignError(f"{where}: '{name}' and '{other}' do not fit together; run diffsign encode again.")
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            raise DiffSignError(f"{where}: '{name}' holds non-finite values; run diffsign encode again.")


def load_conditioning(path: str | Path) -> Conditioning:
    """Read what :func:`save_conditioning` wrote; raises :class:`DiffSignError` on any other file."""
    tensors, words = _read(path, "pt")
    _check_tensors(tensors, f"conditioning file '{path}'")
    return Conditioning(
        family=words.family,
        prompt=words.prompt,
        negative=words.negative,
        worded=words.worded,
        images=tuple(words.images),
        regions=tuple(words.regions),
        loras=tuple(words.loras),
        **tensors,
    )


def load_description(path: str | Path) -> Description:
    """Read what a conditioning says of the signer, without importing PyTorch; raises as :func:`load_conditioning`."""
    _, words = _read(path, "numpy")
    return Description(words.prompt, tuple(words.images))


def _read(path: str | Path, framework: Literal["pt", "numpy"]) -> tuple[dict[str, Any], Any]:
    """Return tensors and words of a conditioning whose checksum is right."""
    tensors, metadata = load_tensors(path, "conditioning file", framework)
    where = f"conditioning file '{path}'"
    if metadata.get("format") != FORMAT:
        raise DiffSignError(f"'{path}' holds no conditioning of a signer; make it with diffsign encode.")
    if not metadata.get("version", "").isdecimal():
        raise DiffSignError(f"{where} names no version of its format; run diffsign encode again.")
    if int(metadata["version"]) > VERSION:
        raise DiffSignError(f"'{path}' has conditioning version {metadata['version']}, newer than {VERSION}.")
    # Files of versions 1 and 2 have no checksum.
    checksum = metadata.get("checksum")
    if checksum != checksum_of(tensors, metadata.get("signer", "")) and (checksum or int(metadata["version"]) > 2):
        raise DiffSignError(f"{where} is damaged: its checksum does not match; run diffsign encode again.")
    words = _read_words(metadata.get("signer", ""), where)
    for lora in words.loras:
        if not Path(lora.path).is_file():
            raise DiffSignError(f"'{path}' names the LoRA '{lora.path}', which is gone; run diffsign encode again.")
    return tensors, words
