"""What a camera makes of what is before it: blur by movement, noise, few colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
from PIL import Image

#: Pixels that something may move between two moments of an exposure before one sees them apart.
STEP = 2.5
#: sRGB's mean exponent: light adds up before it is encoded.
GAMMA = 2.2
#: A phone's camera in a room: noise of the sensor (8-bit levels), quality of its JPEG.
WEBCAM_NOISE, WEBCAM_QUALITY = 6.0, 40
GIF_COLOURS = 64


def exposures(tracks: np.ndarray, shutter: float, steps: int) -> list[np.ndarray]:
    """Choose the moments whose mean is a frame's picture: as many as movement needs, and one where nothing moves.

    Args:
        tracks: (frames × steps, P, 2) pixels, points that move most; frame t is moment t × steps.
        shutter: share of a frame's time that the shutter is open, about the frame's moment.
        steps: moments a frame.

    Returns:
        Of each frame the numbers of its moments, rising.
    """
    last, half = len(tracks) - 1, shutter * steps / 2
    chosen = []
    for middle in range(0, len(tracks), steps):
        first, end = max(0, round(middle - half)), min(last, round(middle + half))
        way = np.linalg.norm(np.diff(tracks[first : end + 1], axis=0), axis=-1).sum(0)
        count = int(np.clip(np.ceil(np.nan_to_num(way).max(initial=0) / STEP), 1, end - first + 1))
        chosen.append(
            np.array([middle]) if count == 1 else np.unique(np.rint(np.linspace(first, end, count)).astype(int))
        )
    return chosen


def expose(pictures: Iterator[np.ndarray], moments: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the frames (H, W, 3) uint8 that pictures of single moments add up to.

    Args:
        pictures: (H, W, 3) uint8 sRGB, one a moment.
        moments: of each frame the numbers of its moments; they rise from frame to frame.
    """
    kept: dict[int, np.ndarray] = {}
    number = -1
    for wanted in moments:
        while number < wanted[-1]:
            number += 1
            kept[number] = next(pictures)
        for old in [key for key in kept if key < wanted[0]]:
            del kept[old]
        if len(wanted) == 1:
            yield kept[int(wanted[0])]
            continue
        light = np.mean([(kept[int(moment)] / 255.0) ** GAMMA for moment in wanted], axis=0)
        yield np.rint(255 * light ** (1 / GAMMA)).astype(np.uint8)


def webcam(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture as a phone gives it: noise of the sensor, coarser in colour than in light, and a coarse JPEG."""
    height, width, _ = picture.shape
    coarse = rng.normal(0, WEBCAM_NOISE, (height // 2, width // 2, 3)).astype(np.float32)
    noise = rng.normal(0, WEBCAM_NOISE, (height, width, 1)) + cv2.resize(coarse, (width, height))
    noisy = np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, WEBCAM_QUALITY])
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])


def gif(picture: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """Return a picture in few colours, dithered, as a GIF has it."""
    few = Image.fromarray(picture).quantize(GIF_COLOURS, dither=Image.Dither.FLOYDSTEINBERG)
    return np.array(few.convert("RGB"))


#: What ``SyntheticSettings.picture`` does.
PICTURES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "clean": lambda picture, _rng: picture,
    "webcam": webcam,
    "gif": gif,
}
