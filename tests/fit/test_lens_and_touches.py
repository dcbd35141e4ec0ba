"""The focal length is found where the lens is wide, and hands that seem to touch do."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from phrases import SIZE, phrase, points
from puppet import puppet

from diffsign.config.fit import FitSettings, StageSettings
from diffsign.fit import focal
from diffsign.fit.motion import ASSUMED_FOCAL, fit_motion
from diffsign.fit.problem import Evaluation, Problem, View
from diffsign.fit.state import State
from diffsign.fit.targets import TOUCHING, Targets
from diffsign.fit.terms import all_terms
from diffsign.fit.terms.touch import BETWEEN, find_touches, touching_gaps
from diffsign.geometry.camera import LOOK_ALONG_MINUS_Z, Camera
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND, Keypoints


@pytest.fixture(scope="module")
def model():
    return puppet()


def through(model, focal: float) -> Keypoints:
    """The phrase, seen through a lens, from where the person is as large as through any other."""
    motion = phrase(model, 12)
    camera = Camera.facing(SIZE, SIZE, focal)
    world = points(model, motion)
    near = world - world[:, :1].mean((0, 1)) + [0, 0, -1.6 * focal / 660.0]
    flat = camera.project(near)
    keypoints = np.concatenate([flat, np.ones((*flat.shape[:2], 1))], axis=-1).astype(np.float32)
    in_camera = camera.to_camera(near)
    sure = np.ones((*in_camera.shape[:2], 1))
    return Keypoints(keypoints, 24.0, SIZE, SIZE, detector="exact", world=np.concatenate([in_camera, sure], -1))


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_a_wide_lens_is_found(model, ratio):
    focal = ratio * ASSUMED_FOCAL * SIZE
    motion, _ = fit_motion(through(model, focal), model, FitSettings())
    assert motion.camera.K[0, 0] == pytest.approx(focal, rel=0.25)


def hands_apart(model, gap: float) -> Evaluation:
    """Two frames of a left hand straight before the right one, as far as ``gap`` says, and one of them beside it."""
    motion = phrase(model, 3)
    state = State(
        rotvec_to_rotmat(motion.full_pose.astype(float)),
        motion.transl.astype(float),
        motion.expression.astype(float),
        motion.betas.astype(float),
        float(np.log(660.0)),
    )
    view = View(np.full(2, SIZE / 2), LOOK_ALONG_MINUS_Z, SIZE / 1000, 660.0, 0.2)
    xy = np.zeros((3, 137, 2))
    xy[:, LEFT_HAND] = 200 + np.arange(21)[:, None] * 5
    xy[:, RIGHT_HAND] = xy[:, LEFT_HAND]
    xy[2, RIGHT_HAND] += 200
    weight = (xy > 0).all(-1).astype(float)
    bones = np.zeros((3, 47, 3))
    none = np.zeros((3, 2), dtype=bool)
    touching = np.zeros((3, len(TOUCHING)), dtype=bool)
    targets = Targets(xy, weight, bones, bones[..., 0], none, np.arange(3) == 0, touching)
    at = Evaluation(Problem(model, targets, view, all_terms(FitSettings(), model.joint_rest, 24.0)), state)
    depth = at.projection[1]
    depth[:, RIGHT_HAND, 2] = 1.0
    depth[:, LEFT_HAND, 2] = 1.0 - gap
    return at


@pytest.mark.parametrize(("gap", "touches"), [(0.03, True), (0.2, False)])
def test_hands_touch_that_are_fitted_near_each_other(model, gap, touches):
    at = hands_apart(model, gap)
    assert find_touches(at).tolist() == [[False, False, touches]] * 2 + [[False] * 3]
    at.targets.touching[:, 2] = True
    assert np.allclose(touching_gaps(at)[2].metres, gap - BETWEEN)


@pytest.mark.parametrize(
    ("objectives", "steps"),
    [
        ((100.0, 103.0), 0),
        ((100.0, 99.0, 98.0, 101.0), 2),
        ((100.0, 98.0, 97.0, 96.0), 0),  # no lens is too wide: it is not the lens
    ],
)
def test_a_lens_is_believed_where_it_stands_out(monkeypatch, objectives, steps):
    values = iter(objectives)
    monkeypatch.setattr(focal, "minimise", lambda problem, state, *_: SimpleNamespace(state=state, value=next(values)))
    state = State(np.zeros((1, 55, 3, 3)), np.ones((1, 3)), np.zeros((1, 10)), np.zeros(10), float(np.log(800.0)))
    view = View(np.full(2, SIZE / 2), LOOK_ALONG_MINUS_Z, SIZE / 1000, 800.0, 0.2)
    found = focal.walk(Problem(None, None, view, ()), state, StageSettings(name="all"), None)
    assert np.exp(found) == pytest.approx(800 * focal.STEP**steps)
