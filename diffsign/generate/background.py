"""Another background behind the generated signer, cut out with the avatar's mask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from diffsign.avatar.background import load_background
from diffsign.avatar.cover import soft_cover
from diffsign.errors import DiffSignError
from diffsign.models.sizing import Sizing
from diffsign.records.clip import ClipInfo, probe_clip


def backdrop(background: str, width: int, height: int) -> np.ndarray:
    """Return the picture (height, width, 3) uint8 that ``background`` stands for: '#rrggbb', or a picture's path."""
    if background == "transparent":
        raise DiffSignError("background: a generated clip has no transparency; give a colour ('#rrggbb') or a picture.")
    loaded = load_background(background, width, height)
    if isinstance(loaded, np.ndarray):
        return loaded
    red, green, blue = (int(background[place : place + 2], 16) for place in (1, 3, 5))
    return np.full((height, width, 3), (red, green, blue), np.uint8)


def require_mask(mask: Path | None, clip: ClipInfo) -> Path:
    """Return the avatar's mask; raise :class:`DiffSignError` if there is none, or it is another clip's."""
    if mask is None:
        raise DiffSignError(
            "a background, or a reference picture of a region, has to know where the signer is: give the avatar's "
            "mask with --mask."
        )
    info = probe_clip(mask)
    if info != clip:
        raise DiffSignError(
            f"mask '{mask}' is {info.width}×{info.height} with {info.frames} frames, the control clips are "
            f"{clip.width}×{clip.height} with {clip.frames}; give the mask of the rendering that they were made from."
        )
    return mask


def before_background(
    frames: Iterable[np.ndarray], masks: Iterable[np.ndarray], wanted: range, picture: np.ndarray, edge: float
) -> Iterator[np.ndarray]:
    """Put each generated frame before a picture.

    Args:
        frames: (H, W, 3) uint8, those of ``wanted``.
        masks: the avatar's masks of the whole clip, (h, w, 3) uint8 of any size.
        wanted: numbers of the frames in the clip.
        picture: (H, W, 3) uint8.
        edge: over how far the signer fades, as a share of the picture's shorter side.

    Raises:
        DiffSignError: if the masks end early.
    """
    height, width = picture.shape[:2]
    sizing = Sizing.of(width, height, 1)
    numbered = enumerate(masks)
    for number, frame in zip(wanted, frames, strict=True):
        mask = next((mask for place, mask in numbered if place == number), None)
        if mask is None:
            raise DiffSignError(f"the mask ends before frame {number + 1}; render the avatar again.")
        cover = soft_cover(sizing.control(mask), edge * min(height, width))
        yield np.rint(picture + cover * (frame.astype(np.float32) - picture)).astype(np.uint8)
