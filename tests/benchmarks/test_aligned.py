"""Errors of motion on cases known on paper."""

from __future__ import annotations

import numpy as np
import pytest
from aligned import (
    acceleration_error,
    finger_error,
    joint_error,
    vertex_error,
)
from scipy.spatial.transform import Rotation

from diffsign.records.keypoints import COUNT, LEFT_HAND, RIGHT_HAND

RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((4, 30, 3))


def test_equal_is_zero():
    assert np.allclose(vertex_error(POINTS, POINTS), 0, atol=1e-9)


def test_moved_and_turned_is_zero_after_alignment_but_not_without_turning():
    turn = Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix()
    moved = POINTS @ turn.T + [1, 2, 3]
    assert np.allclose(vertex_error(moved, POINTS), 0, atol=1e-9)
    assert vertex_error(moved, POINTS, rotation=False).min() > 100


def test_scale_is_not_forgiven():
    centred = POINTS - POINTS.mean(1, keepdims=True)
    expected = 100 * np.linalg.norm(centred, axis=-1).mean(1)
    assert np.allclose(vertex_error(1.1 * POINTS, POINTS), expected)


def test_a_mirror_image_is_not_forgiven():
    assert vertex_error(POINTS * [-1, 1, 1], POINTS).min() > 100


def hands(angle: float) -> np.ndarray:
    """Keypoints whose index fingers bend by ``angle`` degrees at the middle joint; the rest is straight."""
    points = np.zeros((1, COUNT, 3))
    for hand in (LEFT_HAND, RIGHT_HAND):
        for finger in range(5):
            for i in range(4):
                points[0, hand.start + 1 + 4 * finger + i] = [i + 1, finger, 0]
            points[0, hand.start] = [0, 0, 0]
        a = np.radians(angle)
        base = points[0, hand.start + 6]
        points[0, hand.start + 7] = base + np.array([np.cos(a), 0, np.sin(a)])
        points[0, hand.start + 8] = base + 2 * np.array([np.cos(a), 0, np.sin(a)])
    return points


def test_bends_in_degrees():
    assert finger_error(hands(50), hands(20))[0] == pytest.approx(30 / 15)


def test_acceleration_error_of_a_parabola():
    t = np.arange(6) / 10
    still = np.zeros((6, 2, 3))
    falling = still.copy()
    falling[..., 1] = (-0.5 * 9.81 * t**2)[:, None]
    assert acceleration_error(falling, still, 10) == pytest.approx(9810)
    assert np.isnan(acceleration_error(falling[:2], still[:2], 10))


def test_joints_that_the_truth_lacks_are_left_out():
    truth = POINTS.copy()
    truth[:, 3] = np.nan
    assert np.allclose(joint_error(POINTS, truth, range(10)), 0, atol=1e-9)
    assert np.isnan(joint_error(POINTS, truth, [1, 2, 3])).all()
