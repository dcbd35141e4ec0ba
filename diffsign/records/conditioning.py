"""Who signs, as the numbers that condition the diffusion model; computed once for a signer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file

if TYPE_CHECKING:
    import torch

    from diffsign.config.sheets import Region

FORMAT, VERSION = "diffsign-conditioning", 2


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
        regions: which part of the result each picture speaks for; empty where all speak for everything.
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


_TENSORS = (
    "prompt_embeds",
    "negative_prompt_embeds",
    "pooled_prompt_embeds",
    "negative_pooled_prompt_embeds",
    "image_embeds",
    "negative_image_embeds",
)
_WORDS = ("family", "prompt", "negative", "worded", "images", "regions")


def save_conditioning(path: str | Path, conditioning: Conditioning) -> None:
    """Write embeddings as safetensors; words and picture names go into its metadata."""
    from safetensors.torch import save_file

    tensors = {name: getattr(conditioning, name) for name in _TENSORS}
    words = {name: getattr(conditioning, name) for name in _WORDS}
    words["loras"] = [asdict(lora) for lora in conditioning.loras]
    metadata = {"format": FORMAT, "version": str(VERSION), "signer": json.dumps(words, ensure_ascii=False)}
    with atomic(path) as temporary:
        save_file({k: v.contiguous() for k, v in tensors.items() if v is not None}, str(temporary), metadata)


def load_conditioning(path: str | Path) -> Conditioning:
    """Read what :func:`save_conditioning` wrote; raises :class:`DiffSignError` on any other file."""
    from safetensors import SafetensorError, safe_open

    path = require_file(path, "conditioning file")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DiffSignError(f"'{path}' cannot be read as safetensors ({error}); run diffsign encode again.") from error
    if metadata.get("format") != FORMAT:
        raise DiffSignError(f"'{path}' holds no conditioning of a signer; make it with diffsign encode.")
    if int(metadata["version"]) > VERSION:
        raise DiffSignError(f"'{path}' has conditioning version {metadata['version']}, newer than {VERSION}.")
    words = json.loads(metadata["signer"])
    words["images"], words["regions"] = tuple(words["images"]), tuple(words.get("regions", ()))
    words["loras"] = tuple(LoRA(**lora) for lora in words.get("loras", ()))
    for lora in words["loras"]:
        if not Path(lora.path).is_file():
            raise DiffSignError(f"'{path}' names the LoRA '{lora.path}', which is gone; run diffsign encode again.")
    return Conditioning(**words, **tensors)
