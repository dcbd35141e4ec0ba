"""Settings of ``diffsign import-pose``."""

from pydantic import Field

from diffsign.config.settings import Settings


class ImportPoseSettings(Settings):
    """The picture and the rate that the points of a ``.pose`` file are brought to."""

    fps: float | None = Field(default=None, gt=0, le=120, description="Frames per second; by default the file's.")
    height: int = Field(default=512, ge=64, le=4096, multiple_of=8, description="Height of the picture in pixels.")
    width: int | None = Field(
        default=None, ge=64, le=4096, multiple_of=8, description="Width in pixels; by default as the file's shape asks."
    )
    person: int | None = Field(default=None, ge=0, description="Number of the person, from 0; by default the largest.")
