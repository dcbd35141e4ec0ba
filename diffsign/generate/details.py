"""Face and hands refined at a larger size: cropped around the avatar's points, img2img, composited with a soft edge."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np

from diffsign.generate.noise import generators_of
from diffsign.models.sampler import Sampling, refine, region_masks
from diffsign.models.sizing import Sizing
from diffsign.records.conditioning import Conditioning
from diffsign.records.keypoints import FACE, LEFT_HAND, RIGHT_HAND

#: Points of each part, in the order in which the parts are refined: hands lie over the face.
DETAIL_POINTS: dict[Literal["face", "hands"], tuple[slice, ...]] = {"face": (FACE,), "hands": (LEFT_HAND, RIGHT_HAND)}
#: Side of the square, in sizes of the part.
MARGIN = 1.8
#: Share of the square over which it fades into the picture, on each side.
FADE = 0.2


@dataclass(frozen=True)
class Square:
    """The square around one part in every frame, in pixels of the clip.

    Its side is one for the clip, so that what is refined does not breathe with the part's outline.

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
        side = MARGIN * float(np.percentile(sizes, 90)) if len(sizes) else 0.0
        return cls((low + high) / 2, side, present & (side >= 1))


def crop(picture: np.ndarray, corner: np.ndarray, side: float, size: int) -> np.ndarray:
    """Return the square of ``side`` pixels at ``corner`` (x, y) scaled to (size, size, 3), else black the picture."""
    scale = size / side
    matrix = np.array([[scale, 0, (0.5 - corner[0]) * scale - 0.5], [0, scale, (0.5 - corner[1]) * scale - 0.5]])
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR)


def feather(size: int) -> np.ndarray:
    """Return the weight (size, size) of a square that is composited: 1 in the middle, 0 along the edge."""
    distance = (np.arange(size) + 0.5) / size
    ramp = np.clip(np.minimum(distance, 1 - distance) / FADE, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.outer(ramp, ramp).astype(np.float32)


def composite(picture: np.ndarray, patch: np.ndarray, corner: np.ndarray, side: float) -> np.ndarray:
    """Return ``picture`` (H, W, 3) float32 with a patch (S, S, 3) over the square of ``side`` pixels at ``corner``."""
    height, width = picture.shape[:2]
    inner = max(1, round(side))
    small = cv2.resize(patch, (inner, inner), interpolation=cv2.INTER_AREA)
    scale = side / inner
    matrix = np.array([[scale, 0, corner[0] + 0.5 * scale - 0.5], [0, scale, corner[1] + 0.5 * scale - 0.5]])
    weight = cv2.warpAffine(feather(inner), matrix, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    layer = cv2.warpAffine(small, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return picture + weight * (layer - picture)


@dataclass(frozen=True)
class Refinement:
    """How parts are refined.

    Attributes:
        sampling: as the frames were generated.
        conditioning: who signs.
        controls: names of the pipeline's ControlNets, in their order.
        size: pixels of a side at which a part is drawn.
        strength: how far it may depart from what is there, above 0 to 1.
        seed: of the noise.
    """

    sampling: Sampling
    conditioning: Conditioning
    controls: tuple[str, ...]
    size: int
    strength: float
    seed: int

    @property
    def steps(self) -> int:
        """Steps of the whole schedule, of which the last ``strength`` are taken, and at least one."""
        return max(self.sampling.steps, math.ceil(1 / self.strength))


class Details:
    """Refines parts of generated frames.

    Args:
        pipeline: an img2img pipeline of diffusers with ControlNets.
        refinement: how.
        squares: the parts, in the order in which they are refined.
        clip: width and height of the clip that the squares are in.
    """

    def __init__(self, pipeline: Any, refinement: Refinement, squares: Sequence[Square], clip: tuple[int, int]) -> None:
        self.pipeline, self.refinement, self.squares, self.clip = pipeline, refinement, squares, clip
        self.sampling = replace(refinement.sampling, steps=refinement.steps)

    def refine(
        self, frames: Sequence[int], pictures: np.ndarray, clips: Mapping[str, Sequence[np.ndarray]], sizing: Sizing
    ) -> np.ndarray:
        """Refine the parts in frames that were generated together.

        Args:
            frames: their numbers in the clip.
            pictures: (N, H, W, 3) float32 in [0, 1].
            clips: the clip's pictures of these frames, (h, w, 3) uint8: every control, and the avatar's mask, if
                reference pictures have region masks.
            sizing: how the clip lies in the pictures.

        Returns:
            (N, H, W, 3) float32 in [0, 1].
        """
        how, pictures = self.refinement, pictures.astype(np.float32)
        left, top, inner_width, _ = sizing.place(*self.clip)
        scale = inner_width / self.clip[0]
        for square in self.squares:
            places = [place for place, frame in enumerate(frames) if square.present[frame]]
            if not places:
                continue
            corners = square.centres[[frames[place] for place in places]] - square.side / 2
            targets, side = corners * scale + (left, top), square.side * scale
            crops = {name: self._crop(clip, places, corners, square.side) for name, clip in clips.items()}
            patches = self._refined(
                [crop(pictures[p], at, side, how.size) for p, at in zip(places, targets, strict=True)], crops
            )
            for place, patch, at in zip(places, patches, targets, strict=True):
                pictures[place] = composite(pictures[place], patch.astype(np.float32), at, side)
        return pictures

    def _refined(self, patches: list[np.ndarray], crops: Mapping[str, np.ndarray]) -> np.ndarray:
        how = self.refinement
        return refine(
            self.pipeline,
            self.sampling,
            how.conditioning,
            np.stack(patches).clip(0, 1),
            how.strength,
            generators_of([how.seed] * len(patches)),
            [crops[name] for name in how.controls],
            region_masks(how.conditioning, crops.get("mask")),
        )

    def _crop(self, clip: Sequence[np.ndarray], places: list[int], corners: np.ndarray, side: float) -> np.ndarray:
        """Crop the squares from some pictures of a clip, which may be of another size than the motion's camera."""
        ratio, size = clip[0].shape[1] / self.clip[0], self.refinement.size
        return np.stack([crop(clip[p], at * ratio, side * ratio, size) for p, at in zip(places, corners, strict=True)])


def part_squares(
    keypoints: np.ndarray, parts: Sequence[Literal["face", "hands"]], clip: tuple[int, int]
) -> list[Square]:
    """Return the squares around the parts of every frame, from keypoints (T, 137, 2) in pixels of the clip."""
    return [
        Square.around(keypoints[:, points], *clip)
        for name in DETAIL_POINTS
        if name in parts
        for points in DETAIL_POINTS[name]
    ]


def as_img2img(pipeline: Any, kind: Any) -> Any:
    """Return the img2img pipeline ``kind`` around the networks of ``pipeline``, with a scheduler of its own."""
    components = dict(pipeline.components) | {"scheduler": copy.deepcopy(pipeline.scheduler)}
    if "safety_checker" in components:
        components["requires_safety_checker"] = False
    else:
        components["add_watermarker"] = False
    made = kind(**components)
    made.set_progress_bar_config(disable=True)
    return made
