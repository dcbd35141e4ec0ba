"""Every analytic derivative against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from puppet import puppet

from diffsign.config.fit import StageSettings
from diffsign.fit.body_priors import L2Prior
from diffsign.fit.objective import Objective, geman_mcclure
from diffsign.fit.priors import HandPrior, ShapePrior
from diffsign.fit.solve import solve_step
from diffsign.fit.state import Layout, State, moved
from diffsign.fit.targets import BONES, Targets
from diffsign.geometry.camera import LOOK_ALONG_MINUS_Z
from diffsign.geometry.rotations import inverse_right_jacobian, rotmat_to_rotvec, rotvec_to_rotmat

FRAMES, STEP = 4, 1e-5
WEIGHTS = [
    "body_prior",
    "hand_prior",
    "bending",
    "jaw",
    "shape",
    "expression",
    "body_joints",
    "hand_joints",
    "face_joints",
    "depth",
    "hand_depth",
    "limits",
    "temporal",
    "interpenetration",
]


def only(name: str) -> StageSettings:
    return StageSettings(name="test", **{weight: 5.0 if weight == name else 0.0 for weight in WEIGHTS})


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    model = puppet(correctives=True)
    state = State(
        rotvec_to_rotmat(rng.standard_normal((FRAMES, 55, 3)) * 0.3),
        np.array([0, -0.3, -2.0]) + rng.standard_normal((FRAMES, 3)) * 0.02,
        rng.standard_normal((FRAMES, model.n_expression)) * 2,
        rng.standard_normal(model.n_betas) * 0.5,
        float(np.log(600.0)),
    )
    direction = rng.standard_normal((FRAMES, len(BONES), 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    targets = Targets(
        rng.uniform(0, 512, (FRAMES, 137, 2)),
        rng.uniform(0, 1, (FRAMES, 137)),
        direction,
        rng.uniform(0, 1, direction.shape[:2]),
        np.arange(FRAMES) == 0,
    )
    hands = HandPrior.of(model.joint_rest)
    shape = ShapePrior(rng.standard_normal(model.n_betas), np.diag(rng.uniform(0.5, 2, model.n_betas)))
    centre = np.array([256.0, 256.0])
    objective = Objective(
        model, targets, centre, LOOK_ALONG_MINUS_Z, 0.512, 100.0, (650.0, 0.3), 1.0, hands, L2Prior(), shape
    )
    return objective, state, Layout(np.arange(55), model.expressions, shape=True, focal=True)


@pytest.mark.parametrize("name", WEIGHTS)
def test_gradient_of_each_term(problem, name):
    objective, state, layout = problem
    stage = only(name)
    equations = objective.equations(state, stage, layout)
    shared = len(equations.shared_gradient)
    rng = np.random.default_rng(1)
    for _ in range(6):
        step, common = rng.standard_normal((FRAMES, layout.size)), rng.standard_normal(shared)
        # Values are Σ r², gradients Jᵀ r: half the derivative.
        slope = np.sum(step * equations.gradient) + common @ equations.shared_gradient
        ahead = objective.value(moved(state, layout, STEP * step, STEP * common), stage)
        behind = objective.value(moved(state, layout, -STEP * step, -STEP * common), stage)
        size = np.linalg.norm(equations.gradient) + np.linalg.norm(equations.shared_gradient)
        assert abs((ahead - behind) / (4 * STEP) - slope) < 2e-5 * size * np.sqrt(step.size)


def test_solve_step_agrees_with_the_dense_equations(problem):
    objective, state, layout = problem
    equations = objective.equations(state, StageSettings(name="test", temporal=10), layout)
    frames, size = equations.gradient.shape
    dense = np.zeros((frames, size, frames, size))
    row, column = layout.coupled()
    for t in range(frames):
        dense[t, :, t] = equations.diagonal[t]
    for gap, entries in ((1, equations.next1), (2, equations.next2)):
        for t in range(frames - gap):
            dense[t + gap, row, t, column] = entries[t]
            dense[t, column, t + gap, row] = entries[t]
    n, count = frames * size, len(equations.shared_gradient)
    whole = np.zeros((n + count, n + count))
    whole[:n, :n] = dense.reshape(n, n)
    whole[:n, n:] = equations.mixed.reshape(n, count)
    whole[n:, :n] = whole[:n, n:].T
    whole[n:, n:] = equations.shared
    damping = 1e-2
    whole[np.arange(n + count), np.arange(n + count)] *= 1 + damping
    whole += 1e-3 * np.eye(n + count)
    expected = -np.linalg.solve(whole, np.concatenate([equations.gradient.ravel(), equations.shared_gradient]))
    step, common = solve_step(equations, layout, damping, tolerance=1e-10)
    assert np.allclose(step.ravel(), expected[:n], rtol=1e-5, atol=1e-7)
    assert np.allclose(common, expected[n:], rtol=1e-5, atol=1e-7)


def test_inverse_right_jacobian():
    rng = np.random.default_rng(2)
    vectors = np.concatenate([0.6 * rng.standard_normal((20, 3)), 1e-5 * rng.standard_normal((5, 3)), np.zeros((1, 3))])
    found = inverse_right_jacobian(vectors)
    turn = rotvec_to_rotmat(vectors)
    for axis in range(3):
        step = np.zeros((len(vectors), 3))
        step[:, axis] = STEP
        ahead, behind = (rotmat_to_rotvec(turn @ rotvec_to_rotmat(s)) for s in (step, -step))
        assert np.allclose((ahead - behind) / (2 * STEP), found[..., axis], atol=1e-6)


def test_geman_mcclure_on_paper():
    value, slope = geman_mcclure(np.array([0.0, 100.0**2, 1e12]), 100.0)
    assert np.allclose(
        value, [0, 5000, 10000], rtol=1e-6
    )  # half the square of the scale at the scale, at most the square
    assert np.allclose(slope, [1, 0.25, 0], atol=1e-6)
