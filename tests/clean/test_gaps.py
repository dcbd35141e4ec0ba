"""Lost points are bridged where that says nothing false, and stay missing elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diffsign.clean.gaps import interpolate_gaps, short_gaps
from diffsign.clean.steps import clean_keypoints
from diffsign.config.clean import CleanSettings
from diffsign.records.keypoints import (
    BODY_NAMES,
    LEFT_HAND,
    RIGHT_HAND,
    Change,
)
from tests.clean.moving_signer import LEFT_WRIST, RAW, as_keypoints, error


def test_a_fifth_of_all_samples_lost(truth: np.ndarray) -> None:
    points = truth.copy()
    lost = np.random.default_rng(3).random(points.shape[:2]) < 0.2
    lost[[0, -1]] = False
    seen = truth[..., 2] > 0
    points[lost] = 0
    result = clean_keypoints(as_keypoints(points), RAW)
    filled = (result.changes & Change.FILLED) > 0
    assert filled[lost & seen].mean() > 0.98
    assert not filled[~lost].any()
    errors = error(result.points, truth)[lost & seen]
    assert np.nanmedian(errors) < 0.6
    assert np.nanpercentile(errors, 95) < 5
    assert (result.points[filled][:, 2] < 0.46).all()


def test_a_lost_hand_moves_with_its_wrist(truth: np.ndarray) -> None:
    """Five frames without a hand: its wrist is seen, so all but the bending of its fingers is known."""
    points = truth.copy()
    points[30:35, LEFT_HAND] = 0
    result = clean_keypoints(as_keypoints(points), RAW)
    assert ((result.changes & Change.FILLED) > 0)[30:35, LEFT_HAND].all()
    assert np.nanmax(error(result.points, truth)[30:35, LEFT_HAND]) < 9
    without = points.copy()
    without[:, LEFT_WRIST] = 0
    alone = clean_keypoints(as_keypoints(without), RAW)
    assert np.nanmax(error(alone.points, truth)[30:35, LEFT_HAND]) > np.nanmax(
        error(result.points, truth)[30:35, LEFT_HAND]
    )


def test_half_a_second_stays_missing(truth: np.ndarray) -> None:
    points = truth.copy()
    points[30:42, RIGHT_HAND] = 0
    points[:4, LEFT_HAND] = 0
    result = clean_keypoints(as_keypoints(points), CleanSettings())
    assert not result.points[30:42, RIGHT_HAND].any()
    assert not result.points[:4, LEFT_HAND].any()
    assert not (result.changes & Change.FILLED).any()
    assert (result.points[42:, RIGHT_HAND, 2] > 0).all()


@pytest.mark.parametrize("found", [False, True])
def test_a_hand_that_leaves_the_picture_for_a_moment_is_not_put_into_it(truth: np.ndarray, found: bool) -> None:
    """With or without the detector's own guess at the hand beyond the edge."""
    points, wrist = truth.copy(), BODY_NAMES.index("right_wrist")
    points[:, RIGHT_HAND, 1] = 2 * points[:, wrist, None, 1] - points[:, RIGHT_HAND, 1]  # fingers down
    out = points[:, wrist, 1] > 290
    assert 0 < out.sum() < len(out) / 2 and (np.diff(np.flatnonzero(~out)) <= 6).all()
    points[out, wrist, 2] = 0.3
    points[out, RIGHT_HAND] *= found * np.array([1, 1, 0])
    keypoints = clean_keypoints(replace(as_keypoints(points), height=290), CleanSettings())
    assert not keypoints.confidence[out, RIGHT_HAND].any()
    assert (keypoints.confidence[~out, RIGHT_HAND.start] > 0).all()
    assert (keypoints.points[out, wrist, 1] > 285).all()


def test_a_hand_that_is_lost_in_the_picture_is_bridged_beside_one_that_left(truth: np.ndarray) -> None:
    points = truth.copy()
    out = points[:, BODY_NAMES.index("left_wrist"), 1] > 290
    lost = points[:, BODY_NAMES.index("right_wrist"), 1] < 240
    points[lost, RIGHT_HAND], points[out, LEFT_HAND] = 0, 0
    points[out, BODY_NAMES.index("left_wrist"), 2] = 0.3
    filled = clean_keypoints(replace(as_keypoints(points), height=290), CleanSettings()).changes & Change.FILLED > 0
    assert filled[12:-12][lost[12:-12], RIGHT_HAND].all() and not filled[:, LEFT_HAND].any()


def test_gaps_up_to_the_limit() -> None:
    seen = np.array([1, 0, 0, 1, 0, 0, 0, 1, 1, 0], dtype=bool)
    assert short_gaps(seen, 2) == [(1, 3)]
    assert short_gaps(seen, 3) == [(1, 3), (4, 7)]
    assert short_gaps(seen, 0) == []


def test_bridges_are_exact_on_lines_and_do_not_overshoot_rest() -> None:
    line = np.arange(12.0)[:, None, None] * [2.0, -1.0]
    holed = line.copy()
    holed[4:7] = np.nan
    np.testing.assert_allclose(interpolate_gaps(holed, 3), line)
    step = np.repeat([0.0, 10.0], 6)[:, None, None]
    holed = step.copy()
    holed[5:7] = np.nan
    assert interpolate_gaps(holed, 2).min() >= 0
    assert interpolate_gaps(holed, 2).max() <= 10
