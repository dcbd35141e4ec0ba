"""Settings of ``diffsign fit``."""

from pydantic import Field

from diffsign.core.settings import Settings


class FitSettings(Settings):
    """How SMPL-X is fitted to the keypoints of a clip."""

    focal_length: float | None = Field(
        None, gt=0, description="Focal length in pixels; by default found from the clip."
    )
