"""The skeleton picture that OpenPose ControlNets were trained on.

Eighteen body points joined by seventeen elliptic sticks in a wheel of eighteen hues, each hand as a
tree of twenty lines in a wheel of twenty hues with blue dots, the face as white dots, on black
(Zhang et al., "Adding Conditional Control to Text-to-Image Diffusion Models", 2023, and its version
1.1). Dots and hand lines are set on whole pixels, as the pictures of that training were, pixel for pixel; the sticks of
the body have the same width, but lie and turn by fractions of a pixel and of a degree, so that they do not jump.
"""

from __future__ import annotations

import colorsys
from typing import Literal

import cv2
import numpy as np

from diffsign.config.control import PoseControlSettings
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

#: Half the width of a stick, the radius of a body's, hand's and face's dots, the width of a hand's line: pixels.
STICK_WIDTH, JOINT_RADIUS, HAND_RADIUS, FACE_RADIUS, BONE_WIDTH = 4, 4, 4, 3, 2
STICK_BRIGHTNESS = 0.6
HAND_DOT = (0, 0, 255)
FACE_DOT = (255, 255, 255)
TRAINING_SIZE = 512

# Fixed-point bits of the outline of a stick.
_SHIFT = 4


def _wheel(count: int) -> tuple[tuple[int, int, int], ...]:
    """Return ``count`` fully saturated RGB colours, evenly spaced in hue from red."""
    hues = (colorsys.hsv_to_rgb(i / count, 1.0, 1.0) for i in range(count))
    return tuple((round(r * 255), round(g * 255), round(b * 255)) for r, g, b in hues)


BODY_COLORS = _wheel(18)
HAND_COLORS = _wheel(20)


def _pixel(xy: np.ndarray) -> tuple[int, int]:
    """Return the pixel that a point lies in."""
    return int(xy[0]), int(xy[1])


def _dot(canvas: np.ndarray, xy: np.ndarray, radius: float, color: tuple[int, int, int]) -> None:
    # Without `shift`, with which OpenCV draws a dot of radius 3 a third larger.
    cv2.circle(canvas, _pixel(xy), max(1, round(radius)), color, thickness=-1)


def _stick(canvas: np.ndarray, a: np.ndarray, b: np.ndarray, half_width: float, color: tuple[int, int, int]) -> None:
    """Fill the ellipse whose long axis runs from ``a`` to ``b``."""
    along = (b - a) / 2
    length = float(np.hypot(*along))
    if length == 0:
        return
    across = np.array([-along[1], along[0]]) / length * half_width
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
    outline = (a + b) / 2 + np.cos(angle) * along + np.sin(angle) * across
    # Our pixel centres are at .5, OpenCV's at whole numbers.
    cv2.fillConvexPoly(canvas, np.round((outline - 0.5) * (1 << _SHIFT)).astype(np.int32), color, shift=_SHIFT)


def _draw_body(canvas: np.ndarray, points: np.ndarray, scale: float) -> None:
    present = points[:, 2] > 0
    for (a, b), color in zip(LIMBS, BODY_COLORS, strict=False):
        if present[a] and present[b]:
            red, green, blue = (int(value * STICK_BRIGHTNESS) for value in color)
            _stick(canvas, points[a, :2], points[b, :2], max(STICK_WIDTH * scale, 0.75), (red, green, blue))
    for point, color in zip(points, BODY_COLORS, strict=True):
        if point[2] > 0:
            _dot(canvas, point[:2], JOINT_RADIUS * scale, color)


def _draw_hand(canvas: np.ndarray, points: np.ndarray, scale: float) -> None:
    present = points[:, 2] > 0
    for (a, b), color in zip(HAND_EDGES, HAND_COLORS, strict=True):
        if present[a] and present[b]:
            width = max(1, round(BONE_WIDTH * scale))
            cv2.line(canvas, _pixel(points[a]), _pixel(points[b]), color, thickness=width)
    for point in points[present]:
        _dot(canvas, point[:2], HAND_RADIUS * scale, HAND_DOT)


def line_scale(width: int, height: int, lines: Literal["training", "picture"]) -> float:
    """Return by how much lines and dots are wider than in the 512-pixel pictures of the training."""
    scale = min(width, height) / TRAINING_SIZE
    return min(scale, 1.0) if lines == "training" else scale


def pose_picture(
    points: np.ndarray, width: int, height: int, settings: PoseControlSettings, *, left_hand_first: bool = True
) -> np.ndarray:
    """Draw one person.

    Args:
        points: (137, 3) float, pixels and confidence in the order of :mod:`diffsign.records.keypoints`;
            a point of confidence 0 or outside the picture is missing, and so is what hangs on it.
        width: pixels.
        height: pixels.
        settings: which parts are drawn, and how wide.
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
    scale = line_scale(width, height, settings.lines)
    if settings.draw_body:
        _draw_body(canvas, points[BODY][list(BODY_18)], scale)
    if settings.draw_hands:
        for part in (LEFT_HAND, RIGHT_HAND) if left_hand_first else (RIGHT_HAND, LEFT_HAND):
            _draw_hand(canvas, points[part], scale)
    if settings.draw_face:
        for point in points[FACE][points[FACE, 2] > 0]:
            _dot(canvas, point[:2], FACE_RADIUS * scale, FACE_DOT)
    return canvas
