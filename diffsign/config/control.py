"""Settings of ``diffsign control``."""

from typing import Literal, Self

from pydantic import Field, model_validator

from diffsign.config.settings import Settings


class PoseControlSettings(Settings):
    """How the skeleton is drawn."""

    source: Literal["fit", "detect"] = Field(
        default="fit",
        description="fit draws the fitted joints; detect draws keypoints detected on the rendering, as the paper did.",
    )
    draw_body: bool = Field(default=True, description="Draw the body.")
    draw_hands: bool = Field(default=True, description="Draw the hands.")
    draw_face: bool = Field(default=True, description="Draw the face.")
    lines: Literal["training", "picture"] = Field(
        default="training",
        description="Width of lines and dots: training keeps the pixels of the 512-pixel pictures of the OpenPose "
        "ControlNets' training (less in smaller pictures), picture lets them grow with the picture.",
    )
    occlusion: bool = Field(
        default=True, description="Leave out fingers and face points that another part of the body hides."
    )
    min_confidence: float = Field(
        default=0.1, ge=0, le=1, description="Detected points below this confidence are left out (source detect)."
    )


class CannyControlSettings(Settings):
    """How edges are found on the colour pass."""

    low: int = Field(default=100, ge=0, le=1000, description="Lower threshold of the Canny edge detector.")
    high: int = Field(default=200, ge=0, le=1000, description="Upper threshold of the Canny edge detector.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) must not be above high ({self.high})")
        return self


class DepthControlSettings(Settings):
    """How depth becomes a picture."""

    source: Literal["render", "dpt"] = Field(
        default="render",
        description="render takes Blender's depth pass; dpt estimates depth on the colour pass, as the paper did.",
    )
    estimator: str = Field(
        default="Intel/dpt-hybrid-midas",
        description="Depth network for source dpt: a hub id in the cache, or a local folder.",
    )
    near: float | None = Field(
        default=None, gt=0, description="Metres that become white; by default the clip's nearest point."
    )
    far: float | None = Field(
        default=None,
        gt=0,
        description="Metres that become the darkest grey of the body; by default the clip's farthest point.",
    )
    tone: Literal["relief", "training"] = Field(
        default="relief",
        description="relief gives the body most of the greys; training those that MiDaS gave people before a wall in "
        "the depth ControlNets' training, 185 to 255 (then floor is 0.725).",
    )
    floor: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Brightness of the body's farthest point; by default 0.2, or 0.725 with the tone training. The "
        "background is 0.",
    )

    @property
    def darkest(self) -> float:
        """Brightness in [0, 1) of the body's farthest point."""
        return self.floor if self.floor is not None else {"relief": 0.2, "training": 185 / 255}[self.tone]


class ControlSettings(Settings):
    """How the pictures that condition the diffusion model are made."""

    pose: PoseControlSettings = Field(default=PoseControlSettings(), description="The OpenPose skeleton.")
    canny: CannyControlSettings = Field(default=CannyControlSettings(), description="Edges of the colour pass.")
    depth: DepthControlSettings = Field(default=DepthControlSettings(), description="Inverse depth.")
