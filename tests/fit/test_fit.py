"""The fit of whole clips, on a puppet whose motion is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from phrases import FOCAL, aligned_error, phrase, points, seen
from puppet import puppet

from diffsign.config.fit import FitSettings
from diffsign.errors import DiffSignError
from diffsign.fit.motion import fit_motion
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND, Keypoints

BODY = [0, 2, 3, 4, 5, 6, 7, 15, 16, 17, 18]
KNOWN_FOCAL = FitSettings(focal_length=FOCAL)


@pytest.fixture(scope="module")
def model():
    return puppet()


@pytest.fixture(scope="module")
def truth(model):
    return phrase(model)


@pytest.fixture(scope="module")
def fitted(model, truth):
    return fit_motion(seen(model, truth), model, KNOWN_FOCAL, "puppet")


def test_known_motion_is_recovered(model, truth, fitted):
    motion, report = fitted
    found, real = points(model, motion), points(model, truth)
    assert report.body < 1 and report.hands < 1 and report.face < 1
    assert report.flagged == () and motion.valid.all()
    assert aligned_error(found[:, BODY], real[:, BODY]) < 15
    for hand in (LEFT_HAND, RIGHT_HAND):
        assert aligned_error(found[:, hand], real[:, hand]) < 6
    assert motion.body == "puppet" and motion.camera.K[0, 0] == pytest.approx(FOCAL, rel=1e-3)


def test_unseen_legs_stay_at_rest(fitted):
    motion, _ = fitted
    assert np.all(motion.body_pose[:, [3, 4, 6, 7, 9, 10]] == 0)


def test_same_input_same_bits(model, truth, fitted):
    again, _ = fit_motion(seen(model, truth), model, KNOWN_FOCAL, "puppet")
    assert np.array_equal(again.full_pose, fitted[0].full_pose)
    assert np.array_equal(again.transl, fitted[0].transl)
    assert np.array_equal(again.betas, fitted[0].betas)


@pytest.mark.parametrize("frames", [1, 2])
def test_very_short_clips(model, frames):
    truth = phrase(model, frames)
    motion, report = fit_motion(seen(model, truth), model, KNOWN_FOCAL)
    assert len(motion) == frames and report.hands < 1.5
    assert np.isfinite(motion.full_pose).all()


def test_frames_without_a_person_are_interpolated_and_flagged(model, truth):
    keypoints = seen(model, truth)
    gone = keypoints.points.copy()
    gone[2:4] = 0
    motion, report = fit_motion(keypoints.with_points(gone), model, KNOWN_FOCAL)
    assert report.flagged == (2, 3) and motion.valid.tolist() == [True, True, False, False, True, True]
    real, found = points(model, truth), points(model, motion)
    assert np.linalg.norm(found[2:4, BODY] - real[2:4, BODY], axis=-1).mean() < 0.12


def test_nobody_in_the_clip_is_one_sentence(model, truth):
    nobody = seen(model, truth).with_points(np.zeros((len(truth), 137, 3)))
    with pytest.raises(DiffSignError, match="none of the 6 frames"):
        fit_motion(nobody, model, FitSettings())


def test_no_numbers_in_some_points_do_no_harm(model, truth):
    keypoints = seen(model, truth)
    broken = keypoints.points.copy()
    broken[::2, 30:40, :2] = np.nan
    motion, _ = fit_motion(keypoints.with_points(broken), model, KNOWN_FOCAL)
    assert np.isfinite(motion.full_pose).all() and np.isfinite(motion.residual).all()


def test_dropped_and_wrong_points_are_outvoted(model, truth):
    rng = np.random.default_rng(1)
    keypoints = seen(model, truth)
    bad = keypoints.points.copy()
    bad[rng.random(bad.shape[:2]) < 0.2] = 0
    bad[1, 26] += [150, 150, 0]
    motion, _ = fit_motion(keypoints.with_points(bad), model, KNOWN_FOCAL)
    found, real = points(model, motion), points(model, truth)
    for hand in (LEFT_HAND, RIGHT_HAND):
        assert aligned_error(found[:, hand], real[:, hand]) < 9


def test_hands_never_seen_stay_at_rest(model, truth):
    keypoints = seen(model, truth)
    handless = keypoints.points.copy()
    handless[:, 25:67] = 0
    motion, report = fit_motion(keypoints.with_points(handless), model, KNOWN_FOCAL)
    assert np.isnan(report.hands) and np.all(motion.left_hand_pose == 0) and np.all(motion.right_hand_pose == 0)


def test_windows_join_without_a_seam(model):
    truth = phrase(model, 28, seed=2)
    settings = FitSettings(focal_length=FOCAL, window=16, overlap=6)
    motion, report = fit_motion(seen(model, truth), model, settings)
    found, real = points(model, motion), points(model, truth)
    assert report.hands < 1.5
    jerk = np.linalg.norm(np.diff(found[:, BODY] - real[:, BODY], axis=0), axis=-1).mean(1)
    assert jerk.max() < 0.015


def test_a_signer_who_faces_away_is_turned(model, truth):
    pose = truth.full_pose.copy()
    pose[:, 0] = [0, np.pi - 1e-3, 0]
    turned = truth.with_pose(pose)
    motion, _ = fit_motion(seen(model, turned), model, KNOWN_FOCAL)
    found, real = points(model, motion), points(model, turned)
    assert np.linalg.norm(found[:, BODY] - real[:, BODY], axis=-1).mean() < 0.15
    assert np.abs(motion.global_orient[:, 0, 1]).min() > 2


def test_other_picture_sizes(model, truth, fitted):
    keypoints = seen(model, truth)
    doubled = keypoints.points * np.array([2, 2, 1])
    large = Keypoints(doubled.astype("f4"), 24.0, 1024, 1024, world=keypoints.world)
    motion, _ = fit_motion(large, model, replace_focal(2 * FOCAL))
    # Iterations end before the last digit: what nothing but the priors holds may differ by more than what is seen.
    apart = np.abs(points(model, motion) - points(model, fitted[0]))[:, :67]
    assert apart.mean() < 0.002 and apart.max() < 0.02


def replace_focal(focal: float) -> FitSettings:
    return FitSettings(focal_length=focal)


def test_frame_rate_scales_time(model, truth):
    fast = replace(seen(model, truth), fps=48.0)
    motion, report = fit_motion(fast, model, KNOWN_FOCAL)
    assert motion.fps == 48.0 and report.hands < 1.5
