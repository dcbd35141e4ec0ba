"""Teach the text encoder to read captions before anything is drawn from them.

"Red" may be the shirt, the hair or nothing of the kind, and a UNet is a slow teacher of that: each attribute costs it a
whole picture. Here the encoder alone learns, a hundred captions a second, to hold the colour of every
attribute in a form that a linear layer reads off at the end of the caption, and whether it was named.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from diffsign.config.training import TrainSettings
from diffsign.training.architecture import WIDTH, DemoFamily
from diffsign.training.attributes import CHOICES, COLOURS, Attributes
from diffsign.training.data import TrainingFrames, words
from diffsign.training.loop import Draw, Training, averaged


def meaning(attributes: Attributes, named: frozenset[str]) -> np.ndarray:
    """Return what a caption says as numbers, (18,) float32.

    For every attribute its colour about grey (sleeves: ±1), zero if not named, and whether it is named.
    """
    values = []
    for name in CHOICES:
        value = getattr(attributes, name)
        numbers = (
            np.array(COLOURS[name][value]) * 2 - 1 if name in COLOURS else np.array([1.0 if value == "long" else -1.0])
        )
        values += [*(numbers if name in named else 0 * numbers), 1.0 if name in named else 0.0]
    return np.array(values, np.float32)


def attribute_weights(weights: dict[str, float]) -> np.ndarray:
    """Return how much each number of :func:`meaning` counts when some attributes count more, (18,) float32."""
    sizes = {name: (3 if name in COLOURS else 1) + 1 for name in CHOICES}
    return np.concatenate([np.full(size, weights.get(name, 1.0), np.float32) for name, size in sizes.items()])


MEANINGS = len(meaning(Attributes(*(values[0] for values in CHOICES.values())), frozenset()))


def train_text_encoder(family: DemoFamily, frames: TrainingFrames, folder: str | Path, settings: TrainSettings) -> None:
    """Train the text encoder on captions alone; ``frames`` are not looked at."""
    reader = nn.Linear(WIDTH, MEANINGS)
    modules = {"text_encoder": family.text_encoder, "reader": reader}
    training = Training(Path(folder) / "text.pt", modules, settings)
    end = family.tokenizer.eos_token_id

    def losses(draw: Draw) -> dict[str, torch.Tensor]:
        texts, targets = [], []
        for _ in range(settings.batch):
            attributes = Attributes.random(draw.numpy, held=None)
            text, named = words(attributes, draw.numpy)
            texts.append(text)
            targets.append(meaning(attributes, named))
        ids = family.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        ids = ids.to(training.device)
        meanings = torch.from_numpy(np.stack(targets)).to(training.device)[:, None]
        readings = reader(family.text_encoder(input_ids=ids).last_hidden_state).float()
        # padding is the end token, so every place from the end on has seen the whole caption
        ended = (ids == end).float()
        error = (readings - meanings).square().mean(dim=2)
        return {"loss": (error * ended).sum() / ended.sum()}

    training.run(losses)


def load_text_encoder(family: DemoFamily, folder: str | Path) -> int:
    """Give the family the text encoder that has learned to read; return the step it is of."""
    return averaged(Path(folder) / "text.pt", {"text_encoder": family.text_encoder})
