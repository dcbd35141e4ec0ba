"""Settings of ``diffsign export``."""

from typing import Literal

from pydantic import Field

from diffsign.config.render import RenderSettings
from diffsign.config.settings import Settings


class ExportMotionSettings(RenderSettings):
    """The avatar of a motion that is exported as ``.glb`` or ``.blend``."""


class ExportSettings(Settings):
    """What is written for other tools, into ``results/videos/{video}/export/``."""

    motion: list[Literal["npz", "bvh", "glb", "blend"]] = Field(
        default=[],
        description="Formats of the motion: npz (SMPL-X parameters as in AMASS), bvh (skeleton), glb and blend (avatar "
        "with skeleton and animation).",
    )
    keypoints: list[Literal["pose", "openpose"]] = Field(
        default=[], description="Formats of the cleaned keypoints: pose (a .pose file), openpose (a folder of JSON)."
    )
