"""Face and hands once more, larger: cut out around the avatar's points, drawn over, and laid back with a soft edge."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np

from diffsign.generate.frames import Sizing
from diffsign.generate.noise import generators_of
from diffsign.models.sampler import Sampling, draw_over, regions_of
from diffsign.records.conditioning import Conditioning
from diffsign.records.keypoints import FACE, LEFT_HAND, RIGHT_HAND

#: Points of each part, in the order in which the parts are drawn: hands lie over the face.
PARTS: dict[Literal["face", "hands"], tuple[slice, ...]] = {"face": (FACE,), "hands": (LEFT_HAND, RIGHT_HAND)}
#: Side of the square that is cut out, in sizes of the part.
ROOM = 1.8
#: Share of the square over which it fades into the picture, on each side.
FADE = 0.2


@dataclass(frozen=True)
class Square:
    """The square around one part in every frame, in pixels of the clip.

    Its side is one for the clip, so that what is drawn does not breathe with the part's outline.

    Attributes:
        centres: (T, 2) float64.
        side: pixels.
        present: (T,) bool, whether at least half the part is in the picture.
    """

    centres: np.ndarray
    side: float
    present: np.ndarray

    @classmethod
    def around(cls, points: np.ndarray, width: int, height: int) -> Square:
        """Return the square around points (T, K, 2), NaN where they are not."""
        with np.errstate(invalid="ignore"):
            inside = ((points >= 0) & (points < (width, height))).all(-1)
        present = inside.mean(1) >= 0.5
        low, high = (edge(np.where(np.isfinite(points), points, 0.0), axis=1) for edge in (np.min, np.max))
        sizes = (high - low).max(1)[present]
        side = ROOM * float(np.percentile(sizes, 90)) if len(sizes) else 0.0
        return cls((low + high) / 2, side, present & (side >= 1))


def cut_out(picture: np.ndarray, corner: np.ndarray, side: float, size: int) -> np.ndarray:
    """Return the square of ``side`` pixels at ``corner`` (x, y) scaled to (size, size, 3), else black the picture."""
    scale = size / side
    matrix = np.array([[scale, 0, (0.5 - corner[0]) * scale - 0.5], [0, scale, (0.5 - corner[1]) * scale - 0.5]])
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR)


def fading(size: int) -> np.ndarray:
    """Return the weight (size, size) of a square that is laid into a picture: 1 in the middle, 0 along the edge."""
    distance = (np.arange(size) + 0.5) / size
    ramp = np.clip(np.minimum(distance, 1 - distance) / FADE, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.outer(ramp, ramp).astype(np.float32)


def lay_back(picture: np.ndarray, patch: np.ndarray, corner: np.ndarray, side: float) -> np.ndarray:
    """Return ``picture`` (H, W, 3) float32 with a patch (S, S, 3) over the square of ``side`` pixels at ``corner``."""
    height, width = picture.shape[:2]
    inner = max(1, round(side))
    small = cv2.resize(patch, (inner, inner), interpolation=cv2.INTER_AREA)
    scale = side / inner
    matrix = np.array([[scale, 0, corner[0] + 0.5 * scale - 0.5], [0, scale, corner[1] + 0.5 * scale - 0.5]])
    weight = cv2.warpAffine(fading(inner), matrix, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    laid = cv2.warpAffine(small, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return picture + weight * (laid - picture)


class Details:
    """Draws parts of generated frames over.

    Args:
        pipeline: an img2img pipeline of diffusers with ControlNets.
        sampling: as the frames were drawn.
        conditioning: who signs.
        controls: names of the pipeline's ControlNets, in their order.
        squares: what is drawn over, in this order.
        clip: width and height of the clip that the squares are in.
        size: pixels of a side at which it is drawn.
        strength: how far it may depart from what is there, above 0 to 1.
        seed: of the noise.
    """

    def __init__(
        self,
        pipeline: Any,
        sampling: Sampling,
        conditioning: Conditioning,
        controls: Sequence[str],
        squares: Sequence[Square],
        clip: tuple[int, int],
        size: int,
        strength: float,
        seed: int,
    ) -> None:
        self.pipeline, self.conditioning, self.controls = pipeline, conditioning, tuple(controls)
        # Of so many steps only the last ``strength`` are taken, and at least one.
        self.sampling = replace(sampling, steps=max(sampling.steps, math.ceil(1 / strength)))
        self.squares, self.clip, self.size, self.strength, self.seed = squares, clip, size, strength, seed

    def redraw(
        self, frames: Sequence[int], pictures: np.ndarray, clips: Mapping[str, Sequence[np.ndarray]], sizing: Sizing
    ) -> np.ndarray:
        """Draw the parts over in frames that were generated together.

        Args:
            frames: their numbers in the clip.
            pictures: (N, H, W, 3) float32 in [0, 1].
            clips: the clip's own pictures of these frames, (h, w, 3) uint8: every control, and the avatar's mask, if
                reference pictures speak for regions.
            sizing: how the clip lies in the pictures.

        Returns:
            (N, H, W, 3) float32 in [0, 1].
        """
        pictures = pictures.astype(np.float32)
        left, top, inner_width, _ = sizing.place(*self.clip)
        scale = inner_width / self.clip[0]
        for square in self.squares:
            places = [place for place, frame in enumerate(frames) if square.present[frame]]
            if not places:
                continue
            corners = square.centres[[frames[place] for place in places]] - square.side / 2
            shown, side = corners * scale + (left, top), square.side * scale
            patches = [cut_out(pictures[place], at, side, self.size) for place, at in zip(places, shown, strict=True)]
            cut = {name: self._cut(clip, places, corners, square.side) for name, clip in clips.items()}
            drawn = draw_over(
                self.pipeline,
                self.sampling,
                self.conditioning,
                np.stack(patches).clip(0, 1),
                self.strength,
                generators_of([self.seed] * len(places)),
                [cut[name] for name in self.controls],
                regions_of(self.conditioning, cut.get("mask")),
            )
            for place, patch, at in zip(places, drawn, shown, strict=True):
                pictures[place] = lay_back(pictures[place], patch.astype(np.float32), at, side)
        return pictures

    def _cut(self, clip: Sequence[np.ndarray], places: list[int], corners: np.ndarray, side: float) -> np.ndarray:
        """Cut the squares out of some pictures of a clip, which may be of another size than the motion's camera."""
        ratio = clip[0].shape[1] / self.clip[0]
        squares = [
            cut_out(clip[place], at * ratio, side * ratio, self.size) for place, at in zip(places, corners, strict=True)
        ]
        return np.stack(squares)


def squares_of(keypoints: np.ndarray, parts: Sequence[Literal["face", "hands"]], clip: tuple[int, int]) -> list[Square]:
    """Return the squares around the parts of every frame, from keypoints (T, 137, 2) in pixels of the clip."""
    return [Square.around(keypoints[:, points], *clip) for name in PARTS if name in parts for points in PARTS[name]]


def drawing_over(pipeline: Any, kind: Any) -> Any:
    """Return the img2img pipeline ``kind`` around the networks of ``pipeline``, with a scheduler of its own."""
    components = dict(pipeline.components) | {"scheduler": copy.deepcopy(pipeline.scheduler)}
    if "safety_checker" in components:
        components["requires_safety_checker"] = False
    else:
        components["add_watermarker"] = False
    made = kind(**components)
    made.set_progress_bar_config(disable=True)
    return made
