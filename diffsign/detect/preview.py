"""A film to look at: the keypoints drawn over their clip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from diffsign.records.clip import ClipWriter, iter_clip
from diffsign.records.keypoints import BODY, BODY_NAMES, FACE, LEFT_HAND, RIGHT_HAND, Keypoints

_NUMBER = {name: number for number, name in enumerate(BODY_NAMES)}

#: Bones of BODY_25 as pairs of names.
BODY_BONES = [
    (_NUMBER[a], _NUMBER[b])
    for a, b in (
        pair.split("-")
        for pair in (
            "nose-neck neck-mid_hip neck-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist "
            "neck-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist mid_hip-right_hip mid_hip-left_hip "
            "right_hip-right_knee right_knee-right_ankle left_hip-left_knee left_knee-left_ankle "
            "nose-right_eye nose-left_eye right_eye-right_ear left_eye-left_ear"
        ).split()
    )
]
HAND_BONES = [(0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21)]

#: RGB of each part: what is the signer's left is warm, right is cold.
COLOURS = {"body": (240, 240, 240), "left": (255, 120, 40), "right": (60, 160, 255), "face": (120, 255, 140)}

#: Sub-pixel bits of OpenCV's drawing.
SHIFT = 4


def _pixel(point: np.ndarray) -> tuple[int, int]:
    x, y = np.round((point[:2] - 0.5) * (1 << SHIFT)).astype(int)
    return int(x), int(y)


def draw_keypoints(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return a copy of an RGB picture (H, W, 3) uint8 with points (137, 3) drawn on it, faint where unsure."""
    drawn = picture.copy()
    width = max(1, round(picture.shape[0] / 360))

    def shade(part: str, confidence: float) -> tuple[int, int, int]:
        red, green, blue = (round(channel * (0.35 + 0.65 * min(confidence, 1.0))) for channel in COLOURS[part])
        return red, green, blue

    for part, points_of, bones in (
        ("body", points[BODY], BODY_BONES),
        ("left", points[LEFT_HAND], HAND_BONES),
        ("right", points[RIGHT_HAND], HAND_BONES),
    ):
        for a, b in bones:
            confidence = float(min(points_of[a, 2], points_of[b, 2]))
            if confidence > 0:
                ends = _pixel(points_of[a]), _pixel(points_of[b])
                cv2.line(drawn, *ends, shade(part, confidence), width, cv2.LINE_AA, SHIFT)
    for part, points_of in (("face", points[FACE]), ("left", points[LEFT_HAND]), ("right", points[RIGHT_HAND])):
        for point in points_of[points_of[:, 2] > 0]:
            radius = (width if part == "face" else 2 * width) << (SHIFT - 1)
            cv2.circle(drawn, _pixel(point), radius, shade(part, float(point[2])), -1, cv2.LINE_AA, SHIFT)
    return drawn


def write_preview(clip: str | Path, keypoints: Keypoints, path: str | Path) -> None:
    """Write an ``.mp4`` of ``clip`` with its keypoints drawn over it."""
    with ClipWriter(path, keypoints.width, keypoints.height, keypoints.fps) as writer:
        for picture, points in zip(iter_clip(clip), keypoints.in_picture().points, strict=False):
            writer.write(draw_keypoints(picture, points))
