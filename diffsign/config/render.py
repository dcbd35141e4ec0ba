"""Settings of ``diffsign render``."""

from typing import Literal

from pydantic import Field

from diffsign.config.appearance import Appearance


class RenderSettings(Appearance):
    """How the avatar looks and how it is rendered."""

    engine: Literal["workbench", "eevee", "cycles"] = Field(
        default="workbench", description="Blender's render engine; workbench is fast on a CPU."
    )
    samples: int = Field(
        default=4,
        ge=1,
        le=4096,
        description="Samples a pixel; workbench takes the nearest of 1 (no anti-aliasing), 4, 9 and 16.",
    )
    blender: str | None = Field(
        default=None, description="Blender program to run; by default the bpy package of this Python is used."
    )
    keep_scene: bool = Field(
        default=False,
        description="Also keep the scene as scene.blend beside the clips, with its point caches, for Blender.",
    )
