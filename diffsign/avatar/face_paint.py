"""A texture for the face: brows, lips, blush and lashes painted on a front view of the face at rest."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.interpolate import splev, splprep

from diffsign.config.appearance import Appearance
from diffsign.config.colour import parse_colour

SIZE = 1024
#: Margin around the landmarks, as a share of the face's width.
MARGIN = 0.45
#: Pixels are painted at 1 / 2**SHIFT for smooth edges.
SHIFT = 4

BROWS = (slice(17, 22), slice(22, 27))
EYES = (slice(36, 42), slice(42, 48))
OUTER_LIPS, INNER_LIPS = slice(48, 60), slice(60, 68)


class FaceMap:
    """The front projection between metres of the face at rest and the texture."""

    def __init__(self, landmarks: np.ndarray) -> None:
        """Take the 68 points (68, 3) of the face at rest; the texture is a square around them."""
        points = landmarks[17:68, :2]
        self.centre = (points.min(axis=0) + points.max(axis=0)) / 2
        self.half = np.ptp(points, axis=0).max() * (0.5 + MARGIN)

    def uv(self, points: np.ndarray) -> np.ndarray:
        """Return texture coordinates (..., 2), v upwards, clipped to the picture."""
        return np.clip((points[..., :2] - self.centre) / self.half / 2 + 0.5, 0.002, 0.998)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Return pixels (..., 2), y downwards."""
        uv = (points[..., :2] - self.centre) / self.half / 2 + 0.5
        return np.stack([uv[..., 0], 1 - uv[..., 1]], axis=-1) * SIZE


def _curve(points: np.ndarray, closed: bool) -> np.ndarray:
    points = np.concatenate([points, points[:1]]) if closed else points
    spline, _ = splprep(points.T, s=0, per=closed, k=min(3, len(points) - 1))
    return np.stack(splev(np.linspace(0, 1, 120), spline), axis=-1)


def _filled(polygon: np.ndarray, blur: float) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.rint(polygon * 2**SHIFT).astype(np.int32)], (255,), cv2.LINE_AA, SHIFT)
    return cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) / 255


def _stroke(line: np.ndarray, width: np.ndarray, blur: float) -> np.ndarray:
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1) / np.linalg.norm(along, axis=-1, keepdims=True)
    return _filled(np.concatenate([line + across * width[:, None], (line - across * width[:, None])[::-1]]), blur)


def _blob(centre: np.ndarray, radius: float) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2)).astype(np.float32)


def paint_face(landmarks: np.ndarray, appearance: Appearance, seed: int = 0) -> tuple[np.ndarray, FaceMap]:
    """Paint the face's texture.

    Args:
        landmarks: (68, 3) metres, the iBUG points of the face at rest, looking along +z.
        appearance: colours.
        seed: of the fine grain of the brows.

    Returns:
        (1024, 1024, 3) uint8 sRGB, and the projection that lays it on the face.
    """
    face = FaceMap(landmarks)
    at = face.pixels(landmarks)
    unit = float(np.linalg.norm(at[45] - at[36])) / 100
    skin, lips, brows = (
        np.array(parse_colour(c), np.float32) for c in (appearance.skin, appearance.lips, appearance.brows)
    )
    picture = np.broadcast_to(skin, (SIZE, SIZE, 3)).copy()

    def layer(mask: np.ndarray, colour: np.ndarray, strength: float) -> None:
        picture[:] += strength * mask[..., None] * (colour - picture)

    blush = skin * np.array([1.0, 0.72, 0.7], np.float32)
    for eye, side in zip(EYES, (-1, 1), strict=True):
        middle = at[eye].mean(axis=0)
        layer(_blob(middle + unit * np.array([6 * side, 38]), 13 * unit), blush, 0.22)
        layer(_filled(_curve(middle + 1.25 * (at[eye] - middle), True), 3.5 * unit), skin * 0.78, 0.5)
    layer(_blob(at[30] + unit * np.array([0, 4]), 9 * unit), blush, 0.2)

    mouth = at[OUTER_LIPS].mean(axis=0)
    layer(_filled(_curve(mouth + 1.02 * (at[OUTER_LIPS] - mouth), True), 1.1 * unit), lips, 0.9)
    line = _curve(at[[60, 61, 62, 63, 64]], False)
    layer(_stroke(line, np.full(len(line), 0.7 * unit), 0.8 * unit), lips * 0.45, 0.75)

    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(size=(SIZE, SIZE)).astype(np.float32), (0, 0), 2.5 * unit / 2, sigmaY=unit)
    grain = 1 + 0.25 * np.clip(grain / grain.std(), -2, 2)
    for brow, outer_first in zip(BROWS, (True, False), strict=True):
        line = _curve(at[brow], False) + unit * np.array([0, 1.2])
        along = np.linspace(0, 1, len(line)) if outer_first else np.linspace(1, 0, len(line))
        width = unit * (1.4 + 3.4 * along**0.6)
        layer(np.clip(_stroke(line, width, 1.3 * unit) * grain, 0, 1), brows, 0.85)

    for eye, upper in zip(EYES, ([36, 37, 38, 39], [42, 43, 44, 45]), strict=True):
        line = _curve(at[upper], False)
        layer(_stroke(line, np.full(len(line), 1.5 * unit), 0.9 * unit), brows * 0.6, 0.8)
        rim = _curve(at[eye], True)
        layer(_stroke(rim, np.full(len(rim), 0.6 * unit), 0.8 * unit), brows, 0.4)
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8), face
