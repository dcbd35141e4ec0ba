"""The autoencoder: an encoder from principal components, and a decoder trained to undo it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from diffsign.config.training import TrainSettings
from diffsign.files import atomic
from diffsign.training.architecture import FACTOR, LATENTS, DemoFamily, linear_encoder
from diffsign.training.data import TrainingFrames
from diffsign.training.loop import Draw, Training, averaged

#: Crops that the components are computed from.
ENCODER_CROPS = 400
ENCODER_FILE = "encoder.safetensors"


def fit_encoder(frames: TrainingFrames, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the basis (8, 3, 4, 4) and mean (8,) of the linear encoder.

    Principal components of 4×4 patches in which hands and faces count more, scaled by the inverse square root of
    their standard deviation: half way to unit variance, so that fine detail is heard but does not shout.
    """
    rng = np.random.default_rng([seed, 0])
    patches, weights = [], []
    for _ in range(ENCODER_CROPS):
        sample = frames.draw(rng, 64)
        picture = torch.from_numpy(sample.picture).float()
        patches.append(functional.unfold(picture[None], FACTOR, stride=FACTOR)[0].T)
        weights.append(functional.avg_pool2d(torch.from_numpy(sample.weight)[None, None].float(), FACTOR).flatten())
    x, w = torch.cat(patches).double(), torch.cat(weights).double()
    w = w / w.sum()
    mean = (w[:, None] * x).sum(dim=0)
    centred = x - mean
    variance, vectors = torch.linalg.eigh((centred * w[:, None]).T @ centred)
    variance, vectors = variance.flip(0)[:LATENTS].clamp(min=1e-8), vectors.flip(1)[:, :LATENTS].T
    # the sign of a component is free: the one with a positive sum, so that machines agree
    vectors = vectors * torch.where(vectors.sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
    scale = variance**-0.25
    scale = scale / (variance * scale**2).mean().sqrt()
    basis = (vectors * scale[:, None]).reshape(LATENTS, 3, FACTOR, FACTOR)
    return basis.float(), (basis.flatten(1) @ mean).float()


def use_encoder(family: DemoFamily, frames: TrainingFrames, folder: str | Path, seed: int) -> None:
    """Give the family the encoder of ``folder``, which is computed first if it is not there."""
    path = Path(folder) / ENCODER_FILE
    if not path.exists():
        basis, mean = fit_encoder(frames, seed)
        with atomic(path) as temporary:
            save_file({"basis": basis, "mean": mean}, temporary)
    state = load_file(path)
    linear_encoder(family.vae, state["basis"], state["mean"])


def train_autoencoder(family: DemoFamily, frames: TrainingFrames, folder: str | Path, settings: TrainSettings) -> None:
    """Train the decoder; the encoder stays as it is."""
    use_encoder(family, frames, folder, settings.seed)
    decoder, encoder = family.vae.decoder, family.vae.encoder
    training = Training(Path(folder) / "vae.pt", {"decoder": decoder}, settings)
    encoder.to(training.device)

    def losses(draw: Draw) -> dict[str, torch.Tensor]:
        samples = [frames.draw(draw.numpy, settings.crop) for _ in range(settings.batch)]
        picture = torch.from_numpy(np.stack([s.picture for s in samples])).float().to(training.device) * 2 - 1
        weight = torch.from_numpy(np.stack([s.weight for s in samples])).float().to(training.device)[:, None]
        with torch.no_grad():
            latents = encoder(picture).float()
            # what the UNet hands over is never quite right; the decoder learns to live with that
            jitter = torch.randn(latents.shape, generator=draw.torch).to(latents)
            latents = latents + jitter * 0.04
        drawn = decoder(latents).float()
        wrong = (drawn - picture).abs() / 2
        edges = sum(
            (torch.diff(drawn, dim=d) - torch.diff(picture, dim=d)).abs().mul(_cut(weight, d)).mean() for d in (2, 3)
        )
        squared = ((drawn - picture) / 2).square().mean()
        return {"loss": (wrong * weight).mean() + 0.25 * edges, "psnr": -10 * squared.detach().log10()}

    training.run(losses)


def _cut(weight: torch.Tensor, dim: int) -> torch.Tensor:
    return weight.narrow(dim, 1, weight.shape[dim] - 1)


def load_autoencoder(family: DemoFamily, folder: str | Path) -> int:
    """Give the family the trained decoder and its encoder; return the step they are of."""
    state = load_file(Path(folder) / ENCODER_FILE)
    linear_encoder(family.vae, state["basis"], state["mean"])
    return averaged(Path(folder) / "vae.pt", {"decoder": family.vae.decoder})
