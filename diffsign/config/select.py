"""Settings of ``diffsign select``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from diffsign.config.settings import Settings


def _in_order(frames: list[int]) -> list[int]:
    if any(frame < 0 for frame in frames) or frames != sorted(set(frames)):
        raise ValueError("frames are numbers from 0 on, each once and in order, such as [139, 323]")
    return frames


#: Numbers of frames, counted from 0, in order.
Frames = Annotated[list[int], AfterValidator(_in_order)]


class SelectSettings(Settings):
    """Which frames are selected."""

    frames: Frames = Field(
        default=[], description="Numbers of the frames, counted from 0, such as [139, 323]; by default all."
    )
