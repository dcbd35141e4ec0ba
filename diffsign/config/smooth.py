"""Settings of ``diffsign smooth``."""

from pydantic import Field

from diffsign.config.settings import Settings


class SmoothSettings(Settings):
    """How a fitted motion is filtered."""

    body_cutoff: float = Field(
        3.5, ge=0, description="Cut-off of the filter on body, head and translation, in Hz; 0 switches it off."
    )
    hand_cutoff: float = Field(
        5.5, ge=0, description="Cut-off on fingers and wrists, in Hz; fast letters need more than the body."
    )
    face_cutoff: float = Field(8.0, ge=0, description="Cut-off on jaw, eyes and expression, in Hz.")
    max_residual: float = Field(
        3.0, gt=0, description="A frame whose residual is this many times the clip's median is flagged and bridged."
    )
