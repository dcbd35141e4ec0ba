"""Cleaning, on a signer of points with planted errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffsign.clean import steps
from diffsign.clean.gaps import interpolate_gaps, short_gaps
from diffsign.clean.scale import measure
from diffsign.clean.smoothing import local_polynomial, noise_level, smooth
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
    Keypoints,
    load_keypoints,
    save_keypoints,
)
from diffsign.records.shots import mark_cuts, shot_starts

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


@pytest.fixture
def truth() -> np.ndarray:
    return signer()


RAW = CleanSettings(smoothing=0)
LEFT_WRIST = BODY_NAMES.index("left_wrist")


def error(result: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance in pixels (T, 137), NaN where the result is missing."""
    distance = np.linalg.norm(result[..., :2] - truth[..., :2], axis=-1)
    return np.where(result[..., 2] > 0, distance, np.nan)


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


def amplitude(track: np.ndarray, frequency: float, fps: float) -> float:
    """Amplitude of a track's component at a frequency, away from the ends."""
    t = np.arange(len(track)) / fps
    inner = slice(12, -12)
    basis = np.column_stack([np.sin(2 * np.pi * frequency * t), np.cos(2 * np.pi * frequency * t), np.ones(len(t))])
    return float(np.linalg.norm(np.linalg.lstsq(basis[inner], track[inner], rcond=None)[0][:2]))


@pytest.mark.parametrize("noise", [0.0, 0.7])
@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_a_fast_finger_keeps_its_movement(fps: float, noise: float) -> None:
    """Four strokes a second of 8 px on one finger for a second, in two seconds of rest."""
    frames = int(4 * fps)
    points = signer(frames, fps)
    t = np.arange(frames) / fps
    points[:, LEFT_HAND, :2] = points[:1, LEFT_HAND, :2]
    tip = LEFT_HAND.start + 8
    points[:, tip, 1] += 8 * np.sin(2 * np.pi * 4 * t)
    points[..., :2] += noise * np.random.default_rng(0).normal(size=points[..., :2].shape)
    result = clean_keypoints(as_keypoints(points, fps), CleanSettings())
    assert not ((result.changes & Change.OUTLIER) > 0)[:, tip].any()
    kept = amplitude(result.points[:, tip, 1].astype(float), 4, fps)
    assert 0.9 * 8 < kept < 1.1 * 8


def test_noise_is_reduced(truth: np.ndarray) -> None:
    """Two pixels of white noise: points at rest lose half of it, signing hands some, nothing gets worse."""
    noisy = truth.copy()
    noisy[..., :2] += 2 * np.random.default_rng(0).normal(size=noisy[..., :2].shape)
    result = clean_keypoints(as_keypoints(noisy), CleanSettings())

    def rms(points: np.ndarray, part: slice) -> float:
        return float(np.sqrt(np.nanmean(error(points, truth)[:, part] ** 2)))

    assert rms(result.points, FACE) < 0.65 * rms(noisy, FACE)
    for part in (LEFT_HAND, RIGHT_HAND):
        assert rms(result.points, part) < 0.9 * rms(noisy, part)
    assert not (result.changes & Change.OUTLIER).any(axis=1).mean() > 0.1
    assert ((result.changes & Change.SMOOTHED) > 0)[truth[..., 2] > 0].mean() > 0.9


def test_smoothing_can_be_switched_off_and_dosed(truth: np.ndarray) -> None:
    noisy = truth.copy()
    noisy[..., :2] += np.random.default_rng(0).normal(size=noisy[..., :2].shape)
    results = [clean_keypoints(as_keypoints(noisy), CleanSettings(smoothing=s)).points for s in (0, 0.5, 1, 3)]
    moved = [float(np.nansum(error(points, noisy))) for points in results]
    assert moved[0] < 1
    assert moved[1] == pytest.approx(moved[2] / 2, rel=1e-3)
    left = [float(np.nanmean(error(points, truth)[:, FACE])) for points in results]
    assert sorted(left, reverse=True) == left


def test_a_sure_sample_weighs_more_than_an_unsure_one() -> None:
    values = np.zeros((21, 1, 1))
    values[10] = 10.0
    weights = np.full((21, 1), 0.9)
    sure = local_polynomial(values, weights, 4, 2)[9, 0, 0]
    weights[10] = 0.09
    unsure = local_polynomial(values, weights, 4, 2)[9, 0, 0]
    assert abs(unsure) < 0.25 * abs(sure)


def test_local_polynomials_are_those_of_savitzky_and_golay() -> None:
    from scipy.signal import savgol_filter

    values = np.random.default_rng(0).normal(size=(40, 3, 2))
    ours = local_polynomial(values, np.ones((40, 3)), 4, 2)
    np.testing.assert_allclose(ours[4:-4], savgol_filter(values, 9, 2, axis=0)[4:-4], atol=1e-5)
    line = np.linspace(0, 5, 40)[:, None, None]
    holed = np.random.default_rng(1).random((40, 1)) > 0.3
    np.testing.assert_allclose(local_polynomial(line, holed.astype(float), 4, 2), line, atol=1e-4)


def test_noise_level_is_measured_in_movement() -> None:
    t = np.arange(2000)[:, None, None] / FPS
    moving = 30 * np.sin(2 * np.pi * t) + np.random.default_rng(0).normal(scale=1.5, size=(2000, 5, 2))
    assert noise_level(moving) == pytest.approx(1.5, rel=0.1)


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


def test_smooth_leaves_missing_points_missing() -> None:
    values = np.random.default_rng(0).normal(size=(20, 2, 2))
    weights = np.ones((20, 2))
    weights[5:8, 0] = 0
    values[5:8, 0] = np.nan
    result = smooth(values, weights, 24, 1)
    assert np.isnan(result[5:8, 0]).all()
    assert np.isfinite(result[:, 1]).all()
