"""Networks that turn frames and words into features; loaded from local files only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize
from transformers import CLIPModel, CLIPTokenizer
from transformers.image_processing_base import ImageProcessingMixin
from transformers.utils import logging as transformers_logging

from diffsign.errors import DiffSignError
from diffsign.models.device import best_device

#: Mean and deviation of the pictures that OpenAI's CLIP was trained on, for folders without a preprocessor.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class FrameNetwork(Protocol):
    """What FID and KID need of a network."""

    name: str

    def frames(self, frames: np.ndarray) -> Tensor:
        """Return the features (N, D) float32 of frames (N, H, W, 3) uint8."""
        ...


def device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return best_device()


class CLIPEncoder:
    """CLIP with both towers.

    The whole frame is scaled to the network's square input (bicubic, antialiased). CLIP's own
    preprocessing would crop the middle of a frame that is not square, and hands with it.

    Args:
        where: folder in the layout of transformers' CLIPModel, or a hub id in the local cache.
        name: what tables call it.

    Raises:
        DiffSignError: if there is no such model here.
    """

    def __init__(self, where: str | Path, name: str) -> None:
        self.name = name
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        try:
            model = CLIPModel.from_pretrained(str(where), local_files_only=True, dtype=torch.float32)
            self._tokenizer = CLIPTokenizer.from_pretrained(str(where), local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            raise DiffSignError(
                f"no CLIP model (config, weights and tokenizer in the layout of transformers) at '{where}': "
                f"{str(error).splitlines()[0].rstrip('.')}. Give a folder, or an id fetched with `hf download`."
            ) from error
        self._model = model.eval().to(device())  # type: ignore[arg-type]
        try:
            preprocessing, _ = ImageProcessingMixin.get_image_processor_dict(str(where), local_files_only=True)
        except OSError:
            preprocessing = {}
        mean, std = preprocessing.get("image_mean", CLIP_MEAN), preprocessing.get("image_std", CLIP_STD)
        self._mean, self._std = (torch.tensor(v, device=device()).view(1, 3, 1, 1) for v in (mean, std))
        self.size: int = model.config.vision_config.image_size  # pyright: ignore

    @torch.inference_mode()
    def frames(self, frames: np.ndarray) -> Tensor:
        """Embed frames: (N, H, W, 3) uint8 to (N, D) float32, as projected, not normalised."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(device()).permute(0, 3, 1, 2).float() / 255
        if pixels.shape[-2:] != (self.size, self.size):
            pixels = interpolate(pixels, (self.size, self.size), mode="bicubic", antialias=True).clamp(0, 1)
        pooled = self._model.vision_model((pixels - self._mean) / self._std).pooler_output
        return self._model.visual_projection(pooled).cpu()

    @torch.inference_mode()
    def words(self, texts: Sequence[str]) -> Tensor:
        """Embed sentences: (N, D) float32, as projected, not normalised; longer ones are cut as CLIP does."""
        length = self._model.config.text_config.max_position_embeddings  # pyright: ignore
        tokens = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        tokens = {name: value.to(device()) for name, value in tokens.items()}
        pooled = self._model.text_model(**tokens).pooler_output
        return self._model.text_projection(pooled).cpu()


def directional_similarity(source: Tensor, result: Tensor, words_source: Tensor, words_result: Tensor) -> np.ndarray:
    """CLIP directional similarity of frames (Gal et al. 2022, StyleGAN-NADA; Brooks et al. 2023).

    Args:
        source: (T, D) embeddings of the source's frames.
        result: (T, D) embeddings of the result's frames.
        words_source: (D,) embedding of the source's caption.
        words_result: (D,) embedding of the result's caption.

    Returns:
        (T,) cosine between the change of the picture and the change of the words, both of unit
        embeddings; NaN where one of them does not change.
    """
    picture = normalize(result.double(), dim=-1) - normalize(source.double(), dim=-1)
    words = normalize(words_result.double(), dim=-1) - normalize(words_source.double(), dim=-1)
    lengths = picture.norm(dim=-1) * words.norm()
    cosine = (picture @ words) / lengths
    return torch.where(lengths > 1e-9, cosine, torch.nan).numpy()


def mean_similarity(frames: Tensor, references: Tensor) -> np.ndarray:
    """Mean cosine of embedded frames (T, D) with embedded pictures or words (R, D): (T,)."""
    return (normalize(frames.double(), dim=-1) @ normalize(references.double(), dim=-1).T).mean(-1).numpy()
