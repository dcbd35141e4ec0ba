"""Filters and bridging on motions whose smooth version is known."""

from __future__ import annotations

import numpy as np
import pytest

from diffsign.config.smooth import SmoothSettings
from diffsign.geometry.camera import Camera
from diffsign.geometry.rotations import interpolate_rotations, rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.records.motion import Motion
from diffsign.smooth.filters import filter_rotations, filter_values, window_weights
from diffsign.smooth.motion import smooth_motion

FPS = 24.0


def motion(frames: int) -> Motion:
    return Motion.rest(frames, Camera.facing(512, 512, 600), FPS, 10, 10)


def test_cutoff_is_where_the_response_is_half_the_power():
    fps, cutoff = 240.0, 6.0
    t = np.arange(480) / fps
    for frequency, low, high in ((1.0, 0.99, 1.0), (cutoff, 0.69, 0.73), (20.0, 0.0, 0.02)):
        wave = np.sin(2 * np.pi * frequency * t)[:, None]
        filtered = filter_values(wave, cutoff, fps)
        gain = np.linalg.norm(filtered[100:-100]) / np.linalg.norm(wave[100:-100])
        assert low <= gain <= high + 1e-3


def test_no_delay():
    values = np.exp(-0.5 * ((np.arange(61) - 30) / 4.0) ** 2)[:, None]
    filtered = filter_values(values, 3.0, FPS)
    assert np.allclose(filtered, filtered[::-1]) and filtered.argmax() == 30


def test_steady_turning_passes_unchanged_even_past_half_a_turn():
    axis = np.array([1.0, 2.0, -1.0]) / np.sqrt(6)
    angles = np.linspace(-4, 4, 40)
    turning = rotvec_to_rotmat(angles[:, None, None] * axis)
    assert np.allclose(filter_rotations(turning, 2.0, FPS), turning, atol=1e-9)


def test_noise_on_rotations_shrinks():
    rng = np.random.default_rng(0)
    clean = rotvec_to_rotmat(np.linspace(0, 1, 60)[:, None, None] * np.array([0, 1.0, 0]))
    noisy = clean @ rotvec_to_rotmat(0.05 * rng.standard_normal((60, 1, 3)))
    left = [
        np.linalg.norm(rotmat_to_rotvec(np.swapaxes(clean, -1, -2) @ r), axis=-1).mean()
        for r in (noisy, filter_rotations(noisy, 3.0, FPS))
    ]
    assert left[1] < 0.6 * left[0]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_weights_of_short_clips_sum_to_one(frames):
    at, weights = window_weights(frames, 5.0, FPS)
    assert np.allclose(weights.sum(1), 1) and at.min() >= 0 and at.max() < frames


@pytest.mark.parametrize("frames", [1, 2])
def test_short_motions_pass(frames):
    smoothed, report = smooth_motion(motion(frames), SmoothSettings())
    assert len(smoothed) == frames and report.bridged == () and np.isfinite(smoothed.full_pose).all()


def test_bad_frames_are_bridged_on_the_shortest_turn():
    turning = rotvec_to_rotmat(np.linspace(0, 1, 11)[:, None, None] * np.array([0, 0, 1.0]))
    broken = turning.copy()
    broken[4:7] = rotvec_to_rotmat(np.array([2.0, 0, 0]))
    good = np.ones(11, bool)
    good[4:7] = False
    assert np.allclose(interpolate_rotations(broken, good), turning, atol=1e-9)


def test_bad_residual_is_flagged_and_bridged():
    steady = motion(20)
    pose = steady.full_pose
    pose[:, 16, 2] = -1.0
    pose[8, 16] = [2.0, 1.0, 0.5]
    residual = np.full(20, 4.0, np.float32)
    residual[8] = 40
    smoothed, report = smooth_motion(steady.with_pose(pose, residual=residual), SmoothSettings())
    assert report.bridged == (8,) and not smoothed.valid[8] and smoothed.valid.sum() == 19
    assert np.allclose(smoothed.full_pose[:, 16], [0, 0, -1.0], atol=1e-6)


def test_frames_that_are_no_numbers_are_bridged():
    steady = motion(9)
    pose = steady.full_pose
    pose[3] = np.nan
    smoothed, report = smooth_motion(steady.with_pose(pose), SmoothSettings())
    assert report.bridged == (3,) and np.isfinite(smoothed.full_pose).all()


def test_nothing_crosses_a_cut():
    steady = motion(20)
    pose, transl = steady.full_pose, steady.transl.copy()
    pose[10:, 0, 1], transl[10:, 0] = 1.0, 0.5
    starts = np.isin(np.arange(20), (0, 10))
    shots = steady.with_pose(pose, transl=transl, starts=starts)
    smoothed, report = smooth_motion(shots, SmoothSettings(body_cutoff=1))
    assert report.shots == 2
    assert np.allclose(smoothed.full_pose, pose, atol=1e-6) and np.allclose(smoothed.transl, transl, atol=1e-6)


def test_fingers_keep_more_than_the_body():
    t = np.arange(48) / FPS
    steady = motion(48)
    pose = steady.full_pose
    pose[:, 16, 2] = pose[:, 30, 2] = 0.3 * np.sin(2 * np.pi * 7 * t)
    smoothed, _ = smooth_motion(steady.with_pose(pose), SmoothSettings(body_cutoff=4, hand_cutoff=11))
    assert np.ptp(smoothed.full_pose[:, 30, 2]) > 1.5 * np.ptp(smoothed.full_pose[:, 16, 2])


def test_cutoff_of_zero_changes_nothing():
    rng = np.random.default_rng(0)
    noisy = motion(8).with_pose(0.5 * rng.standard_normal((8, 55, 3)))
    smoothed, _ = smooth_motion(noisy, SmoothSettings(body_cutoff=0, hand_cutoff=0, face_cutoff=0))
    assert np.allclose(smoothed.full_pose, noisy.full_pose, atol=1e-6)
