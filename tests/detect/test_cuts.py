"""Cuts that the pictures show."""

from __future__ import annotations

import numpy as np
import pytest

from diffsign.detect.cuts import find_cuts
from diffsign.records.keypoints import COUNT, Change, Keypoints
from diffsign.records.shots import shot_starts, spikes

FPS = 24.0


def walk(frames: int, start: float = 0.0) -> list[np.ndarray]:
    """Return pictures of a bright block that swings before a wall, from ``start`` seconds of the movement on."""
    wall = np.random.default_rng(0).integers(60, 100, (96, 128, 3), dtype=np.uint8)
    pictures = []
    for t in start + np.arange(frames) / FPS:
        picture = wall.copy()
        x, y = 64 + round(40 * np.sin(1.5 * t)), 48 + round(20 * np.sin(2 * t))
        picture[y - 12 : y + 12, x - 10 : x + 10] = 220
        pictures.append(picture)
    return pictures


def test_movement_is_no_cut():
    assert find_cuts(walk(60), FPS) == []


def test_a_jump_before_the_same_wall_and_another_wall_are_cuts():
    assert find_cuts(walk(20) + walk(20, start=1.35), FPS) == [20]
    assert find_cuts(walk(20) + [255 - picture for picture in walk(20, start=20 / FPS)], FPS) == [20]


def test_a_flash_a_slow_fade_and_repeated_frames_are_no_cuts():
    flash = walk(40)
    flash[20] = np.minimum(flash[20].astype(int) + 90, 255).astype(np.uint8)
    assert find_cuts(flash, FPS) == []
    fading = [(picture * 0.97**t).astype(np.uint8) for t, picture in enumerate(walk(40))]
    assert find_cuts(fading, FPS) == []
    assert find_cuts([picture for picture in walk(20) for _ in range(3)], FPS) == []


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_very_short_clips_have_no_cuts(frames):
    assert find_cuts(walk(frames), FPS) == []
    assert not spikes(np.arange(frames, dtype=float), FPS, 2.0, 0.0).any()


def test_shots_start_where_cuts_are_marked():
    changes = np.zeros((6, COUNT), np.uint8)
    changes[4] = Change.CUT | Change.SMOOTHED
    changes[2] = Change.FILLED
    keypoints = Keypoints(np.zeros((6, COUNT, 3), np.float32), FPS, 64, 64, changes=changes)
    assert np.flatnonzero(shot_starts(keypoints)).tolist() == [0, 4]
