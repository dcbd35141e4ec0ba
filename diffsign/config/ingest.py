"""Settings of ``diffsign ingest``."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import Settings


class IngestSettings(Settings):
    """How a source video becomes a clip."""

    fps: float | None = Field(
        default=None,
        gt=0,
        le=120,
        description="Frames per second of the clip; by default the source's own, up to 60: no stroke is lost.",
    )
    height: int = Field(default=512, ge=64, le=4096, multiple_of=8, description="Height of the clip in pixels.")
    width: int | None = Field(
        default=None,
        ge=64,
        le=4096,
        multiple_of=8,
        description="Width in pixels; by default as the source's shape asks, to a multiple of 8.",
    )
    bars: Literal["crop", "keep"] = Field(
        default="crop",
        description="Black bars around a source's picture: cropped, so that a hand behind one is known to be out of "
        "the picture, or kept.",
    )
    max_seconds: float = Field(
        default=600.0, gt=0, description="Longest clip that is taken; longer sources need a trim."
    )

    @property
    def rate(self) -> float:
        """Frames per second of the clip, once a source has given what the settings leave to it."""
        if self.fps is None:
            raise ValueError("fps is left to the source, which is not known yet")
        return self.fps
