"""Settings of ``diffsign clean``."""

from pydantic import Field

from diffsign.config.settings import Settings


class CleanSettings(Settings):
    """How keypoints are filtered."""

    min_confidence: float = Field(default=0.1, ge=0, le=1, description="Points below this confidence count as missing.")
    max_gap: float = Field(default=0.25, ge=0, le=2, description="Gaps up to this many seconds are filled.")
    smoothing: float = Field(
        default=1.0, ge=0, le=10, description="Strength of the temporal filter; 0 switches it off."
    )
