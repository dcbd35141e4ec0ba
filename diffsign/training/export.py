"""From checkpoints to the folder that ships."""

from __future__ import annotations

from pathlib import Path

from diffsign.errors import DiffSignError
from diffsign.training.architecture import build_family
from diffsign.training.autoencoder import load_autoencoder
from diffsign.training.clip import load_clip
from diffsign.training.diffusion import load_diffusion
from diffsign.training.layout import save_family
from diffsign.training.text_encoder import load_text_encoder

PARTS = ("text", "vae", "clip", "diffusion")


def export_family(work: str | Path, folder: str | Path, stand_in: bool = False) -> dict[str, object]:
    """Write the family whose parts are trained in ``work``; return what its ``diffsign.json`` says.

    Args:
        work: checkpoints of all parts.
        folder: where the family goes.
        stand_in: it is not trained enough to be judged, and says so as an untrained one does.

    Raises:
        DiffSignError: if a part has no checkpoint.
    """
    work = Path(work)
    absent = [part for part in PARTS if not (work / f"{part}.pt").exists()]
    if absent:
        raise DiffSignError(
            f"'{work}' has no checkpoint of {', '.join(absent)}; run `diffsign train-demo {absent[0]}` first."
        )
    family = build_family()
    steps = {
        "text": load_text_encoder(family, work),
        "vae": load_autoencoder(family, work),
        "clip": load_clip(family, work),
        "diffusion": load_diffusion(family, work),
    }
    card: dict[str, object] = {"family": "demo", "trained": not stand_in, "steps": steps}
    save_family(folder, family, card)
    return card
