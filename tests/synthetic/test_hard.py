"""What makes a synthetic clip as hard as a real one: tempo, rest, one hand, touches, lens, blur, noise."""

from itertools import pairwise

import numpy as np
import pytest

from diffsign.body.anny import load_anny
from diffsign.config.synthetic import PRESETS, SyntheticSettings
from diffsign.evaluate.parameters import gap
from diffsign.synthetic.exposure import expose, exposures, gif, webcam
from diffsign.synthetic.kinematics import HEAD, NECK, SPINE3, WRIST
from diffsign.synthetic.phrase import Style, compose
from diffsign.synthetic.signer import perform

SMALL = {"seed": 203, "seconds": 2.0, "width": 128, "height": 128, "fps": 12.0}


def signed(**settings):
    return perform(SyntheticSettings(**{**SMALL, **settings})).truth


def raised(truth, side):
    """How high a wrist is over the upper spine, in metres, in each frame."""
    return truth.joints[:, WRIST[side], 1] - truth.joints[:, SPINE3, 1]


def test_a_preset_gives_way_to_what_is_given():
    webcam = SyntheticSettings(preset="webcam", fps=25.0)
    assert (webcam.fps, webcam.hands, webcam.view_angle) == (25.0, "one", 66.0)
    assert SyntheticSettings() == SyntheticSettings(preset="gentle")
    for preset, values in PRESETS.items():
        dumped = SyntheticSettings(preset=preset).model_dump()
        assert all(dumped[name] == value for name, value in values.items())


@pytest.mark.parametrize(("tempo", "letters"), [(1.0, 3.85), (2.1, 8.1)])
def test_letters_a_second_follow_the_tempo(tempo, letters):
    phrase = compose(np.random.default_rng(3), 30.0, Style(tempo))
    gaps = [b.start - a.start for a, b in pairwise(phrase) if a.spelled and b.spelled and b.start - a.end < 0.2 / tempo]
    assert 1 / np.median(gaps) == pytest.approx(letters, rel=0.15)


def test_no_stroke_is_shorter_than_a_tenth_of_a_second():
    phrase = compose(np.random.default_rng(3), 30.0, Style(2.1))
    repeated = [p for p in phrase if p.sign.movement.repeats > 1]
    assert min((p.end - p.start) / (2 * p.sign.movement.repeats) for p in repeated) > 0.085


def test_hands_rest_where_they_are_told():
    for rest, low in (("below", -0.45), ("lap", -0.3)):
        truth = signed(rest=rest)
        assert max(raised(truth, side)[-1] for side in WRIST) < low
        pixels = truth.camera.project(truth.joints[[0, -1]][:, list(WRIST.values())])
        assert (pixels[..., 1] > 0.9 * 128).all()
    assert max(raised(signed(rest="waist"), side)[-1] for side in WRIST) > -0.4


def test_one_handed_signing_leaves_the_other_hand_where_it_is():
    truth = signed(hands="one", rest="below", handedness="left")
    assert np.ptp(raised(truth, "right")) < 0.03
    assert raised(truth, "left").max() > 0.0


def test_hands_touch_head_chest_or_each_other():
    gaps = []
    weights = load_anny().bone_weights[load_anny().order]
    joint = load_anny().bone_joint[weights.argmax(axis=1)]
    trunk = np.flatnonzero(np.isin(joint, [HEAD, NECK, 3, 6, 9, 22]))
    hands = {"left": np.flatnonzero((joint == 20) | ((joint >= 25) & (joint < 40))),
             "right": np.flatnonzero((joint == 21) | (joint >= 40))}  # fmt: skip
    for touches in (False, True):
        vertices = signed(seed=205, seconds=3.5, touches=touches, rest="below").vertices
        both = [gap(vertices[:, part], vertices[:, trunk]) for part in hands.values()]
        gaps.append(np.minimum(np.minimum(*both), gap(vertices[:, hands["left"]], vertices[:, hands["right"]])))
    assert (gaps[1] < 0.012).sum() >= 4
    assert (gaps[1] < 0.012).sum() > (gaps[0] < 0.012).sum()


def test_a_wide_lens_brings_the_signer_close():
    near, far = (np.linalg.norm(signed(view_angle=angle).joints[:, HEAD], axis=-1).mean() for angle in (66.0, 28.0))
    assert near < 0.55 * far


def test_the_hand_is_the_one_that_is_asked_for():
    for side, other in (("left", "right"), ("right", "left")):
        truth = signed(handedness=side, hands="one", rest="below")
        assert raised(truth, side).max() > raised(truth, other).max() + 0.3


def test_moments_of_an_exposure_follow_the_movement():
    tracks = np.zeros((40, 1, 2))
    tracks[20:, 0, 0] = 3.0 * np.arange(20)
    chosen = exposures(tracks, 0.5, 8)
    assert [len(moments) for moments in chosen] == [1, 1, 1, 5, 5]
    assert chosen[3].tolist() == [22, 23, 24, 25, 26]
    assert [len(moments) for moments in exposures(tracks, 0.0, 8)] == [1] * 5


def test_a_blurred_frame_is_the_mean_of_its_light():
    pictures = [np.full((2, 2, 3), value, np.uint8) for value in (0, 255, 100)]
    first, second = expose(iter(pictures), [np.array([0, 1]), np.array([2])])
    assert first[0, 0, 0] == pytest.approx(255 * 0.5 ** (1 / 2.2), abs=1)
    assert (second == 100).all()


def test_truth_is_the_middle_of_the_exposure_and_the_same_at_any_shutter():
    sharp, blurred = signed(shutter=0.0), signed(shutter=0.6)
    assert len(sharp) == len(blurred)
    assert np.linalg.norm(sharp.joints - blurred.joints, axis=-1).mean() < 0.02


def test_pictures_are_spoiled_and_repeat():
    picture = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (48, 1, 3))
    assert len(np.unique(gif(picture, np.random.default_rng(0)).reshape(-1, 3), axis=0)) <= 64
    noisy = [webcam(picture, np.random.default_rng(5)) for _ in range(2)]
    assert np.array_equal(*noisy)
    assert 2 < np.abs(noisy[0].astype(int) - picture).mean() < 12
