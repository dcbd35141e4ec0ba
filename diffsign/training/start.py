"""Checkpoints from a family that ships, for whoever clones to train on from there."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.training.architecture import FACTOR, DemoFamily, attach_adapter
from diffsign.training.autoencoder import ENCODER_FILE
from diffsign.training.diffusion import networks
from diffsign.training.layout import load_family


def encoder_basis(family: DemoFamily) -> tuple[torch.Tensor, torch.Tensor]:
    """Read the basis (8, 3, 4, 4) and mean (8,) back from a linear encoder, which is what it does to single pixels."""
    with torch.no_grad():
        dark = family.vae.encoder(-torch.ones(1, 3, FACTOR, FACTOR))[0, :, 0, 0]
        one = torch.eye(3 * FACTOR**2).reshape(-1, 3, FACTOR, FACTOR) * 2 - 1
        basis = family.vae.encoder(one)[:, :, 0, 0].T - dark[:, None]
    return basis.reshape(-1, 3, FACTOR, FACTOR).contiguous(), (-dark).contiguous()


def start_from(folder: str | Path, work: str | Path) -> list[str]:
    """Write the checkpoints of a family's parts as if each had just begun with its weights.

    Args:
        folder: a family that ``diffsign train-demo export`` wrote.
        work: folder of checkpoints; what is trained there already is refused, not overwritten.

    Returns:
        The parts' names.

    Raises:
        DiffSignError: if there is no family, or ``work`` holds checkpoints.
    """
    work = Path(work)
    family = load_family(folder)
    attach_adapter(family)
    parts: dict[str, dict[str, nn.Module]] = {
        "text": {"text_encoder": family.text_encoder},
        "vae": {"decoder": family.vae.decoder},
        "clip": {"clip": family.clip},
        "diffusion": networks(family),
    }
    there = [part for part in parts if (work / f"{part}.pt").exists()]
    if there:
        raise DiffSignError(f"'{work}' already holds checkpoints of {', '.join(there)}; give an empty folder.")
    work.mkdir(parents=True, exist_ok=True)
    basis, mean = encoder_basis(family)
    with atomic(work / ENCODER_FILE) as temporary:
        save_file({"basis": basis, "mean": mean}, temporary)
    for part, modules in parts.items():
        weights = {name: module.state_dict() for name, module in modules.items()}
        with atomic(work / f"{part}.pt") as temporary:
            torch.save({"modules": weights, "average": weights, "step": 0, "seconds": 0.0}, temporary)
    return list(parts)
