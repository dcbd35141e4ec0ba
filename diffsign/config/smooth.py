"""Settings of ``diffsign smooth``."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import Settings


class SmoothSettings(Settings):
    """How a fitted motion is filtered."""

    method: Literal["adaptive", "fixed"] | None = Field(
        default=None,
        description="adaptive: as strong as each moment bears, so that holds are steadied and strokes stay; fixed: one "
        "cut-off for all. By default adaptive, unless a cut-off of body or hands is given.",
    )
    hold_cutoff: float = Field(
        default=1.2,
        gt=0,
        description="Cut-off of the adaptive filter at rest, in Hz; what moves is filtered less.",
    )
    body_cutoff: float = Field(
        default=3.5,
        ge=0,
        description="Cut-off of the fixed filter on body, head and translation, in Hz; 0 switches it off.",
    )
    hand_cutoff: float = Field(
        default=5.5, ge=0, description="Cut-off of the fixed filter on fingers and wrists, in Hz; 0 switches it off."
    )
    face_cutoff: float = Field(default=8.0, ge=0, description="Cut-off on jaw, eyes and expression, in Hz.")
    max_residual: float = Field(
        default=3.0,
        gt=0,
        description="A frame whose residual is this many times the clip's median is flagged and bridged.",
    )

    @property
    def is_adaptive(self) -> bool:
        """Whether the filter is adaptive."""
        if self.method is not None:
            return self.method == "adaptive"
        defaults = type(self).model_fields
        return all(getattr(self, name) == defaults[name].default for name in ("body_cutoff", "hand_cutoff"))
