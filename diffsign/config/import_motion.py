"""Settings of ``diffsign import-motion``."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import Settings, TrackedPath


class MotionSourceSettings(Settings):
    """What the files of SMPL-X parameters do not say of themselves."""

    source_fps: float | None = Field(
        default=None, gt=0, le=1000, description="Frames per second of the parameters, where their file does not say."
    )
    up: Literal["auto", "y", "z", "camera"] = Field(
        default="auto",
        description="Which way is up: y, z (AMASS), or camera (y points down, as in tools that fit pictures); auto "
        "takes the one in which the signer is upright.",
    )
    hands: Literal["auto", "flat", "mean"] = Field(
        default="auto",
        description="What hand rotations are relative to: the flat hand, or SMPL-X's mean hand; auto is flat for AMASS "
        "and mean for global_orient, body_pose, ….",
    )
    source_body: TrackedPath | None = Field(
        default=None,
        description="The SMPL-X file (.npz) that the parameters belong to: needed for hands as PCA or about the mean, "
        "and to put hands where they were relative to face and trunk.",
    )


class ImportMotionSettings(MotionSourceSettings):
    """The source's own, and rate and size of the clip."""

    fps: float | None = Field(
        default=None, gt=0, le=240, description="Frames per second of the motion; by default the source's, up to 60."
    )
    height: int = Field(default=512, ge=64, le=4096, description="Height of the picture in pixels.")
    width: int | None = Field(
        default=None, ge=64, le=4096, description="Width of the picture in pixels; by default as the height."
    )
