"""The chain from keypoints to motion on what goes wrong with real videos, on a puppet whose motion is known.

``benchmarks/robustness.py`` measures the same on rendered signers.
"""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import disturb
import numpy as np
import pytest
from aligned import vertex_error
from phrases import FOCAL, SIZE, aligned_error, phrase, points, seen
from puppet import puppet

from diffsign.clean.steps import clean_keypoints
from diffsign.config.clean import CleanSettings
from diffsign.config.fit import FitSettings
from diffsign.config.smooth import SmoothSettings
from diffsign.config.synthetic import SyntheticSettings
from diffsign.fit.motion import fit_motion
from diffsign.fit.points import reduced
from diffsign.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.records.keypoints import LEFT_HAND, NAMES, RIGHT_HAND, Keypoints
from diffsign.records.motion import Motion
from diffsign.records.shots import mark_cuts
from diffsign.smooth.motion import smooth_motion
from diffsign.synthetic.signer import perform

FRAMES = 30
BODY = [0, *range(2, 8), *range(15, 19)]
SETTINGS = FitSettings(focal_length=FOCAL)
GONE, SWAPPED = slice(9, 21), slice(10, 15)


def chain(model, keypoints: Keypoints, settings: FitSettings = SETTINGS) -> Motion:
    """Clean, fit and smooth."""
    fitted, _ = fit_motion(clean_keypoints(keypoints, CleanSettings()), model, settings)
    return smooth_motion(fitted, SmoothSettings())[0]


def is_finite(motion: Motion) -> bool:
    arrays = (motion.full_pose, motion.transl, motion.expression, motion.betas, motion.residual, motion.camera.K)
    return all(np.isfinite(array).all() for array in arrays)


@pytest.fixture(scope="module")
def model():
    return puppet()


@pytest.fixture(scope="module")
def truth(model):
    return phrase(model, FRAMES, seed=4)


@pytest.fixture(scope="module")
def detected(model, truth):
    """What a detector with half a pixel of noise sees."""
    return disturb.shake(seen(model, truth), 0.5, np.random.default_rng(0))


@pytest.fixture(scope="module")
def plain(model, detected):
    return chain(model, detected)


@pytest.fixture(scope="module")
def errors(model, truth):
    """Return the function that gives mm of body, left and right hand after alignment, in some frames."""
    real = points(model, truth)

    def of(motion: Motion, frames: slice = slice(None), order: np.ndarray | None = None) -> np.ndarray:
        found, known = points(model, motion)[frames], (real if order is None else real[order])[frames]
        return np.array([aligned_error(found[:, part], known[:, part]) for part in (BODY, LEFT_HAND, RIGHT_HAND)])

    return of


def test_the_undisturbed_clip_is_the_measure(plain, errors):
    assert np.all(errors(plain) < [15, 6, 6]) and plain.valid.all() and plain.seen.all()


def test_a_fifth_of_all_points_lost(model, detected, plain, errors):
    motion = chain(model, disturb.drop(detected, 0.2, np.random.default_rng(1)))
    assert np.all(errors(motion) < 1.3 * errors(plain) + 0.5) and motion.valid.all()


def test_a_hand_lost_for_half_a_second_turns_from_one_shape_to_the_next(model, detected, plain, errors):
    motion = chain(model, disturb.lose_hand(detected, RIGHT_HAND, GONE))
    assert not motion.seen[GONE, 2].any() and motion.seen[:, [0, 1, 3]].all()
    assert motion.seen[:, 2].sum() == FRAMES - 12
    kept = slice(0, GONE.start - 3)
    assert np.all(errors(motion, kept) < errors(plain, kept) + 1)
    # The forearm of the lost hand is placed by the body's wrist alone.
    assert np.all(errors(motion, GONE)[:2] < errors(plain, GONE)[:2] + np.array([7, 2]))
    fitted, _ = fit_motion(
        clean_keypoints(disturb.lose_hand(detected, RIGHT_HAND, GONE), CleanSettings()), model, SETTINGS
    )
    fingers = rotvec_to_rotmat(fitted.right_hand_pose[GONE.start - 1 : GONE.stop + 1].astype(float))
    steps = np.linalg.norm(rotmat_to_rotvec(np.swapaxes(fingers[:-1], -1, -2) @ fingers[1:]), axis=-1)
    assert np.allclose(steps, steps[0], atol=1e-4) and steps.max() > 0.01


def test_hands_exchanged_for_five_frames_change_nothing(model, detected, plain):
    motion = chain(model, disturb.swap_hands(detected, SWAPPED))
    assert np.array_equal(motion.full_pose, plain.full_pose) and np.array_equal(motion.transl, plain.transl)


def test_noise_of_five_pixels(model, truth, errors):
    motion = chain(model, disturb.shake(seen(model, truth), 5.0, np.random.default_rng(2)))
    assert np.all(errors(motion) < [35, 22, 22]) and motion.valid.all()


@pytest.mark.parametrize("marked", [True, False])
def test_nothing_is_smoothed_across_a_cut(model, truth, marked):
    """Two takes of different phrases; the second is elsewhere in the picture if no picture has told of the cut."""
    first, second = phrase(model, 12, seed=4), phrase(model, 12, seed=9)
    second = replace(second, transl=second.transl + np.float32([0 if marked else 0.25, 0, 0]))
    a, b = seen(model, first), seen(model, second)
    both = replace(
        a,
        points=np.concatenate([a.points, b.points]),
        world=np.concatenate([a.world, b.world]),
        changes=mark_cuts(np.zeros((24, 137), np.uint8), [12] if marked else []),
    )
    motion = chain(model, both)
    assert np.flatnonzero(motion.starts).tolist() == [0, 12]
    found, real = points(model, motion), np.concatenate([points(model, first), points(model, second)])
    for part, limit in ((BODY, 20), (LEFT_HAND, 8), (RIGHT_HAND, 8)):
        assert aligned_error(found[11:13, part], real[11:13, part]) < limit
    # A fixed filter would blur what the mark keeps apart.
    joined = smooth_motion(replace(motion, starts=np.arange(24) == 0), SmoothSettings(method="fixed"))[0]
    across = points(model, joined)
    assert np.abs(across[11:13] - found[11:13])[:, RIGHT_HAND].max() > 0.01


def rolled(keypoints: Keypoints, degrees: float) -> Keypoints:
    """Turn the camera about its axis, so that the picture turns about its middle."""
    turn = rotvec_to_rotmat(np.array([0, 0, np.deg2rad(degrees)]))
    flat, world = keypoints.points.copy(), keypoints.world.copy()
    flat[..., :2] = (flat[..., :2] - SIZE / 2) @ turn[:2, :2].T + SIZE / 2
    world[..., :3] = world[..., :3] @ turn.T
    return replace(keypoints, points=flat.astype("f4"), world=world.astype("f4"))


@pytest.mark.parametrize("degrees", [30, -30])
def test_a_rolled_camera(model, truth, detected, plain, errors, degrees):
    motion = chain(model, rolled(detected, degrees))
    assert np.all(errors(motion) < errors(plain) + 3) and motion.valid.all()
    assert np.rad2deg(np.median(motion.global_orient[:, 0, 2])) == pytest.approx(-degrees, abs=6)


def test_a_signer_cropped_at_the_chest(model, detected, plain, errors):
    """Below the chest nothing is seen, hands and wrists least."""
    low = detected.points[..., 1] > np.median(detected.points[:, NAMES.index("left_elbow"), 1]) - 25
    assert low[:, RIGHT_HAND].mean() > 0.1
    motion = chain(model, disturb.without(detected, low))
    upper = [NAMES.index(name) for name in ("nose", "left_shoulder", "right_shoulder", "left_ear", "right_ear")]
    assert is_finite(motion) and motion.valid.all()
    found = points(model, motion)
    wanted = points(model, plain)
    assert aligned_error(found[:, upper], wanted[:, upper]) < 12


@pytest.mark.parametrize("age", ["child", "old"])
def test_a_child_and_an_old_person(body, age):
    truth = perform(SyntheticSettings(seed=8, seconds=0.5, fps=12, width=256, height=256, age=age)).truth
    definition = body.landmarks
    solid = definition.joint_weights @ truth.joints + definition.vertex_weights @ truth.vertices[:, definition.used]
    flat = np.concatenate([truth.camera.project(solid), np.ones((*solid.shape[:2], 1))], axis=-1)
    motion = chain(reduced(body), Keypoints(flat.astype("f4"), 12.0, 256, 256, detector="exact"), FitSettings())
    for part, limit in (("upper_body", 60), ("left_hand", 20), ("right_hand", 20), ("face", 8)):
        rows = body.parts[part]
        assert vertex_error(body.vertices(motion, rows), truth.vertices[:, rows]).mean() < limit


def test_one_frame(model, detected, errors):
    motion = chain(model, disturb.take(detected, np.array([7])))
    assert len(motion) == 1 and motion.valid.all() and motion.starts.tolist() == [True]
    assert np.all(errors(motion, slice(None), np.array([7])) < [25, 10, 10])


def hostile(name: str, keypoints: Keypoints) -> Keypoints:
    flat, world = keypoints.points.copy(), keypoints.world.copy()
    if name == "a frame that is no number":
        flat[5], world[5] = np.nan, np.nan
    elif name == "infinite points":
        flat[::3, 30:60, :2], world[::3, 30:60, :3] = np.inf, -np.inf
    elif name == "points far outside":
        flat[::2, ::5, :2], world[::2, ::5, :3] = 1e30, 1e30
    elif name == "no confidence that is a number":
        flat[::4, :, 2], world[::4, :, 3] = np.nan, np.nan
    elif name == "confidence above one":
        flat[..., 2], world[..., 3] = 50, 50
    elif name == "one point for all":
        flat[3:6, :, :2], world[3:6, :, :3] = 200, 0
    elif name == "everyone missing in half the frames":
        flat[1::2], world[1::2] = 0, 0
    elif name == "only one frame with anybody":
        flat[1:], world[1:] = 0, 0
    elif name == "two people in turn":
        flat[1::2, :, 0] -= 170
    elif name == "noise all over the picture":
        flat[..., :2] = np.random.default_rng(0).uniform(0, SIZE, flat[..., :2].shape)
    elif name == "only head and shoulders":
        flat[:, 25:], world[:, 25:] = 0, 0
        flat[:, [3, 4, 6, 7]] = 0
    return replace(keypoints, points=flat, world=world)


@pytest.mark.parametrize(
    ("name", "flagged"),
    [
        ("a frame that is no number", [5]),
        ("infinite points", []),
        ("points far outside", None),
        ("no confidence that is a number", [0, 4, 8]),
        ("confidence above one", []),
        ("one point for all", None),
        ("everyone missing in half the frames", [1, 3, 5, 7, 9]),
        ("only one frame with anybody", list(range(1, 10))),
        ("two people in turn", None),
        ("noise all over the picture", None),
        ("only head and shoulders", []),
    ],
)
@pytest.mark.parametrize("cleaned", [True, False])
def test_hostile_points_never_become_numbers_that_are_none(model, truth, name, flagged, cleaned):
    keypoints = hostile(name, disturb.take(seen(model, truth), np.arange(10)))
    if cleaned:
        keypoints = clean_keypoints(keypoints, CleanSettings(max_gap=0))
    with np.errstate(invalid="raise", divide="raise"):
        fitted, _ = fit_motion(keypoints, model, FitSettings())
    motion, _ = smooth_motion(fitted, SmoothSettings())
    assert is_finite(fitted) and is_finite(motion)
    if flagged is not None:
        assert np.flatnonzero(~fitted.valid).tolist() == flagged


def test_a_clip_ten_times_as_long_takes_no_more_than_twice_the_memory(model):
    quick = FitSettings().schedule()[-1].model_copy(update={"iterations": 2})
    settings = FitSettings(focal_length=FOCAL, window=16, overlap=4, stages=(quick,))
    used = []
    for frames in (12, 120):
        keypoints = disturb.lose_hand(seen(model, phrase(model, frames)), LEFT_HAND, slice(None))  # to save time
        tracemalloc.start()
        motion, _ = fit_motion(keypoints, model, settings)
        used.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert motion.valid.all()
    assert used[1] < 2 * used[0]


@pytest.mark.slow
def test_1500_frames_join_without_a_seam(model):
    keypoints = seen(model, phrase(model, 72, seed=3))
    order = disturb.to_and_fro(72, 1500)
    noisy = disturb.shake(disturb.take(keypoints, order), 0.5, np.random.default_rng(0))
    fitted, _ = fit_motion(clean_keypoints(noisy, CleanSettings()), model, SETTINGS)
    real = points(model, phrase(model, 72, seed=3))[order]
    error = np.linalg.norm(np.diff(points(model, fitted)[:, :67] - real[:, :67], n=2, axis=0), axis=-1).mean(1)
    step = SETTINGS.window - SETTINGS.overlap
    joined = np.zeros(len(error), dtype=bool)
    for start in range(step, len(error), step):
        joined[start - 2 : start + SETTINGS.overlap + 1] = True
    assert fitted.valid.all() and error[joined].mean() < 1.25 * error[~joined].mean()
    assert error[joined].max() < 2 * error[~joined].max()
