"""Self-attention across frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor2_0


class CrossFrameAttention(AttnProcessor2_0):
    """Self-attention in which each frame sees, beside itself, other frames that are denoised with it.

    As in Text2Video-Zero (Khachatryan et al., ICCV 2023) and Rerender A Video (Yang et al., SIGGRAPH Asia 2023): keys
    and values of the frames looked at are put beside the frame's own. Which those are is set before each run.

    Attributes:
        attended: (N, A) int64, the places in the batch of the frames that each of N frames sees; None for itself alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attended: torch.Tensor | None = None

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Attend; ``hidden_states`` is (G·N, L, C) for N frames, G = 2 with guidance."""
        if encoder_hidden_states is None and self.attended is not None:
            groups = hidden_states.unflatten(0, (-1, len(self.attended)))
            encoder_hidden_states = groups[:, self.attended].flatten(0, 1).flatten(1, 2)
        return super().__call__(attn, hidden_states, encoder_hidden_states, *args, **kwargs)


def use_cross_frame_attention(unet: Any) -> CrossFrameAttention:
    """Put one :class:`CrossFrameAttention` into every self-attention of a UNet, and return it.

    Cross-attention keeps its processors: the IP-Adapter lives there.
    """
    shared = CrossFrameAttention()
    processors = {
        name: shared if name.endswith("attn1.processor") else processor
        for name, processor in unet.attn_processors.items()
    }
    unet.set_attn_processor(processors)
    return shared


def attend(processor: CrossFrameAttention, attended: np.ndarray | None, device: torch.device) -> None:
    """Say which frames of the next batch see which."""
    processor.attended = None if attended is None else torch.from_numpy(attended).to(device)
