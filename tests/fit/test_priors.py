"""Priors on cases known on paper."""

from __future__ import annotations

import numpy as np
import pytest
from puppet import puppet

from diffsign.config.fit import StageSettings
from diffsign.fit.hinges import FINGERS, hinge_frames
from diffsign.fit.priors import JAW, JAW_PRIOR, L2_PRIOR, HandPrior, bending

MODEL = puppet()
HANDS = HandPrior.of(MODEL.joint_rest)


def pose(**joints: tuple[float, float, float]) -> np.ndarray:
    out = np.zeros((1, 55, 3))
    for name, angles in joints.items():
        out[0, int(name[1:])] = angles
    return out


def test_l2_counts_radians_of_the_body_only():
    term = L2_PRIOR.term(pose(j16=(0.3, 0, 0.4), j30=(9, 9, 9), j0=(2, 0, 0)))
    assert term.value[0] == pytest.approx(0.25)
    assert np.allclose(term.gradient[0, 16], [0.3, 0, 0.4]) and np.all(term.gradient[0, 30] == 0)


def test_jaw_may_open_but_hardly_turns():
    opened, turned = (JAW_PRIOR.term(pose(**{f"j{JAW}": a})).value[0] for a in ((0.2, 0, 0), (0, 0.2, 0)))
    assert opened == pytest.approx(0.04) and turned == pytest.approx(4.0)


@pytest.mark.parametrize(("joint", "bent"), [(18, (0, -1, 0)), (19, (0, 1, 0)), (4, (1, 0, 0)), (5, (1, 0, 0))])
def test_bending_prefers_the_natural_way(joint, bent):
    straight = bending(pose()).value[0]
    natural = bending(pose(**{f"j{joint}": bent})).value[0]
    broken = bending(pose(**{f"j{joint}": tuple(-b for b in bent)})).value[0]
    assert straight == pytest.approx(4.0)
    assert natural == pytest.approx(3 + np.exp(-2)) and broken == pytest.approx(3 + np.exp(2))


def test_flexion_curls_the_fingers_to_the_palm_on_both_hands():
    frames = hinge_frames(MODEL.joint_rest)
    for hand, first in ((0, 25), (1, 40)):
        for finger in range(4):
            j = first + 3 * finger
            bone = MODEL.joint_rest[j + 1] - MODEL.joint_rest[j]
            axis = frames[15 * hand + 3 * finger, 0]
            assert np.cross(axis, bone)[1] < -0.9 * np.linalg.norm(bone), FINGERS[finger]


def test_hinge_frames_are_orthonormal_and_mirrored():
    frames = hinge_frames(MODEL.joint_rest)
    assert np.allclose(frames @ np.swapaxes(frames, 1, 2), np.eye(3), atol=1e-12)
    # An axis of rotation is mirrored as a pseudovector.
    assert np.allclose(frames[:15, 0] * [1, -1, -1], frames[15:, 0], atol=1e-12)


def test_finger_limits_are_free_inside_and_square_outside():
    axes = HANDS.frames[0]
    inside = HANDS.limits(pose(j25=tuple(1.0 * axes[0])))
    assert inside.value[0] == pytest.approx(0, abs=1e-20) and np.allclose(inside.gradient, 0)
    outside = HANDS.limits(pose(j25=tuple(0.8 * axes[1])))
    assert outside.value[0] == pytest.approx(0.3**2)
    assert np.allclose(outside.gradient[0, 25], 0.3 * axes[1])


def test_usual_hand_costs_least():
    usual = np.linalg.lstsq(HANDS.habit.matrix, HANDS.habit.vector, rcond=None)[0].reshape(1, 55, 3)
    least = HANDS.habit.term(usual).value[0]
    for joint in (25, 33, 44, 52):
        assert HANDS.habit.term(usual + pose(**{f"j{joint}": (0.1, 0.1, 0.1)})).value[0] > least


def test_published_schedule():
    from diffsign.config.fit import PUBLISHED

    assert [s.body_prior for s in PUBLISHED] == [404, 404, 57.4, 4.78, 4.78]
    assert [s.hand_joints for s in PUBLISHED] == [0, 0, 0, 0.1, 2]
    assert [s.face_joints for s in PUBLISHED] == [0, 0, 0, 0, 2]
    assert [s.shape for s in PUBLISHED] == [100, 50, 10, 5, 5]
    for stage in PUBLISHED:
        assert stage.bending == pytest.approx(3.17 * stage.body_prior, rel=0.01)
        assert stage.jaw == pytest.approx(10 * stage.body_prior)


def test_stage_refuses_unknown_weights():
    with pytest.raises(ValueError, match="extra"):
        StageSettings.model_validate({"name": "x", "body_piror": 1})
