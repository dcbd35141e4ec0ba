"""The skeleton picture that OpenPose ControlNets were trained on.

Eighteen body points joined by seventeen elliptic sticks in a wheel of eighteen hues, each hand as a
tree of twenty lines in a wheel of twenty hues with blue dots, the face as white dots, on black
(Zhang et al., "Adding Conditional Control to Text-to-Image Diffusion Models", 2023, and its version
1.1). Widths are those of the 512-pixel pictures of that training and grow with the picture.
"""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from diffsign.records.keypoints import BODY, COUNT, FACE, LEFT_HAND, RIGHT_HAND

#: Index in BODY_25 of the eighteen body points (COCO order with a neck: no mid-hip, no feet).
BODY_18 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)

#: Sticks between the eighteen points, in the order in which they are drawn and coloured.
LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7)),  # shoulders and arms
    *((1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),  # trunk and legs
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),  # neck, eyes, ears
)

#: Bones of a hand: wrist to the root of each finger and along it.
HAND_EDGES = tuple(
    (0 if joint == 1 else 4 * finger + joint - 1, 4 * finger + joint) for finger in range(5) for joint in range(1, 5)
)

STICK_WIDTH, JOINT_RADIUS, BONE_WIDTH, HAND_RADIUS, FACE_RADIUS = 4.0, 4.0, 2.0, 4.0, 3.0
STICK_BRIGHTNESS = 0.6
HAND_DOT = (0, 0, 255)
FACE_DOT = (255, 255, 255)
TRAINING_SIZE = 512

# Fixed-point bits of OpenCV's drawing calls: sticks move by sixteenths of a pixel instead of jumping.
_SHIFT = 4


def _wheel(count: int) -> tuple[tuple[int, int, int], ...]:
    """Return ``count`` fully saturated RGB colours, evenly spaced in hue from red."""
    hues = (colorsys.hsv_to_rgb(i / count, 1.0, 1.0) for i in range(count))
    return tuple((round(r * 255), round(g * 255), round(b * 255)) for r, g, b in hues)


BODY_COLORS = _wheel(18)
HAND_COLORS = _wheel(20)


def _fixed(xy: np.ndarray) -> np.ndarray:
    # Our pixel centres are at .5, OpenCV's at whole numbers.
    return np.round((np.asarray(xy, dtype=np.float64) - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _dot(canvas: np.ndarray, xy: np.ndarray, radius: float, color: tuple[int, int, int]) -> None:
    x, y = _fixed(xy).tolist()
    cv2.circle(canvas, (x, y), round(radius * (1 << _SHIFT)), color, thickness=-1, shift=_SHIFT)


def _stick(canvas: np.ndarray, a: np.ndarray, b: np.ndarray, half_width: float, color: tuple[int, int, int]) -> None:
    """Fill the ellipse whose long axis runs from ``a`` to ``b``."""
    along = (b - a) / 2
    length = float(np.hypot(*along))
    if length == 0:
        return
    across = np.array([-along[1], along[0]]) / length * half_width
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
    outline = (a + b) / 2 + np.cos(angle) * along + np.sin(angle) * across
    cv2.fillConvexPoly(canvas, _fixed(outline), color, shift=_SHIFT)


def _draw_body(canvas: np.ndarray, points: np.ndarray, scale: float) -> None:
    seen = points[:, 2] > 0
    for (a, b), color in zip(LIMBS, BODY_COLORS, strict=False):
        if seen[a] and seen[b]:
            dimmed = (
                int(color[0] * STICK_BRIGHTNESS),
                int(color[1] * STICK_BRIGHTNESS),
                int(color[2] * STICK_BRIGHTNESS),
            )
            _stick(canvas, points[a, :2], points[b, :2], max(STICK_WIDTH * scale, 0.75), dimmed)
    for point, color in zip(points, BODY_COLORS, strict=True):
        if point[2] > 0:
            _dot(canvas, point[:2], max(JOINT_RADIUS * scale, 0.75), color)


def _draw_hand(canvas: np.ndarray, points: np.ndarray, scale: float) -> None:
    seen = points[:, 2] > 0
    ends = _fixed(points[:, :2]).tolist() if seen.any() else []
    for (a, b), color in zip(HAND_EDGES, HAND_COLORS, strict=True):
        if seen[a] and seen[b]:
            cv2.line(canvas, ends[a], ends[b], color, max(1, round(BONE_WIDTH * scale)), shift=_SHIFT)
    for point in points[seen]:
        _dot(canvas, point[:2], max(HAND_RADIUS * scale, 0.5), HAND_DOT)


def pose_picture(
    points: np.ndarray,
    width: int,
    height: int,
    *,
    body: bool = True,
    hands: bool = True,
    face: bool = True,
    left_hand_first: bool = True,
) -> np.ndarray:
    """Draw one person.

    Args:
        points: (137, 3) float, pixels and confidence in the order of :mod:`diffsign.records.keypoints`;
            a point of confidence 0 or outside the picture is missing, and so is what hangs on it.
        width: pixels.
        height: pixels.
        body: draw the eighteen body points.
        hands: draw both hands.
        face: draw the seventy face points.
        left_hand_first: draw the right hand over the left one; the nearer hand belongs on top.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    if points.shape != (COUNT, 3):
        raise ValueError(f"points are {points.shape}, a skeleton takes ({COUNT}, 3)")
    x, y = points[:, 0], points[:, 1]
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    points = np.where(inside[:, None], points, 0.0)
    canvas = np.zeros((height, width, 3), np.uint8)
    scale = min(width, height) / TRAINING_SIZE
    if body:
        _draw_body(canvas, points[BODY][list(BODY_18)], scale)
    if hands:
        order = (LEFT_HAND, RIGHT_HAND) if left_hand_first else (RIGHT_HAND, LEFT_HAND)
        for part in order:
            _draw_hand(canvas, points[part], scale)
    if face:
        for point in points[FACE][points[FACE, 2] > 0]:
            _dot(canvas, point[:2], max(FACE_RADIUS * scale, 0.5), FACE_DOT)
    return canvas
