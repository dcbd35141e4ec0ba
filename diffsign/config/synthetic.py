"""Settings of ``diffsign synthetic-signer``: who signs, how, and before which camera."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import Field, model_validator

from diffsign.config.settings import Settings

PresetName = Literal["gentle", "fast", "webcam", "seated", "gif", "touching", "turn-taking"]

#: What each preset changes; what is given beside it wins. All but ``gentle`` are as hard as real videos are.
PRESETS: dict[str, dict[str, Any]] = {
    "gentle": {},
    "fast": {"fps": 30.0, "tempo": 2.1, "shutter": 0.5},
    "webcam": {
        "fps": 30.0, "width": 540, "height": 720, "view_angle": 66.0, "hands": "one", "rest": "below",
        "tempo": 1.4, "shutter": 0.6, "picture": "webcam",
    },
    "seated": {"fps": 25.0, "rest": "lap", "handedness": "left", "tempo": 1.4, "shutter": 0.5},
    "gif": {
        "fps": 30.0, "width": 320, "height": 240, "rest": "below", "tempo": 1.4, "touches": True, "shutter": 0.5,
        "picture": "gif",
    },
    "touching": {"fps": 25.0, "tempo": 1.4, "touches": True, "shutter": 0.5, "rest": "lap"},
    "turn-taking": {
        "fps": 25.0, "width": 640, "height": 480, "framing": "chest", "rest": "below", "tempo": 1.4, "shutter": 0.5,
    },
}  # fmt: skip


class SyntheticSettings(Settings):
    """Who the synthetic signer is, how the signing is done, and what the camera makes of it."""

    preset: PresetName = Field(
        default="gentle",
        description="Settings that go together; flags given beside it win. gentle: slow, sharp, always in view. fast: "
        "8 letters a second, strokes of 100 ms. webcam: one hand close to a wide lens, the other never in view. "
        "seated: a left-hander whose hands rest in the lap. gif: 320x240, few colours, touches. touching: chin, "
        "chest and palm. turn-taking: hands rise into the picture and leave it.",
    )
    seed: int = Field(default=7, ge=0, description="Chooses the person, the clothes, the phrase and the camera.")
    seconds: float = Field(default=3.0, gt=0, le=600, description="Length of the clip.")
    fps: float = Field(default=24.0, gt=0, le=120, description="Frames per second.")
    height: int = Field(default=512, ge=64, le=4096, multiple_of=2, description="Height of the picture in pixels.")
    width: int = Field(default=512, ge=64, le=4096, multiple_of=2, description="Width of the picture in pixels.")
    age: Literal["adult", "child", "old"] = Field(default="adult", description="Age of the person.")
    handedness: Literal["by-seed", "right", "left"] = Field(
        default="by-seed", description="The dominant hand; by seed, one signer in ten is left-handed."
    )
    hands: Literal["both", "one"] = Field(
        default="both",
        description="Signs of both hands, or one-handed signs alone, the other hand staying where it rests.",
    )
    tempo: float = Field(
        default=1.0,
        ge=0.5,
        le=2.5,
        description="Speed of signing: 1 is careful (4 letters a second), 2.1 is fast (8 letters a second, repeated "
        "strokes of 100 ms, smaller movements).",
    )
    touches: bool = Field(
        default=False, description="Signs that touch: chin, mouth, chest, and the palm of the other hand."
    )
    rest: Literal["waist", "below", "lap"] = Field(
        default="waist",
        description="Where hands are between signs: before the waist, hanging below the picture, or in the lap, as "
        "of someone who sits.",
    )
    framing: Literal["waist", "chest"] = Field(
        default="waist",
        description="Where the picture cuts the body; at the chest, hands leave the picture now and then.",
    )
    view_angle: float | None = Field(
        default=None,
        ge=15,
        le=100,
        description="Angle of view along the picture's longer side, in degrees; 24 to 38 by seed if not given. "
        "Wide angles bring the signer close: 66 is a phone at arm's length.",
    )
    roll: float = Field(
        default=0.0, ge=-180, le=180, description="Roll of the camera in degrees, clockwise in the picture."
    )
    shutter: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of a frame's time that the shutter is open: 0 is sharp, 0.5 a film camera, 1 a dark room.",
    )
    picture: Literal["clean", "webcam", "gif"] = Field(
        default="clean",
        description="What the camera and the file do to the picture: nothing, noise and coarse JPEG, or 64 colours.",
    )
    samples: int = Field(default=8, ge=1, le=4096, description="Anti-aliasing samples a pixel.")
    sound: bool = Field(default=False, description="Add a quiet tone as a sound track (.mp4 only).")
    threads: int = Field(default=2, ge=1, le=256, description="Threads that Blender may use.")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        """Take from the preset what is not given."""
        if not isinstance(values, dict):
            return values
        given = cast("dict[str, Any]", values)
        return {**PRESETS.get(str(given.get("preset", "")), {}), **given}
