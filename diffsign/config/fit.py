"""Settings of ``diffsign fit``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from diffsign.config.settings import Settings


class StageSettings(Settings):
    """One stage of the annealed fit. Weights are squared in the sum, as in SMPLify-X.

    Image distances count in pixels of a picture 1000 high, so that the same weights serve any size.
    """

    name: str = Field(description="What the log calls the stage.")
    iterations: int = Field(default=8, ge=0, le=500, description="Most Gauss-Newton steps.")
    body_prior: float = Field(default=4.78, ge=0, description="Weight of the pose prior, per radian.")
    hand_prior: float = Field(default=4.78, ge=0, description="Weight of the hand pose prior, per standard deviation.")
    bending: float = Field(
        default=15.2, ge=0, description="Weight of the prior against over-stretched elbows and knees."
    )
    jaw: float = Field(
        default=47.8, ge=0, description="Weight on jaw rotation; ten times as much on turning and shifting."
    )
    shape: float = Field(default=5.0, ge=0, description="Weight on the shape coefficients.")
    expression: float = Field(default=5.0, ge=0, description="Weight on the expression coefficients.")
    body_joints: float = Field(default=3.0, ge=0, description="Weight of body keypoints.")
    hand_joints: float = Field(default=2.0, ge=0, description="Weight of hand keypoints.")
    face_joints: float = Field(default=2.0, ge=0, description="Weight of face keypoints.")
    interpenetration: float = Field(
        default=0.0, ge=0, description="Weight against fingers and hands inside the body, a centimetre."
    )
    touch: float = Field(
        default=0.0,
        ge=0,
        description="Weight that closes small gaps between a hand and what it lies over in the picture, a centimetre.",
    )
    depth: float = Field(
        default=10.0, ge=0, description="Weight of the arms' 3D directions that the detector guesses, per radian."
    )
    hand_depth: float = Field(
        default=6.0, ge=0, description="The same for the bones of the hands, which are guessed worse."
    )
    hidden: float = Field(
        default=0.3,
        ge=0,
        description="Weight that keeps a hand that is not seen out of the picture, per point of its outline.",
    )
    limits: float = Field(default=20.0, ge=0, description="Weight of joint limits, per radian past the limit.")
    temporal: float = Field(default=5.0, ge=0, description="Weight of acceleration, per radian a squared 1/24 s.")

    @classmethod
    def bare(cls, name: str, iterations: int = 8, **weights: float) -> StageSettings:
        """Return a stage whose weights are zero, but for those given."""
        zeros = dict.fromkeys(set(cls.model_fields) - {"name", "iterations"}, 0.0)
        return cls(name=name, iterations=iterations, **{**zeros, **weights})


#: The published annealing of SMPLify-X, to which depth directions, joint limits and time are added.
PUBLISHED = (
    StageSettings(
        body_joints=1,
        name="stage 1",
        body_prior=404,
        hand_prior=404,
        bending=1280,
        jaw=4040,
        shape=100,
        expression=100,
        hand_joints=0,
        face_joints=0,
    ),
    StageSettings(
        body_joints=1,
        name="stage 2",
        body_prior=404,
        hand_prior=404,
        bending=1280,
        jaw=4040,
        shape=50,
        expression=50,
        hand_joints=0,
        face_joints=0,
    ),
    StageSettings(
        body_joints=1,
        name="stage 3",
        body_prior=57.4,
        hand_prior=57.4,
        bending=182,
        jaw=574,
        shape=10,
        expression=10,
        hand_joints=0,
        face_joints=0,
    ),
    StageSettings(name="stage 4", body_joints=1, hand_joints=0.1, face_joints=0, interpenetration=0.01),
    StageSettings(name="stage 5", body_joints=1, interpenetration=1),
)


#: The default: arms start near their place (see ``diffsign.fit.arms``), so that the pose prior need not hold them.
DEFAULT = (
    StageSettings(
        name="body",
        body_prior=10,
        hand_prior=50,
        bending=15,
        jaw=574,
        shape=8,
        expression=50,
        hand_joints=0,
        face_joints=0,
        limits=10,
        hand_depth=0,
    ),
    StageSettings(name="hands", body_prior=4, hand_prior=4.78, shape=8, hand_joints=0.5, face_joints=0.5),
    StageSettings(name="all", body_prior=2, hand_prior=3, shape=8, interpenetration=2, iterations=12),
    StageSettings(name="touches", body_prior=2, hand_prior=3, shape=8, interpenetration=2, iterations=5, touch=6),
)


class FitSettings(Settings):
    """How SMPL-X is fitted to the keypoints of a clip."""

    focal_length: float | None = Field(
        default=None, gt=0, description="Focal length in pixels; by default found from the clip."
    )
    pose_prior: Literal["l2", "gmm", "vposer"] = Field(
        default="gmm", description="Prior on the body's pose; vposer needs its weights."
    )
    vposer: str | None = Field(
        default=None, description="Weights of VPoser v2 (.ckpt, .pt or .npz), for pose_prior vposer."
    )
    robust_scale: float = Field(
        default=100.0, gt=0, description="Scale of the Geman-McClure robustifier, in pixels of a picture 1000 high."
    )
    min_confidence: float = Field(default=0.1, ge=0, le=1, description="Keypoints below this confidence do not pull.")
    window: int = Field(
        default=128, ge=16, le=4096, description="Most frames fitted at once; longer clips go in windows."
    )
    overlap: int = Field(default=16, ge=2, le=256, description="Frames that neighbouring windows share.")
    stages: Literal["default", "published"] | Annotated[tuple[StageSettings, ...], Field(min_length=1)] = Field(
        default="default", description="Annealed stages: default, published (SMPLify-X's), or a list of one's own."
    )

    def schedule(self) -> tuple[StageSettings, ...]:
        """Return the stages in order."""
        if isinstance(self.stages, str):
            return PUBLISHED if self.stages == "published" else DEFAULT
        return self.stages
