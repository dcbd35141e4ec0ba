"""Settings of ``diffsign export``."""

from typing import Literal

from pydantic import Field

from diffsign.config.render import RenderSettings
from diffsign.config.settings import Settings


class ExportMotionSettings(RenderSettings):
    """The avatar of a motion that is exported as ``.glb`` or ``.blend``."""


class CutoutSettings(Settings):
    """How a signer is cut out with the avatar's mask."""

    edge: float = Field(
        default=0.006, ge=0, le=0.1, description="Over how far the signer fades, as a share of the shorter side."
    )
    grow: float = Field(
        default=0.0,
        ge=-0.1,
        le=0.1,
        description="How much further than the avatar the signer reaches, as a share of the shorter side.",
    )


class InsetSettings(CutoutSettings):
    """Where the signer stands in a film of the source."""

    corner: Literal["top left", "top right", "bottom left", "bottom right"] = Field(
        default="bottom right", description="Corner of the source in which the signer is."
    )
    size: float = Field(
        default=0.4, ge=0.05, le=1, description="Height of the signer's picture, as a share of the film's."
    )
    margin: float = Field(
        default=0.03, ge=0, le=0.4, description="Distance from the film's edges, as a share of its height."
    )
    cut_out: bool = Field(default=False, description="Cut the signer out, in place of a picture with its background.")


class ExportSettings(Settings):
    """What is written for other tools, into the folder ``export`` of every video and every result."""

    motion: list[Literal["npz", "bvh", "glb", "blend"]] = Field(
        default=[],
        description="Formats of the motion: npz (SMPL-X parameters as in AMASS), bvh (skeleton), glb and blend (avatar "
        "with skeleton and animation).",
    )
    keypoints: list[Literal["pose", "openpose"]] = Field(
        default=[], description="Formats of the cleaned keypoints: pose (a .pose file), openpose (a folder of JSON)."
    )
    films: list[Literal["webm", "mov", "inset"]] = Field(
        default=[],
        description="Films of every result: webm (VP9) and mov (ProRes 4444) with the signer cut out, at the source's "
        "rate; inset (mp4), the signer in a corner of the source.",
    )
    avatar: list[Literal["webm", "mov"]] = Field(
        default=[], description="Films of every video's avatar, cut out likewise."
    )
    cutout: CutoutSettings = Field(default=CutoutSettings(), description="How signers and avatars are cut out.")
    inset: InsetSettings = Field(default=InsetSettings(), description="Where the signer is in a film of the source.")
    inset_height: int = Field(
        default=720, ge=64, le=4096, multiple_of=8, description="Height of the film of the source in pixels."
    )
