"""Disturbances of keypoints whose truth is known, to measure how clean, fit and smooth bear them.

Each takes the keypoints of a clip as detected and returns a copy in which some frames are worse, or other frames
follow one another. What is lost is lost in 2D and in ``world`` alike.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND, Keypoints


def _with(keypoints: Keypoints, points: np.ndarray, world: np.ndarray | None) -> Keypoints:
    return keypoints.with_points(points, world=None if world is None else world.astype(np.float32))


def drop(keypoints: Keypoints, share: float, rng: np.random.Generator) -> Keypoints:
    """Lose a share of all points, each by itself."""
    lost = rng.random(keypoints.confidence.shape) < share
    return without(keypoints, lost)


def without(keypoints: Keypoints, lost: np.ndarray) -> Keypoints:
    """Lose the points ``lost`` (T, 137)."""
    points, world = keypoints.points.copy(), None if keypoints.world is None else keypoints.world.copy()
    points[lost] = 0
    if world is not None:
        world[lost] = 0
    return _with(keypoints, points, world)


def lose_hand(keypoints: Keypoints, hand: slice, frames: slice) -> Keypoints:
    """Lose all points of a hand in some frames; the body's wrist stays."""
    lost = np.zeros(keypoints.confidence.shape, dtype=bool)
    lost[frames, hand] = True
    return without(keypoints, lost)


def swap_hands(keypoints: Keypoints, frames: slice) -> Keypoints:
    """Take the left hand for the right one, and the right for the left, in some frames."""
    points, world = keypoints.points.copy(), None if keypoints.world is None else keypoints.world.copy()
    for array in (points, world):
        if array is not None:
            left = array[frames, LEFT_HAND].copy()
            array[frames, LEFT_HAND] = array[frames, RIGHT_HAND]
            array[frames, RIGHT_HAND] = left
    return _with(keypoints, points, world)


def shake(keypoints: Keypoints, pixels: float, rng: np.random.Generator) -> Keypoints:
    """Add white noise of so many pixels (standard deviation along each axis) to every point."""
    points = keypoints.points.copy()
    points[..., :2] += pixels * rng.standard_normal(points[..., :2].shape)
    return _with(keypoints, points, keypoints.world)


def take(keypoints: Keypoints, order: np.ndarray) -> Keypoints:
    """Return the frames ``order`` (N,), which may repeat, leave out or turn back."""
    world = None if keypoints.world is None else keypoints.world[order]
    return replace(keypoints, points=keypoints.points[order], world=world, changes=keypoints.changes[order])


def to_and_fro(frames: int, count: int) -> np.ndarray:
    """Return (count,) frame numbers that run through a clip of ``frames`` forwards and backwards, without a jump."""
    turn = np.r_[np.arange(frames), np.arange(frames - 2, 0, -1)]
    return np.resize(turn, count)
