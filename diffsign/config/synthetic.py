"""Settings of ``diffsign demo-signer``."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import Settings


class SyntheticSettings(Settings):
    """Who the synthetic signer is, what the camera sees, and for how long."""

    seed: int = Field(7, ge=0, description="Chooses the person, the clothes, the phrase and the camera.")
    seconds: float = Field(3.0, gt=0, le=600, description="Length of the clip.")
    fps: float = Field(24.0, gt=0, le=120, description="Frames per second.")
    height: int = Field(512, ge=64, le=4096, multiple_of=2, description="Height of the picture in pixels.")
    width: int = Field(512, ge=64, le=4096, multiple_of=2, description="Width of the picture in pixels.")
    age: Literal["adult", "child", "old"] = Field("adult", description="Age of the person.")
    framing: Literal["waist", "chest"] = Field(
        "waist", description="Where the picture cuts the body; at the chest, hands leave the picture now and then."
    )
    roll: float = Field(0.0, ge=-180, le=180, description="Roll of the camera in degrees, clockwise in the picture.")
    samples: int = Field(8, ge=1, le=4096, description="Anti-aliasing samples a pixel.")
    sound: bool = Field(False, description="Add a quiet tone as a sound track (.mp4 only).")
    threads: int = Field(2, ge=1, le=256, description="Threads that Blender may use.")
