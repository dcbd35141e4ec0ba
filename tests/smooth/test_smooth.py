"""Filters and bridging on motions whose smooth version is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diffsign.config.smooth import SmoothSettings
from diffsign.geometry.camera import Camera
from diffsign.geometry.kinematics import world_rotations
from diffsign.geometry.rotations import interpolate_rotations, rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.records.motion import Motion
from diffsign.smooth import limbs
from diffsign.smooth.filters import filter_rotations, filter_values, window_weights
from diffsign.smooth.motion import BLOCK, smooth_motion

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


def signing(frames: int, elbow: np.ndarray) -> Motion:
    """A motion whose right arm is before the body and bends at the elbow by the angles (T,)."""
    steady = motion(frames)
    pose = steady.full_pose
    pose[:, 17], pose[:, 19, 1] = [0, 0.3, 1.0], elbow
    return steady.with_pose(pose, transl=steady.transl + np.float32([0, -0.4, -1.6]))


def wrist(motion: Motion) -> np.ndarray:
    """Return the right wrist (T, 3) in metres, of an arm of usual length."""
    rotations = rotvec_to_rotmat(motion.full_pose.astype(float))
    world = world_rotations(rotations)
    arm = limbs.ARMS[1]
    return arm.shoulder(world, motion.transl.astype(float)) + arm.outline(world[:, list(arm.joints)])[:, 0]


def test_a_stroke_stays_where_it_was_fitted():
    """A tenth of a second from rest to rest: flattened by a fixed filter, kept by the adaptive one."""
    t = np.arange(36) / FPS
    stroke = signing(36, 1.0 + 0.8 * np.clip((t - 0.7) / 0.1, 0, 1))
    kept, flattened = (smooth_motion(stroke, SmoothSettings(method=method))[0] for method in ("adaptive", "fixed"))
    real = wrist(stroke)
    peak = np.linalg.norm(np.diff(real, axis=0), axis=-1).max()
    ratio = [np.linalg.norm(np.diff(wrist(m), axis=0), axis=-1).max() / peak for m in (kept, flattened)]
    assert ratio[0] > 0.95 > 0.8 > ratio[1]
    assert np.linalg.norm(wrist(kept) - real, axis=-1).max() < 0.003


def test_a_held_hand_stops_trembling():
    rng = np.random.default_rng(0)
    held = signing(48, np.full(48, 1.2))
    pose = held.full_pose + (0.001 * rng.standard_normal((48, 55, 3))).astype(np.float32)
    smoothed, _ = smooth_motion(held.with_pose(pose), SmoothSettings())
    tremble = [np.abs(np.diff(wrist(m), n=2, axis=0)).mean() for m in (held.with_pose(pose), smoothed)]
    assert tremble[1] < 0.3 * tremble[0]


@pytest.mark.parametrize("push", [0.0, 0.5])
def test_what_shakes_in_depth_is_steadied_and_what_the_picture_shows_stays(push):
    """Depth is a guess; a hand that is pushed forward in a quarter of a second goes all the way."""
    rng, t = np.random.default_rng(3), np.arange(48) / FPS
    moving = signing(48, np.full(48, 1.2))
    pose = moving.full_pose
    pose[:, 17, 0] += push * np.clip((t - 1) / 0.25, 0, 1) + 0.04 * rng.standard_normal(48)
    shaken = moving.with_pose(pose)
    before, after = wrist(shaken), wrist(smooth_motion(shaken, SmoothSettings())[0])
    tremble = [np.abs(np.diff(track, n=2, axis=0)).mean(0) for track in (before, after)]
    assert tremble[1][2] < 0.2 * tremble[0][2]
    assert tremble[1][1] > 0.7 * tremble[0][1]
    forward = [track[36:, 2].mean() - track[:18, 2].mean() for track in (before, after)]
    assert forward[1] == pytest.approx(forward[0], abs=0.005)


def test_a_trunk_that_is_steadied_leaves_the_hands_where_they_were():
    rng = np.random.default_rng(1)
    t = np.arange(48) / FPS
    moving = signing(48, 1.2 + 0.5 * np.sin(2 * np.pi * 1.5 * t))
    swaying = replace(moving, transl=moving.transl + (0.002 * rng.standard_normal((48, 3))).astype(np.float32))
    smoothed, _ = smooth_motion(swaying, SmoothSettings())
    assert np.diff(smoothed.transl, n=2, axis=0).std() < 0.5 * np.diff(swaying.transl, n=2, axis=0).std()
    assert np.linalg.norm((wrist(smoothed) - wrist(swaying))[1:-1, :2], axis=-1).mean() < 0.0015


def test_a_cut_off_of_before_still_means_a_fixed_filter():
    assert SmoothSettings().is_adaptive and SmoothSettings(body_cutoff=6, method="adaptive").is_adaptive
    assert not SmoothSettings(body_cutoff=6).is_adaptive and not SmoothSettings(hand_cutoff=0).is_adaptive


def test_long_shots_are_filtered_in_blocks_without_a_seam():
    rng = np.random.default_rng(2)
    frames = 2 * BLOCK + 10
    long = signing(frames, 1.2 + 0.3 * np.sin(2 * np.pi * 0.5 * np.arange(frames) / FPS))
    pose = long.full_pose + (0.001 * rng.standard_normal((frames, 55, 3))).astype(np.float32)
    step = np.linalg.norm(
        np.diff(wrist(smooth_motion(long.with_pose(pose), SmoothSettings())[0]), n=2, axis=0), axis=-1
    )
    assert step[BLOCK - 3 : BLOCK + 2].max() < 3 * np.median(step)
