"""Cleaning, on a signer of points with planted errors: outliers, swaps, cuts, odd clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffsign.clean import steps
from diffsign.clean.scale import measure
from diffsign.clean.stage import Inputs, Outputs, run, summarise
from diffsign.clean.steps import clean_keypoints
from diffsign.clean.swaps import find_swaps
from diffsign.config.clean import CleanSettings
from diffsign.records.keypoints import (
    BODY_NAMES,
    COUNT,
    FACE,
    LEFT_HAND,
    RIGHT_HAND,
    Change,
    load_keypoints,
    save_keypoints,
)
from diffsign.records.shots import mark_cuts, shot_starts
from tests.clean.moving_signer import LEFT_WRIST, METRE, RAW, as_keypoints, error, signer


def test_a_clean_signer_is_left_alone(truth: np.ndarray) -> None:
    result = clean_keypoints(as_keypoints(truth), RAW)
    np.testing.assert_array_equal(result.points, truth.astype(np.float32))
    assert not result.changes.any()


@pytest.mark.parametrize("fps", [12.0, 24.0, 25.0, 30.0, 60.0])
def test_nothing_is_taken_from_fast_signing_at_any_rate(fps: float) -> None:
    result = clean_keypoints(as_keypoints(signer(int(3 * fps), fps), fps), CleanSettings())
    assert not (result.changes & (Change.OUTLIER | Change.SWAPPED | Change.FILLED | Change.CUT)).any()


def test_planted_outliers_are_found_and_bridged(truth: np.ndarray) -> None:
    """Single points, a whole hand for two frames, a wrist for three."""
    points = truth.copy()
    planted = np.zeros(points.shape[:2], dtype=bool)
    rng = np.random.default_rng(1)
    for t in (8, 19, 27, 33, 41, 55, 63):
        finger = LEFT_HAND.start + int(rng.integers(1, 21))
        points[t, finger, :2] += 40 * np.array([np.cos(t), np.sin(t)])
        planted[t, finger] = True
    points[46:48, RIGHT_HAND, :2] += (-20, -110)
    planted[46:48, RIGHT_HAND] = True
    points[12:15, LEFT_WRIST, :2] += (90, 40)
    planted[12:15, LEFT_WRIST] = True
    points[30, FACE.start + 50, :2] += (0, 30)
    planted[30, FACE.start + 50] = True
    result = clean_keypoints(as_keypoints(points), RAW)
    found = (result.changes & Change.OUTLIER) > 0
    assert found[planted].all()
    assert (found & ~planted).sum() <= 2
    assert ((result.changes & Change.FILLED) > 0)[planted].all()
    assert np.nanmax(error(result.points, truth)[planted]) < 12
    assert np.nanmedian(error(result.points, truth)[planted]) < 3
    untouched = ~found
    np.testing.assert_array_equal(result.points[untouched], points.astype(np.float32)[untouched])


def test_a_bone_that_is_too_long(truth: np.ndarray) -> None:
    """A finger tip that stays on the face for ten frames, longer than an excursion may."""
    points = truth.copy()
    tip = RIGHT_HAND.start + 8
    points[20:30, tip, :2] = (256, 130)
    changes = clean_keypoints(as_keypoints(points), CleanSettings(max_gap=0)).changes
    assert ((changes[20:30, tip] & Change.OUTLIER) > 0).all()


@pytest.mark.parametrize("frames", [slice(30, 35), slice(0, 5), slice(60, 72), slice(20, 50)])
@pytest.mark.parametrize("wrists", [True, False])
def test_swapped_hands_are_put_back(truth: np.ndarray, frames: slice, wrists: bool) -> None:
    if not wrists and frames.start == 0:
        frames = slice(3, 8)
    points = truth.copy()
    if not wrists:
        points[:, [BODY_NAMES.index("left_wrist"), BODY_NAMES.index("right_wrist")]] = 0
    expected = points.copy()
    points[frames, LEFT_HAND], points[frames, RIGHT_HAND] = expected[frames, RIGHT_HAND], expected[frames, LEFT_HAND]
    world = np.concatenate([points, points[..., 2:]], axis=-1)
    result = clean_keypoints(as_keypoints(points, world=world), RAW)
    np.testing.assert_array_equal(result.points, expected.astype(np.float32))
    assert result.world is not None
    np.testing.assert_array_equal(result.world[..., :2], expected[..., :2].astype(np.float32))
    swapped = ((result.changes & Change.SWAPPED) > 0)[:, LEFT_HAND].all(axis=1)
    assert list(np.flatnonzero(swapped)) == list(range(72))[frames]
    assert not (result.changes[:, FACE] & Change.SWAPPED).any()


def test_one_hand_under_the_other_name(truth: np.ndarray) -> None:
    """Only the right hand is seen, and for four frames it is called the left one."""
    points = truth.copy()
    points[:, LEFT_HAND] = 0
    expected = points.copy()
    points[40:44, LEFT_HAND] = points[40:44, RIGHT_HAND]
    points[40:44, RIGHT_HAND] = 0
    result = clean_keypoints(as_keypoints(points), RAW)
    np.testing.assert_array_equal(result.points, expected.astype(np.float32))


def close_hand(truth: np.ndarray) -> np.ndarray:
    """Only the right hand, twice as large because it is close to the camera, up and down by 13 cm a frame."""
    points = truth.copy()
    points[:, LEFT_HAND] = points[:, [BODY_NAMES.index("left_elbow"), LEFT_WRIST]] = 0
    wrist = BODY_NAMES.index("right_wrist")
    height = 60 * np.abs((np.arange(72) % 8) - 4) - 120
    points[:, wrist, :2] = np.column_stack([np.full(72, 190), 300 + height])
    shape = points[0, RIGHT_HAND, :2] - points[0, RIGHT_HAND.start, :2]
    points[:, RIGHT_HAND, :2] = points[:, None, wrist, :2] + 2 * shape
    return points


@pytest.mark.parametrize("wrist_known", [True, False])
def test_one_hand_that_moves_fast_stays_the_same_hand(truth: np.ndarray, wrist_known: bool) -> None:
    points = close_hand(truth)
    if not wrist_known:
        points[:, BODY_NAMES.index("right_wrist")] = 0
    changes = clean_keypoints(as_keypoints(points), RAW).changes
    assert not (changes & (Change.SWAPPED | Change.OUTLIER)).any()


def test_a_hand_that_comes_back_elsewhere_keeps_its_name(truth: np.ndarray) -> None:
    """One hand goes where the other one was, unseen for a third of a second."""
    points = truth.copy()
    points[:, [BODY_NAMES.index(f"{side}_wrist") for side in ("left", "right")]] = 0
    points[:40, LEFT_HAND] = points[32:, RIGHT_HAND] = 0
    assert not (clean_keypoints(as_keypoints(points), RAW).changes & Change.SWAPPED).any()


def test_hands_at_the_edge_of_the_picture_are_no_outliers(truth: np.ndarray) -> None:
    """Both hands stay at the lower edge, into which the network squeezes what it sees of them."""
    points = truth.copy()
    for side, part in (("left", LEFT_HAND), ("right", RIGHT_HAND)):
        wrist = BODY_NAMES.index(f"{side}_wrist")
        points[:, part, 1] = 510 + 0.25 * (points[:, part, 1] - points[:, wrist, None, 1])
        points[:, wrist] = 0
    points[:, LEFT_HAND.start : RIGHT_HAND.stop, :2] += np.random.default_rng(0).normal(0, 3, (72, 42, 2))
    points[..., 2] *= points[..., 1] <= 512
    scale = measure(np.where(points[..., 2:] > 0, points[..., :2], np.nan), 512, 512)
    assert scale.hand >= 0.7 * scale.body
    changes = clean_keypoints(as_keypoints(points), RAW).changes
    assert (changes & Change.OUTLIER > 0).mean() < 0.005


@pytest.mark.parametrize("unseen", ["left", "right"])
def test_a_hand_beside_its_wrist_stays_when_the_other_is_out_of_the_picture(truth: np.ndarray, unseen: str) -> None:
    """What cannot be compared, the other wrist, is no reason to think that the hand is the other one."""
    points = truth.copy()
    points[:, LEFT_HAND if unseen == "left" else RIGHT_HAND] = 0
    points[:, BODY_NAMES.index(f"{unseen}_wrist")] = 0
    rng = np.random.default_rng(0)
    points[:, BODY_NAMES.index("left_wrist" if unseen == "right" else "right_wrist"), :2] += rng.normal(0, 6, (72, 2))
    assert not (clean_keypoints(as_keypoints(points), RAW).changes & Change.SWAPPED).any()


def test_swapped_arms(truth: np.ndarray) -> None:
    points = truth.copy()
    left, right = ([BODY_NAMES.index(f"{side}_{joint}") for joint in ("elbow", "wrist")] for side in ("left", "right"))
    points[25:31, left], points[25:31, right] = truth[25:31, right], truth[25:31, left]
    result = clean_keypoints(as_keypoints(points), RAW)
    np.testing.assert_array_equal(result.points, truth.astype(np.float32))


def test_hands_that_cross_are_not_swapped() -> None:
    t = np.arange(48)
    left = np.column_stack([300 - 3.0 * t, np.full(48, 200.0)])[:, None] + np.zeros((1, 21, 1))
    right = np.column_stack([160 + 3.0 * t, np.full(48, 230.0)])[:, None] + np.zeros((1, 21, 1))
    assert not find_swaps(left, right, METRE).any()


def test_nothing_is_filtered_across_a_cut(truth: np.ndarray) -> None:
    """After frame 36 the same signer is elsewhere, half as large; a gap lies at the cut."""
    points = truth.copy()
    points[36:, :, :2] = points[36:, :, :2] / 2 + (20, 200)
    alone = [clean_keypoints(as_keypoints(part), CleanSettings()).points for part in (points[:36], points[36:])]
    result = clean_keypoints(as_keypoints(points), CleanSettings())
    assert list(np.flatnonzero(((result.changes & Change.CUT) > 0).all(axis=1))) == [36]
    np.testing.assert_allclose(result.points, np.concatenate(alone), atol=1e-4)
    points[35:38, LEFT_HAND] = 0
    result = clean_keypoints(as_keypoints(points), CleanSettings())
    assert not result.points[35:38, LEFT_HAND].any()


def test_a_cut_within_one_framing_is_found_and_a_marked_one_is_kept(truth: np.ndarray) -> None:
    """A second is left out, in which the head has moved by a few centimetres: far less than the limit of a body."""
    points = truth[np.r_[0:20, 44:72]]
    points[20:, :, :2] += (14, 6)
    result = clean_keypoints(as_keypoints(points), CleanSettings())
    assert np.flatnonzero(shot_starts(result)).tolist() == [0, 20]
    marked = replace(as_keypoints(truth), changes=mark_cuts(np.zeros(truth.shape[:2], np.uint8), [30]))
    assert np.flatnonzero(shot_starts(clean_keypoints(marked, CleanSettings()))).tolist() == [0, 30]


def test_a_glitch_of_the_whole_detector_is_no_cut(truth: np.ndarray) -> None:
    points = truth.copy()
    points[20, :, :2] += (150, 30)
    result = clean_keypoints(as_keypoints(points), RAW)
    assert not (result.changes & Change.CUT).any()
    assert np.nanmax(error(result.points, truth)[20][truth[20, :, 2] > 0]) < 8


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_very_short_clips(frames: int) -> None:
    points = signer(frames)
    result = clean_keypoints(as_keypoints(points), CleanSettings())
    assert np.nanmax(error(result.points, points)[points[..., 2] > 0]) < 2.5
    np.testing.assert_allclose(result.confidence, points[..., 2], atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 50])
def test_nothing_seen(frames: int) -> None:
    empty = np.zeros((frames, COUNT, 3))
    result = clean_keypoints(as_keypoints(empty, world=np.zeros((frames, COUNT, 4))), CleanSettings())
    assert not result.points.any()
    assert not result.changes.any()


def test_hands_alone(truth: np.ndarray) -> None:
    """A close-up: no body, no face."""
    points = truth.copy()
    points[:, :25] = 0
    points[:, FACE] = 0
    points[30, LEFT_HAND.start + 8, :2] += 60
    result = clean_keypoints(as_keypoints(points), CleanSettings())
    assert result.changes[30, LEFT_HAND.start + 8] & Change.OUTLIER
    assert np.isfinite(result.points).all()


def test_unsure_points_count_as_missing(truth: np.ndarray) -> None:
    points = truth.copy()
    points[30:32, LEFT_HAND] = (5, 5, 0.05)
    result = clean_keypoints(as_keypoints(points), RAW)
    assert np.nanmax(error(result.points, truth)[30:32, LEFT_HAND]) < 4
    points[30] = np.nan
    assert np.isfinite(clean_keypoints(as_keypoints(points), CleanSettings()).points).all()


def test_world_is_cleaned_like_the_picture(truth: np.ndarray) -> None:
    """An outlier in 2D takes the 3D of that frame with it; noise in 3D is reduced; the clip is otherwise the same."""
    metric = np.concatenate([truth[..., :2] / METRE, 0.1 * truth[..., :1] / METRE, truth[..., 2:]], axis=-1)
    noisy = metric.copy()
    noisy[..., :3] += 0.01 * np.random.default_rng(0).normal(size=noisy[..., :3].shape)
    points = truth.copy()
    tip = LEFT_HAND.start + 12
    points[30, tip, :2] += 70
    noisy[30, tip, :3] += 1.0
    result = clean_keypoints(as_keypoints(points, world=noisy), CleanSettings())
    assert result.world is not None
    seen = truth[..., 2] > 0
    before = np.linalg.norm(noisy[..., :3] - metric[..., :3], axis=-1)[seen]
    after = np.linalg.norm(result.world[..., :3] - metric[..., :3], axis=-1)
    assert np.sqrt((after[seen] ** 2).mean()) < 0.8 * np.median(before)
    assert after[30, tip] < 0.05


def test_windows_change_nothing_but_how_noise_is_measured(monkeypatch) -> None:
    """A clip in windows of 64 frames is the clip at once: outliers, gaps and strokes on their borders included."""
    points = signer(300)
    points[..., :2] += np.random.default_rng(0).normal(size=points[..., :2].shape)
    points[62:66, LEFT_HAND] = 0
    points[127:129, RIGHT_HAND, :2] += (-20, -110)
    points[180:200, LEFT_HAND], points[180:200, RIGHT_HAND] = (
        points[180:200, RIGHT_HAND],
        points[180:200, LEFT_HAND].copy(),
    )
    whole = clean_keypoints(as_keypoints(points), CleanSettings())
    monkeypatch.setattr(steps, "WINDOW", 64)
    parts = clean_keypoints(as_keypoints(points), CleanSettings())
    kinds = Change.OUTLIER | Change.FILLED | Change.SWAPPED
    np.testing.assert_array_equal(parts.changes & kinds, whole.changes & kinds)
    np.testing.assert_array_equal(parts.confidence, whole.confidence)
    moved = np.abs(parts.xy - whole.xy).max(axis=-1)
    assert np.quantile(moved, 0.99) < 0.3
    assert moved.max() < 1.5


def test_same_bits_again_and_inputs_untouched(truth: np.ndarray) -> None:
    given = as_keypoints(truth + np.random.default_rng(0).normal(size=truth.shape) * [1, 1, 0])
    copy = given.points.copy()
    first, second = (clean_keypoints(given, CleanSettings()) for _ in range(2))
    assert first.points.tobytes() == second.points.tobytes()
    np.testing.assert_array_equal(given.points, copy)
    assert not given.changes.any()


def test_round_trip_and_summary(tmp_path: Path, truth: np.ndarray) -> None:
    points = truth.copy()
    points[30, LEFT_HAND.start + 8, :2] += 60
    result = clean_keypoints(as_keypoints(points), RAW)
    save_keypoints(tmp_path / "raw.npz", as_keypoints(points))
    said = run(Inputs(tmp_path / "raw.npz"), Outputs(tmp_path / "k.npz"), RAW)
    np.testing.assert_array_equal(load_keypoints(tmp_path / "k.npz").changes, result.changes)
    assert said == f"{tmp_path / 'k.npz'}: {summarise(result)}"
    assert summarise(result) == f"of {72 * 137} points outlier 1, swapped 0, filled 1, smoothed 0; 0 cuts"
