"""Priors on cases known on paper."""

from __future__ import annotations

import numpy as np
import pytest
from puppet import puppet

from diffsign.config.fit import StageSettings
from diffsign.fit.hinges import FINGERS, hinge_frames
from diffsign.fit.terms.body import Bending, L2Prior, MixturePrior
from diffsign.fit.terms.face import Jaw
from diffsign.fit.terms.hands import FingerHabit, FingerLimits

MODEL = puppet()
HABIT, LIMITS = FingerHabit(MODEL.joint_rest), FingerLimits(MODEL.joint_rest)
JAW = 22


def pose(**joints: tuple[float, float, float]) -> np.ndarray:
    out = np.zeros((1, 55, 3))
    for name, angles in joints.items():
        out[0, int(name[1:])] = angles
    return out


def test_l2_counts_radians_of_the_body_only():
    assert L2Prior().cost(pose(j16=(0.3, 0, 0.4), j30=(9, 9, 9), j0=(2, 0, 0)))[0] == pytest.approx(0.25)


def test_jaw_may_open_but_hardly_turns():
    opened, turned = (Jaw().cost(pose(**{f"j{JAW}": a}))[0] for a in ((0.2, 0, 0), (0, 0.2, 0)))
    assert opened == pytest.approx(0.04) and turned == pytest.approx(4.0)


@pytest.mark.parametrize(("joint", "bent"), [(18, (0, -1, 0)), (19, (0, 1, 0)), (4, (1, 0, 0)), (5, (1, 0, 0))])
def test_bending_prefers_the_natural_way(joint, bent):
    straight = Bending().cost(pose())[0]
    natural = Bending().cost(pose(**{f"j{joint}": bent}))[0]
    broken = Bending().cost(pose(**{f"j{joint}": tuple(-b for b in bent)}))[0]
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
    axes = LIMITS.axes[0]
    inside = LIMITS.cost(pose(j25=tuple(1.0 * axes[0])))
    assert inside[0] == pytest.approx(0, abs=1e-20)
    outside = LIMITS.cost(pose(j25=tuple(0.8 * axes[1])))
    assert outside[0] == pytest.approx(0.3**2)


def test_likelier_arms_cost_less_and_both_arms_alike():
    prior = MixturePrior()
    signing = {"j16": (0.1, -0.4, -1.0), "j18": (0.1, -1.3, 0.1), "j20": (0.1, 0, 0.1)}
    mirrored = {f"j{int(j[1:]) + 1}": (x, -y, -z) for j, (x, y, z) in signing.items()}
    left, right, raised = (prior.cost(pose(**arm))[0] for arm in (signing, mirrored, {"j16": (0, 0, 1.5)}))
    assert left == pytest.approx(right) and left < raised


def test_usual_hand_costs_least():
    angles = np.zeros((1, 30, 3))
    for place in range(10):
        thumb = place % 5 == 4
        bends = (0.1, 0.2, 0.2) if thumb else (0.5, 0.6, 0.39)
        angles[0, 3 * place : 3 * place + 3, 0] = bends
    usual = np.zeros((1, 55, 3))
    usual[:, 25:] = np.einsum("jab,tja->tjb", HABIT.axes, angles)
    least = HABIT.cost(usual)[0]
    assert least < HABIT.cost(pose())[0] / 10
    for joint in (25, 33, 44, 52):
        assert HABIT.cost(usual + pose(**{f"j{joint}": (0.3, 0.3, 0.3)}))[0] > least


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
