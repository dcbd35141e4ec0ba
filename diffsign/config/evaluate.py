"""Settings of ``diffsign evaluate``."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import Settings


class EvaluateSettings(Settings):
    """What the metrics of a result are measured with."""

    clip: str | None = Field(
        default=None,
        description="CLIP that embeds frames and words: a folder or a hub id in the local cache (the paper's is "
        "openai/clip-vit-large-patch14); by default the family's own.",
    )
    fid_network: Literal["clip", "inception"] = Field(
        default="clip", description="Network whose features FID and KID compare; inception needs torch-fidelity."
    )
    inception_weights: str | None = Field(
        default=None, description="File with torch-fidelity's Inception weights, for fid_network inception."
    )
    min_confidence: float = Field(default=0.0, ge=0, le=1, description="A point counts as found above this confidence.")
    pck_alpha: float = Field(
        default=0.1, gt=0, le=1, description="Share of the part's size within which a point is correct."
    )
    tolerance: float = Field(
        default=1.0,
        gt=0,
        description="Factor on the tolerances within which a parameter of the signing counts as the same "
        "(docs/metrics.md).",
    )
    worst_moments: int = Field(
        default=6,
        ge=0,
        le=20,
        description="Worst moments of the signing that a picture shows, one for each parameter at most.",
    )
    flow: bool = Field(default=True, description="Measure flicker along the optical flow.")
    batch_size: int = Field(default=16, ge=1, le=1024, description="Frames that a network takes at once.")
