"""The signer: the same seed gives the same truth, and the truth is a body that could exist."""

import numpy as np
import pytest
from truth import load_truth

from diffsign.body.anny import load_anny
from diffsign.body.parts import joint_regions
from diffsign.config.synthetic import SyntheticSettings
from diffsign.geometry.skeleton import JOINTS
from diffsign.synthetic.kinematics import FINGERS, HEAD, SIDES, WRIST
from diffsign.synthetic.signer import perform
from diffsign.synthetic.truth import save_truth


def test_same_seed_same_bits(settings, performance):
    again = perform(settings).truth
    assert np.array_equal(again.recipe.rotvecs, performance.truth.recipe.rotvecs)
    assert np.array_equal(again.vertices, performance.truth.vertices)
    assert again.caption == performance.truth.caption and again.glosses == performance.truth.glosses
    assert np.array_equal(again.camera.K, performance.truth.camera.K)


def test_another_seed_is_another_person_phrase_and_camera(settings, performance):
    other = perform(settings.model_copy(update={"seed": 6})).truth
    mine = performance.truth
    assert other.recipe.phenotype != mine.recipe.phenotype
    assert other.glosses != mine.glosses
    assert not np.allclose(other.camera.K, mine.camera.K)


def test_truth_comes_back_from_its_file(tmp_path, performance):
    path = tmp_path / "truth with 'quotes'.npz"
    save_truth(path, performance.truth)
    loaded = load_truth(path)
    assert np.array_equal(loaded.vertices, performance.truth.vertices)
    assert np.array_equal(loaded.joints, performance.truth.joints)
    assert loaded.recipe.phenotype == performance.truth.recipe.phenotype
    assert (loaded.fps, loaded.seed, loaded.glosses) == (12, 5, performance.truth.glosses)
    assert loaded.caption == performance.truth.caption != ""
    assert loaded.camera.width == 128
    assert path.stat().st_size < 200_000


def test_head_and_raised_hands_are_in_the_picture(performance):
    truth = performance.truth
    signing = [frame for frame, gloss in enumerate(truth.glosses) if gloss]
    tips = [load_anny().landmarks[name] for name in ("rindex", "rmiddle", "rthumb", "nose")]
    points = truth.camera.project(truth.vertices[signing][:, tips])
    assert ((points > 0) & (points < 128)).all()
    head = truth.camera.project(truth.joints[:, HEAD])
    assert (head[:, 1] < 0.5 * 128).all()
    # The body fills the picture: the eyes are in its upper third, and far apart enough to be seen.
    hand = truth.camera.project(truth.joints[signing][:, [WRIST["right"], FINGERS["right"] + 3]])
    assert np.linalg.norm(hand[:, 0] - hand[:, 1], axis=-1).max() > 0.05 * 128


def winding_number(points, corners):
    """How often each point (P, 3) is enclosed by triangles (F, 3, 3): van Oosterom and Strackee's solid angles."""
    a, b, c = (corners[None, :, i] - points[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    numerator = np.einsum("pfi,pfi->pf", a, np.cross(b, c))
    dots = [np.einsum("pfi,pfi->pf", u, v) for u, v in ((a, b), (b, c), (c, a))]
    denominator = la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb
    return 2 * np.arctan2(numerator, denominator).sum(axis=1) / (4 * np.pi)


def test_no_hand_is_inside_the_body(performance):
    truth, anny = performance.truth, load_anny()
    weights = anny.bone_weights[anny.order]
    region = np.array(joint_regions())[anny.bone_joint[weights.argmax(axis=1)]]
    trunk = np.isin(region, ("head", "neck", "torso", "hips"))
    faces = anny.faces[trunk[anny.faces].all(axis=1)]
    hands = [j for side in SIDES for j in range(FINGERS[side], FINGERS[side] + 15)]
    for frame in range(0, len(truth), 3):
        inside = winding_number(truth.joints[frame, hands].astype(float), truth.vertices[frame][faces].astype(float))
        assert inside.max() < 0.5, (frame, truth.glosses[frame], JOINTS[hands[int(inside.argmax())]])


def test_nothing_jumps(performance):
    """No wrist is faster than a signer's, however coarse the sampling: 3.5 m/s."""
    speed = np.linalg.norm(np.diff(performance.truth.joints[:, list(WRIST.values())], axis=0), axis=-1) * 12
    assert speed.max() < 3.5
    assert speed.max() > 0.3


def test_jaw_and_brows_move(performance):
    recipe, actions = performance.truth.recipe, load_anny().actions
    assert np.rad2deg(recipe.rotvecs[:, JOINTS.index("jaw"), 0]).max() > 2
    assert recipe.actions[:, actions.index("browInnerUp")].max() > 0.5
    assert recipe.actions.min() >= 0 and recipe.actions.max() <= 1


@pytest.mark.parametrize("age", ["child", "old"])
def test_other_ages_sign_too(age):
    truth = perform(SyntheticSettings(seed=3, seconds=0.5, fps=8, age=age, width=64, height=96, roll=30)).truth
    assert np.isfinite(truth.vertices).all()
    assert len(truth) == 4
