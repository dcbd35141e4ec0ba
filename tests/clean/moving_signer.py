"""A signer of points that moves at 1 to 2 Hz, for tests that plant errors in it."""

from __future__ import annotations

import numpy as np

from diffsign.config.clean import CleanSettings
from diffsign.records.keypoints import (
    BODY_NAMES,
    COUNT,
    FACE,
    LEFT_HAND,
    RIGHT_HAND,
    Keypoints,
)

#: Pixels a metre: shoulders of 0.36 m are 120 px wide.
METRE = 120 / 0.36
FPS = 24.0


def hand_shape() -> np.ndarray:
    """Return a flat hand (21, 2) with a palm of 30 px, fingers up."""
    fingers = [(-14, 12, 6), (-7, 28, 8), (0, 30, 9), (6, 28, 8), (12, 25, 6)]
    joints = [(x * (1 + 0.2 * i), -(base + i * length)) for x, base, length in fingers for i in range(4)]
    return np.array([(0.0, 0.0), *joints])


def signer(frames: int = 72, fps: float = FPS) -> np.ndarray:
    """Return points (T, 137, 3) of a phrase signed at 1 to 2 Hz with both hands."""
    t = np.arange(frames) / fps
    points = np.zeros((frames, COUNT, 3))
    place = {
        "nose": (256, 120), "neck": (256, 190), "right_shoulder": (196, 190), "left_shoulder": (316, 190),
        "right_elbow": (180, 280), "left_elbow": (332, 280), "right_eye": (246, 110), "left_eye": (266, 110),
        "right_ear": (234, 116), "left_ear": (278, 116), "mid_hip": (256, 400), "right_hip": (226, 400),
        "left_hip": (286, 400),
    }  # fmt: skip
    for name, (x, y) in place.items():
        points[:, BODY_NAMES.index(name)] = (x, y, 0.9)
    sway = np.column_stack([2 * np.sin(2 * np.pi * 0.4 * t), np.sin(2 * np.pi * 0.3 * t)])
    for side, part, sign in (("right", RIGHT_HAND, -1), ("left", LEFT_HAND, 1)):
        wrist = np.column_stack(
            [
                256 + sign * (50 + 25 * np.cos(2 * np.pi * 1.1 * t + (sign > 0))),
                270 + 40 * np.sin(2 * np.pi * 1.6 * t + 0.7 * sign),
            ]
        )
        points[:, BODY_NAMES.index(f"{side}_wrist")] = np.column_stack([wrist, np.full(frames, 0.9)])
        shape = hand_shape() * [sign, 1]
        bend = 1 - 0.25 * (1 + np.sin(2 * np.pi * 2 * t))[:, None] * (np.arange(21) % 4 == 0)
        points[:, part, :2] = wrist[:, None] + shape * np.where(np.arange(21) == 0, 1, bend)[..., None]
        points[:, part, 2] = 0.9
    angle = np.linspace(0, 2 * np.pi, 70, endpoint=False)
    points[:, FACE, :2] = np.array([256, 125]) + np.column_stack([24 * np.cos(angle), 30 * np.sin(angle)])
    points[:, FACE.start + 36, :2], points[:, FACE.start + 45, :2] = (241, 115), (271, 115)
    points[:, FACE, 2] = 0.9
    points[..., :2] += np.where(points[..., 2:] > 0, sway[:, None], 0)
    return points


def as_keypoints(points: np.ndarray, fps: float = FPS, world: np.ndarray | None = None) -> Keypoints:
    return Keypoints(points.astype(np.float32), fps, 512, 512, world=world)


RAW = CleanSettings(smoothing=0)
LEFT_WRIST = BODY_NAMES.index("left_wrist")


def error(result: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance in pixels (T, 137), NaN where the result is missing."""
    distance = np.linalg.norm(result[..., :2] - truth[..., :2], axis=-1)
    return np.where(result[..., 2] > 0, distance, np.nan)
