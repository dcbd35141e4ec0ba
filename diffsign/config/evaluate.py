"""Settings of ``diffsign evaluate``."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import InputPath, Settings


class EvaluateSettings(Settings):
    """What the metrics of a result are measured with."""

    clip: str | None = Field(
        default=None,
        description="CLIP that embeds frames and words: a folder or a hub id in the local cache (the paper's is "
        "openai/clip-vit-large-patch14); by default the family's own.",
    )
    fid_network: Literal["clip", "inception"] = Field(
        default="clip", description="Network whose features FID and KID compare; inception needs inception_weights."
    )
    inception_weights: InputPath | None = Field(
        default=None,
        description="File with the Inception v3 of FID (torch-fidelity's or pytorch-fid's), for fid_network inception.",
    )
    lpips_weights: InputPath | None = Field(
        default=None, description="File with torchvision's AlexNet or VGG16, for LPIPS; without one it is left out."
    )
    fvd_weights: InputPath | None = Field(
        default=None,
        description="File with I3D (pytorch-i3d's, VideoGPT's, or StyleGAN-V's TorchScript), for FVD; without one it "
        "is left out.",
    )
    face_recogniser: Literal["dlib", "arcface", "none"] = Field(
        default="dlib",
        description="What tells people by their faces: dlib's network (the extra identity), or arcface_weights.",
    )
    arcface_weights: InputPath | None = Field(
        default=None, description="ONNX file of ArcFace, for face_recogniser arcface."
    )
    face_threshold: float | None = Field(
        default=None,
        gt=0,
        description="Distance of faces below which they are of one person; by default dlib's 0.6, none for ArcFace.",
    )
    face_frames: int = Field(default=8, ge=1, le=1000, description="Frames of each clip in which faces are compared.")
    face_others: list[InputPath] = Field(
        default=[], description="Pictures of other people, from whom the source should be told apart."
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
