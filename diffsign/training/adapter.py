"""An IP-Adapter that says of a picture what the text encoder says of its caption.

The UNet has learned to look up colours in what the text encoder leaves at the end of a caption. The adapter's layers
take over the UNet's own keys and values, and its projection learns, without any drawing, to turn a picture's embedding
into what the caption of that picture adds to a caption that names nothing. A start that costs a minute, written into
the diffusion's checkpoint; training the adapter with the UNet (``diffusion --adapter``) is what should follow.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch

from diffsign.config.training import TrainSettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.training.architecture import CLIP_SIZE, DemoFamily, attach_adapter
from diffsign.training.attributes import Attributes, caption
from diffsign.training.clip import clip_pixels, load_clip
from diffsign.training.data import TrainingFrames
from diffsign.training.loop import Draw, Training, averaged
from diffsign.training.text_encoder import load_text_encoder

#: What a prompt says that leaves the appearance to the picture.
NOTHING = "a person signing"


def _ends(family: DemoFamily, texts: list[str], device: torch.device) -> torch.Tensor:
    """Return what the text encoder leaves from the end of each text on, in the mean: (B, 128)."""
    ids = family.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids.to(device)
    hidden = family.text_encoder(input_ids=ids).last_hidden_state.float()
    done = (ids == family.tokenizer.eos_token_id).float()[..., None]
    return (hidden * done).sum(dim=1) / done.sum(dim=1)


def train_adapter(family: DemoFamily, frames: TrainingFrames, folder: str | Path, settings: TrainSettings) -> None:
    """Train the adapter's projection on pictures and captions of the same appearance, and give it to the diffusion."""
    checkpoint = Path(folder) / "diffusion.pt"
    if not checkpoint.exists():
        raise DiffSignError(f"'{checkpoint}' does not exist; train diffusion first, then its adapter.")
    load_text_encoder(family, folder)
    load_clip(family, folder)
    training = Training(Path(folder) / "adapter.pt", {"adapter": family.adapter}, settings)
    for module in (family.clip, family.text_encoder):
        torch.nn.Module.to(module, training.device).requires_grad_(False)

    def losses(draw: Draw) -> dict[str, torch.Tensor]:
        wanted = [Attributes.random(draw.numpy) for _ in range(settings.batch)]
        pictures = np.stack([frames.portrait(draw.numpy, attributes, CLIP_SIZE) for attributes in wanted])
        with torch.no_grad():
            image = family.image_embeddings(clip_pixels(torch.from_numpy(pictures).float().to(training.device))).float()
            text = _ends(family, [caption(attributes) for attributes in wanted], training.device)
            text = text - _ends(family, [NOTHING], training.device)
        tokens = family.adapter(image).float()
        return {"loss": (tokens - text[:, None]).square().mean(), "baseline": text.square().mean()}

    training.run(losses)
    if training.step >= settings.steps:
        hand_over(family, folder)


def hand_over(family: DemoFamily, folder: str | Path) -> None:
    """Write the distilled adapter into the checkpoint of the diffusion: its layers are the UNet's own."""
    checkpoint = Path(folder) / "diffusion.pt"
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    attach_adapter(family)
    for kind in ("modules", "average"):
        family.unet.load_state_dict(state[kind]["unet"])
        averaged(Path(folder) / "adapter.pt", {"adapter": family.adapter})
        copy_attention(family)
        state[kind]["unet"] = copy.deepcopy(family.unet.state_dict())
    with atomic(checkpoint) as temporary:
        torch.save(state, temporary)


def copy_attention(family: DemoFamily) -> None:
    """Give the adapter's layers the UNet's own keys and values."""
    for number, name in enumerate(family.unet.attn_processors):
        if str(number) in family.processors:
            attention = family.unet.get_submodule(name.removesuffix(".processor"))
            layer = family.processors[str(number)]
            layer.to_k_ip[0].load_state_dict(attention.to_k.state_dict())  # type: ignore[union-attr, index]
            layer.to_v_ip[0].load_state_dict(attention.to_v.state_dict())  # type: ignore[union-attr, index]
