"""Settings of ``diffsign evaluate``."""

from typing import Literal

from pydantic import Field, model_validator

from diffsign.config.settings import InputPath, Settings

#: Files of networks that the user brings.
WEIGHTS = ("inception_weights", "lpips_weights", "fvd_weights", "arcface_weights")


class BackTranslation(Settings):
    """A translator of signed language: a command, or a function of Python."""

    command: str | None = Field(
        default=None,
        min_length=1,
        description="Program with its arguments that prints what it reads; {clip}, {keypoints} (.npz) or {pose} "
        "(.pose) stands for the file.",
    )
    entry: str | None = Field(
        default=None,
        pattern=r"^[\w.]+:\w+$",
        description="Instead of a command: module:function, which takes a path and returns the text.",
    )
    takes: Literal["clip", "keypoints", "pose"] = Field(
        default="clip", description="What the function of entry is given the path of."
    )
    name: str | None = Field(
        default=None, min_length=1, description="What tables call the translator; by default its command or entry."
    )
    embedding: str | None = Field(
        default=None,
        pattern=r"^[\w.]+:\w+$",
        description="module:function that takes a list of texts and returns a vector for each, for their similarity.",
    )
    timeout: float = Field(default=600.0, gt=0, description="Seconds that a command may take for one clip.")

    @model_validator(mode="after")
    def _one_translator(self) -> "BackTranslation":
        if (self.command is None) == (self.entry is None):
            raise ValueError("give one of command and entry")
        if self.command is not None and not any(
            f"{{{kind}}}" in self.command for kind in ("clip", "keypoints", "pose")
        ):
            raise ValueError("the command must have {clip}, {keypoints} or {pose} where the file belongs")
        return self

    @property
    def title(self) -> str:
        """What tables call the translator."""
        return self.name or self.entry or str(self.command)


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
    back_translation: BackTranslation | None = Field(
        default=None,
        description="A translator of signed language, whose reading of the result is compared with what is signed "
        "(command or entry; docs/evaluate.md).",
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

    @model_validator(mode="after")
    def _has_its_weights(self) -> "EvaluateSettings":
        if self.fid_network == "inception" and self.inception_weights is None:
            raise ValueError("fid_network inception needs inception_weights, a file (docs/metrics.md)")
        if self.face_recogniser == "arcface" and self.arcface_weights is None:
            raise ValueError("face_recogniser arcface needs arcface_weights, an ONNX file (docs/metrics.md)")
        return self
