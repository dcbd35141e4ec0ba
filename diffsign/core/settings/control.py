"""Settings of ``diffsign control``."""

from typing import Literal

from pydantic import Field

from diffsign.core.settings import Settings


class ControlSettings(Settings):
    """How the pictures that condition the diffusion model are made."""

    pose_source: Literal["fit", "detect"] = Field(
        "fit",
        description="fit draws the fitted joints; detect re-detects them on the rendering, as the paper did.",
    )
    canny_low: int = Field(100, ge=0, le=1000, description="Lower threshold of the Canny edge detector.")
    canny_high: int = Field(200, ge=0, le=1000, description="Upper threshold of the Canny edge detector.")
