"""Control pictures in the size the networks take, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diffsign.config.family import Family
from diffsign.config.generate import GenerateSettings
from diffsign.records.clip import ClipInfo

#: Sizes that follow from the clip's shape are multiples of this.
STEP = 8


def chosen_size(family: Family, settings: GenerateSettings, clip: ClipInfo) -> tuple[int, int]:
    """Return width and height of the result: as the settings say, else the family, else the clip."""

    def along(length: int, side: int, other: int) -> int:
        return max(STEP, round(other * length / side / STEP) * STEP)

    if settings.width or settings.height:
        width = settings.width or along(settings.height or 0, clip.height, clip.width)
        return width, settings.height or along(width, clip.width, clip.height)
    if family.width or family.height:
        width = family.width or along(family.height or 0, clip.height, clip.width)
        return width, family.height or along(width, clip.width, clip.height)
    if family.short_side:
        short = min(clip.width, clip.height)
        return along(family.short_side, short, clip.width), along(family.short_side, short, clip.height)
    return clip.width, clip.height


@dataclass(frozen=True)
class Sizing:
    """How a clip's picture lies in the one that is generated.

    The picture is scaled to fit, centred, and the rest is black, which means nothing to a ControlNet. What the
    networks need beyond the asked size (a multiple of their factor) is added on the right and below, and cut off.

    Attributes:
        width: pixels of the result.
        height: pixels of the result.
        padded_width: pixels that are generated.
        padded_height: pixels that are generated.
    """

    width: int
    height: int
    padded_width: int
    padded_height: int

    @classmethod
    def of(cls, width: int, height: int, factor: int) -> Sizing:
        """Return the sizing for a result of ``width`` × ``height`` from networks that take multiples of ``factor``."""
        return cls(width, height, -(-width // factor) * factor, -(-height // factor) * factor)

    def place(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return where a clip's picture of ``width`` × ``height`` lies: left, top, width and height in the result."""
        scale = min(self.width / width, self.height / height)
        inner_width = max(1, min(self.width, round(width * scale)))
        inner_height = max(1, min(self.height, round(height * scale)))
        return (self.width - inner_width) // 2, (self.height - inner_height) // 2, inner_width, inner_height

    def control(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Fit a control picture (H, W, 3) uint8; returns (padded_height, padded_width, 3) uint8."""
        canvas = np.zeros((self.padded_height, self.padded_width, 3), np.uint8)
        left, top, width, height = self.place(frame.shape[1], frame.shape[0])
        if (height, width) != frame.shape[:2]:
            shrinks = width < frame.shape[1]
            way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            canvas[top : top + height, left : left + width] = cv2.resize(frame, (width, height), interpolation=way)
        else:
            canvas[top : top + height, left : left + width] = frame
        return canvas

    def result(self, frames: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
        """Cut generated frames (N, padded_height, padded_width, 3) in [0, 1] to the result's size, as uint8."""
        return np.round(frames[:, : self.height, : self.width] * 255).clip(0, 255).astype(np.uint8)
