"""Hands and arms that leave the picture stay out of it."""

from __future__ import annotations

import numpy as np
import pytest
from phrases import FOCAL, SIZE, phrase, points, seen
from puppet import puppet

from diffsign.config.fit import FitSettings
from diffsign.fit.detectors import detector_of
from diffsign.fit.motion import fit_motion
from diffsign.fit.targets import OUTSIDE, find_targets, hidden_hands
from diffsign.geometry.camera import LOOK_ALONG_MINUS_Z
from diffsign.records.keypoints import LEFT_HAND, NAMES, RIGHT_HAND

ELBOW, WRIST = NAMES.index("left_elbow"), NAMES.index("left_wrist")


@pytest.fixture(scope="module")
def model():
    return puppet()


@pytest.fixture(scope="module")
def lowered(model):
    """The left arm hangs: the picture ends above its wrist."""
    truth = phrase(model, 8)
    pose = truth.full_pose
    pose[:, [16, 18, 20]] = [[0, 0, -1.35], [0, -0.2, 0], [0, 0, 0]]
    return truth.with_pose(pose, transl=truth.transl - np.float32([0, 0.2, 0]))


def detected(model, motion, wrist: bool):
    """What is seen of it: no hand, and of the wrist outside the picture a guess, if anything."""
    keypoints = seen(model, motion)
    flat, world = keypoints.points.copy(), keypoints.world.copy()
    flat[:, LEFT_HAND], world[:, LEFT_HAND] = 0, 0
    flat[:, WRIST, 2] = OUTSIDE if wrist else 0
    world[:, WRIST, 3] = OUTSIDE if wrist else 0
    assert (keypoints.points[:, WRIST, 1] > SIZE).all()
    return keypoints.with_points(flat, world=world)


@pytest.mark.parametrize("wrist", [True, False])
def test_a_hand_below_the_picture_is_not_shown(model, lowered, wrist):
    motion, _ = fit_motion(detected(model, lowered, wrist), model, FitSettings(focal_length=FOCAL))
    pixels = motion.camera.project(points(model, motion))
    assert (pixels[:, LEFT_HAND, 1] > SIZE).mean() > 0.9
    assert not motion.seen[:, 1].any()


def targets_of(keypoints):
    starts = np.arange(len(keypoints)) == 0
    return find_targets(keypoints, LOOK_ALONG_MINUS_Z, 0.1, starts, detector_of("exact"))


def test_arms_pull_from_outside_the_picture_but_weakly(model, lowered):
    keypoints = seen(model, lowered)
    targets = targets_of(keypoints)
    assert np.all(targets.weight[:, WRIST] == pytest.approx(OUTSIDE)) and np.all(targets.weight[:, ELBOW] == 1)
    assert np.all(targets.weight[:, LEFT_HAND][keypoints.points[:, LEFT_HAND, 1] > 1.03 * SIZE] == 0)


def test_a_hand_is_hidden_unless_its_wrist_is_well_inside(model, lowered):
    below = targets_of(detected(model, lowered, True))
    assert below.hidden[:, 0].all() and not below.hidden[:, 1].any()
    inside = seen(model, phrase(model, 4))
    blurred = inside.points.copy()
    blurred[:, RIGHT_HAND] = 0
    assert not targets_of(inside.with_points(blurred)).hidden.any()


@pytest.mark.parametrize(("sure", "usual", "kept"), [(0.3, 1.0, False), (0.8, 1.0, True), (0.3, 0.35, True)])
def test_an_unsure_hand_at_an_edge_is_beyond_it(model, lowered, sure, usual, kept):
    keypoints = seen(model, lowered)
    shown = keypoints.points.copy()
    shown[:, LEFT_HAND, 1] -= 80  # squeezed into the forearm
    shown[:, LEFT_HAND, 2], shown[:, RIGHT_HAND, 2] = sure, usual
    targets = targets_of(keypoints.with_points(shown))
    assert (targets.weight[:, LEFT_HAND].max(1) > 0).all() == kept
    assert targets.hidden[:, 0].all() != kept


def test_an_unsure_wrist_without_a_hand_is_a_guess(model):
    keypoints = seen(model, phrase(model, 4))
    for confidence, handless, guessed in ((0.4, [LEFT_HAND], True), (0.6, [LEFT_HAND], False), (0.4, [], False)):
        shown = keypoints.points.copy()
        shown[:, WRIST, 2] = confidence
        for hand in handless:
            shown[:, hand] = 0
        targets = targets_of(keypoints.with_points(shown))
        assert (targets.weight[:, WRIST] == 0).all() == guessed and targets.hidden[:, 0].all() == guessed
    shown[:, LEFT_HAND], shown[:, RIGHT_HAND] = 0, 0  # a detector that looks for no hands says nothing of them
    assert (targets_of(keypoints.with_points(shown)).weight[:, WRIST] > 0).all()


def test_a_hand_found_twice_or_for_a_moment_away_from_its_arm_is_none(model):
    keypoints = seen(model, phrase(model, 9))
    left_wrist = keypoints.points[:, WRIST].copy()
    moment, twice, fast = (keypoints.points.copy() for _ in range(3))
    moment[:, LEFT_HAND] = 0
    moment[4, LEFT_HAND] = keypoints.points[4, LEFT_HAND] + [0, -170, 0]
    twice[:, LEFT_HAND] = keypoints.points[:, RIGHT_HAND]
    fast[:, WRIST, :2] = left_wrist[:, :2] + [0, 170]
    for shown, phantom in ((moment, [4]), (twice, range(9)), (fast, []), (keypoints.points, [])):
        targets = targets_of(keypoints.with_points(shown))
        found = (shown[:, LEFT_HAND, 2] > 0).any(1)
        assert np.flatnonzero(found & ~(targets.weight[:, LEFT_HAND] > 0).any(1)).tolist() == list(phantom)
        assert (targets.weight[:, RIGHT_HAND] > 0).all()


def test_a_forearm_points_its_hand_out_of_the_picture():
    """A wrist well inside, its hand not found: it is hidden where the knuckles would be beyond the edge."""
    xy, weight = np.zeros((2, len(NAMES), 2)), np.zeros((2, len(NAMES)))
    for name, place in (("left_shoulder", (350, 150)), ("right_shoulder", (150, 150)), ("left_wrist", (300, 470))):
        xy[:, NAMES.index(name)], weight[:, NAMES.index(name)] = place, 1
    xy[:, ELBOW], weight[:, ELBOW] = [(320, 400), (400, 460)], 1
    assert hidden_hands(xy, weight, np.array([512, 512]))[:, 0].tolist() == [True, False]
    weight[:, ELBOW] = 0
    assert not hidden_hands(xy, weight, np.array([512, 512]))[:, 0].any()
