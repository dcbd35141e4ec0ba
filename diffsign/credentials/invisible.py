"""An invisible mark in the pictures of a film: it is still there after the film was encoded again, scaled or cropped.

A square of noise is laid over every frame, side by side, so faintly that it is not seen: stronger where the picture has
texture, in brightness only. Who knows the noise finds it: the frames' own content averages out over frames and squares,
the noise does not. Where the squares lie, and how large they are after scaling, is found by correlation.

Source: Kalker, Depovere, Haitsma and Maes, "A video watermarking system for broadcast monitoring" (1999).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

#: Side of the square in pixels, and the seed of its noise.
SIDE, SEED = 64, 20261
#: Periods of the noise in pixels: coarser is seen, finer is lost when a film is encoded.
FINEST, COARSEST = 5.0, 21.0
#: Levels of 255 by which brightness changes: on plain areas, more for each level of texture, and at most.
PLAIN, BY_TEXTURE, MOST = 0.9, 0.12, 2.2
#: A correlation this many standard deviations above the mean is the mark: of a film of unchanged size, and of one whose
#: size is looked for. Among as many noise values as are compared, one is that far off once in 50,000 and 200,000 films.
CERTAIN, CERTAIN_SCALED = 6.0, 7.0
#: Sizes of a film that are looked through, relative to the one that was marked, and how finely.
SCALES, STEPS = (0.4, 1.6), 560
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Trace:
    """What was found of the mark.

    Attributes:
        score: how far the correlation stands out, in standard deviations.
        scale: size of the film, relative to the one that was marked.
    """

    score: float
    scale: float

    @property
    def there(self) -> bool:
        """Whether the film is marked."""
        return self.score >= (CERTAIN if self.scale == 1 else CERTAIN_SCALED)


@cache
def noise() -> NDArray[np.float32]:
    """Return the square, (SIDE, SIDE) float32 of mean 0 and standard deviation 1, which goes on across its edges."""
    white = np.random.default_rng(SEED).standard_normal((SIDE, SIDE))
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
    band = (frequency >= 1 / COARSEST) & (frequency <= 1 / FINEST)
    square = np.fft.ifft2(np.fft.fft2(white) * band).real
    return (square / square.std()).astype(np.float32)


def _brightness(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    return frame[..., :3].astype(np.float32) @ _LUMA


def marked(frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Yield frames (H, W, 3) or (H, W, 4) uint8 with the mark."""
    for frame in frames:
        height, width = frame.shape[:2]
        rows, columns = -(-height // SIDE), -(-width // SIDE)
        pattern = np.tile(noise(), (rows, columns))[:height, :width]
        grey = _brightness(frame)
        mean = cv2.GaussianBlur(grey, (0, 0), 4)
        texture = np.sqrt(np.maximum(cv2.GaussianBlur(grey * grey, (0, 0), 4) - mean * mean, 0))
        change = pattern * np.minimum(PLAIN + BY_TEXTURE * texture, MOST)
        result = frame.copy()
        result[..., :3] = np.rint(frame[..., :3] + change[..., None]).clip(0, 255)
        yield result


def _residual(frames: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return what frames (H, W, 3) have in common beside their content, (H, W) float32."""
    total = None
    for frame in frames:
        grey = _brightness(frame)
        fine = grey - cv2.GaussianBlur(grey, (0, 0), 5)
        # What stands out is content: it counts no more than what does not.
        spread = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 5)) + 1.5
        part = np.clip(fine / spread, -2, 2)
        total = part if total is None else total + part
    if total is None:
        raise ValueError("there are no frames")
    return total


def _correlation(residual: NDArray[np.float32], scale: float) -> float:
    """Return how far the highest correlation stands out if the film was scaled by ``scale``."""
    height, width = (max(8, round(length / scale)) for length in residual.shape)
    original = cv2.resize(residual, (width, height), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
    padded = np.zeros((-(-height // SIDE) * SIDE, -(-width // SIDE) * SIDE), np.float32)
    padded[:height, :width] = original
    folded = padded.reshape(padded.shape[0] // SIDE, SIDE, padded.shape[1] // SIDE, SIDE).sum((0, 2))
    spectrum, known = np.fft.fft2(folded), np.fft.fft2(noise())
    # Phases only: a picture's own content is strong in few frequencies, the mark is as strong in all.
    product = spectrum * np.conj(known)
    size = np.abs(product)
    surface = np.fft.ifft2(np.where(np.abs(known) > 1e-3, product / np.maximum(size, 1e-9), 0)).real
    return float((surface.max() - surface.mean()) / (surface.std() + 1e-12))


def look_for(frames: Iterable[NDArray[np.uint8]]) -> Trace:
    """Look for the mark in frames (H, W, 3) uint8 of one film: at its size, then scaled, and mirrored."""
    residual = _residual(frames)
    views = residual, np.ascontiguousarray(residual[:, ::-1])
    found = Trace(max(_correlation(view, 1.0) for view in views), 1.0)
    if found.there:
        return found
    scaled = max((_correlation(view, scale), scale) for scale in np.geomspace(*SCALES, STEPS) for view in views)
    return max(found, Trace(*map(float, scaled)), key=lambda trace: (trace.there, trace.score))
