"""Settings of ``diffsign smooth``."""

from pydantic import Field

from diffsign.core.settings import Settings


class SmoothSettings(Settings):
    """How a fitted motion is filtered."""

    body_cutoff: float = Field(6.0, gt=0, description="Cut-off of the filter on body, head and translation, in Hz.")
    hand_cutoff: float = Field(
        10.0, gt=0, description="Cut-off on fingers and wrists, in Hz; fast letters need more than the body."
    )
    max_residual: float = Field(
        3.0, gt=0, description="A frame whose residual is this many times the clip's median is flagged and bridged."
    )
