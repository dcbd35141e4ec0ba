"""CLIP in small: pictures and captions of the same appearance are brought together (Radford et al. 2021).

Telling pictures from captions asks for shirts and backgrounds, which fill a picture, long before it asks for hair. So a
linear layer must also read the colour of every attribute off a picture's embedding, as it does off a caption's
(:mod:`diffsign.training.text_encoder`); the IP-Adapter takes what it draws from the same embedding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from diffsign.config.training import TrainSettings
from diffsign.training.architecture import CLIP_SIZE, WIDTH, DemoFamily
from diffsign.training.attributes import CHOICES, Attributes, attribute_names, caption
from diffsign.training.data import TrainingFrames
from diffsign.training.loop import Draw, Training, averaged
from diffsign.training.text_encoder import MEANINGS, attribute_weights, meaning

#: How much reading colours off a picture counts beside telling pictures apart.
READING = 6.0
#: What covers few pixels of a picture counts more often.
SMALL = {"hair": 3.0, "sleeves": 3.0}


def clip_pixels(pictures: torch.Tensor) -> torch.Tensor:
    """Normalise pictures (B, 3, 64, 64) in [0, 1] as the family's image processor does."""
    mean, std = (torch.tensor(v, device=pictures.device)[:, None, None] for v in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    return (pictures - mean) / std


def text_embeddings(family: DemoFamily, texts: list[str], device: torch.device) -> torch.Tensor:
    """Return CLIP's embeddings of texts, (B, 128), not normalised."""
    ids = family.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids.to(device)
    return family.clip.text_projection(family.clip.text_model(input_ids=ids).pooler_output)


def train_clip(family: DemoFamily, frames: TrainingFrames, folder: str | Path, settings: TrainSettings) -> None:
    """Train both towers against each other."""
    reader = nn.Linear(WIDTH, MEANINGS)
    training = Training(Path(folder) / "clip.pt", {"clip": family.clip, "reader": reader}, settings)
    names = attribute_names()
    named = frozenset(names)
    counts = torch.from_numpy(attribute_weights(SMALL)).to(training.device)

    def losses(draw: Draw) -> dict[str, torch.Tensor]:
        wanted = [Attributes.random(draw.numpy) for _ in range(settings.batch)]
        pictures = np.stack([frames.portrait(draw.numpy, attributes, CLIP_SIZE) for attributes in wanted])
        pixels = clip_pixels(torch.from_numpy(pictures).float().to(training.device))
        embedding = family.image_embeddings(pixels)
        shown = torch.from_numpy(np.stack([meaning(attributes, named) for attributes in wanted])).to(training.device)
        reading = ((reader(embedding).float() - shown).square() * counts).mean()
        image = functional.normalize(embedding.float(), dim=1)
        texts = [caption(attributes, draw.numpy) for attributes in wanted]
        text = functional.normalize(text_embeddings(family, texts, training.device).float(), dim=1)
        scale = family.clip.logit_scale.exp().clamp(max=100)
        logits = scale * image @ text.T
        # two of a batch may look the same: both are right answers then
        same = torch.tensor([[float(a == b) for b in wanted] for a in wanted], device=training.device)
        target = same / same.sum(dim=1, keepdim=True)
        loss = (_cross(logits, target) + _cross(logits.T, target)) / 2
        # one attribute at a time: the captions of all its values, told apart by the picture alone
        name = (*names, *SMALL)[draw.step % (len(names) + len(SMALL))]
        choices = CHOICES[name]
        plain = [
            caption(Attributes(**{n: v if n == name else CHOICES[n][0] for n in names}), None, frozenset({name}))
            for v in choices
        ]
        classes = functional.normalize(text_embeddings(family, plain, training.device).float(), dim=1)
        answers = torch.tensor(
            [choices.index(getattr(attributes, name)) for attributes in wanted], device=training.device
        )
        scores = scale * image @ classes.T
        single = functional.cross_entropy(scores, answers)
        right = (scores.argmax(dim=1) == answers).float().mean()
        total = loss + single + READING * reading
        return {"loss": total, "contrast": loss.detach(), "reading": reading.detach(), f"right_{name}": right}

    training.run(losses)


def _cross(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()


def load_clip(family: DemoFamily, folder: str | Path) -> int:
    """Give the family the trained CLIP; return the step it is of."""
    return averaged(Path(folder) / "clip.pt", {"clip": family.clip})
