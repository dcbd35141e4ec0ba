"""Every term's analytic derivatives against finite differences, and the equations made of them."""

from __future__ import annotations

import numpy as np
import pytest
from puppet import puppet

from diffsign.config.fit import FitSettings, StageSettings
from diffsign.fit.derivatives import PointDerivatives
from diffsign.fit.objective import linearise, value
from diffsign.fit.problem import Evaluation, Problem, View
from diffsign.fit.solve import solve_step
from diffsign.fit.state import State, Variables, moved
from diffsign.fit.targets import BONES, Targets
from diffsign.fit.terms import all_terms
from diffsign.fit.terms.base import geman_mcclure
from diffsign.fit.terms.body import L2Prior
from diffsign.geometry.camera import LOOK_ALONG_MINUS_Z
from diffsign.geometry.rotations import inverse_right_jacobian, rotmat_to_rotvec, rotvec_to_rotmat

FRAMES, STEP = 4, 1e-5
STAGE = StageSettings(name="test", interpenetration=5.0, touch=2.0)
WEIGHTS = sorted(set(StageSettings.model_fields) - {"name", "iterations"})
TERMS = (*all_terms(FitSettings(), puppet().joint_rest, 24.0).frames, L2Prior())


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    model = puppet(correctives=True)
    pose = rng.standard_normal((FRAMES, 55, 3)) * 0.3
    pose[:, [16, 18]] += [[0, -1.6, -1.0], [0, -2.8, 0]]  # the left hand is inside the chest
    state = State(
        rotvec_to_rotmat(pose),
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
        np.ones((FRAMES, 2), dtype=bool),
        np.arange(FRAMES) == 0,
        np.ones((FRAMES, 3), dtype=bool),
    )
    view = View(np.array([256.0, 256.0]), LOOK_ALONG_MINUS_Z, 0.512, 650.0, 0.3)
    problem = Problem(model, targets, view, all_terms(FitSettings(), model.joint_rest, 24.0))
    variables = Variables(np.arange(55), model.expressions, model.n_betas, shape=True, focal=True)
    return problem, state, variables


@pytest.mark.parametrize("number", range(len(TERMS)), ids=[type(term).__name__ for term in TERMS])
@pytest.mark.parametrize("some_joints", [False, True])
def test_derivatives_of_each_term(problem, number, some_joints):
    """Along random directions, of each residual by itself, with all joints free and with every other one."""
    whole, state, variables = problem
    term = (*whole.terms.frames, L2Prior())[number]
    if some_joints:
        variables = Variables(variables.joints[::2], variables.expressions[:0], variables.betas, translates=False)
    at = Evaluation(whole, state)
    derivatives = PointDerivatives(at, variables, term.points(at, STAGE))
    jacobians = term.jacobians(at, STAGE, variables, derivatives)
    rng = np.random.default_rng(1)
    for _ in range(4):
        step, shared = rng.standard_normal((FRAMES, variables.size)), rng.standard_normal(variables.shared)
        both = np.concatenate([step, np.tile(shared, (FRAMES, 1))], axis=1)
        ahead, behind = (
            term.residuals(Evaluation(whole, moved(state, variables, sign * STEP * step, sign * STEP * shared)), STAGE)
            for sign in (1, -1)
        )
        for jacobian, first, second in zip(jacobians, ahead, behind, strict=True):
            change = (first.values - second.values) / (2 * STEP)
            along = np.where(jacobian.columns >= 0, both[:, jacobian.columns], 0.0)
            expected = np.einsum(
                "tgrc,tgc->tgr", np.broadcast_to(jacobian.values, (FRAMES, *jacobian.values.shape[1:])), along
            )
            size = np.abs(change).max() + 1e-3
            assert np.allclose(expected.reshape(change.shape), change, atol=1e-4 * size)
    assert jacobians


@pytest.mark.parametrize("name", WEIGHTS)
def test_gradient_of_each_weight(problem, name):
    """Values are Σ r², gradients Jᵀ r: half the derivative."""
    whole, state, variables = problem
    stage = StageSettings.bare("test", **{name: 5.0})
    equations = linearise(Evaluation(whole, state), stage, variables)
    rng = np.random.default_rng(1)
    for _ in range(6):
        step, shared = rng.standard_normal((FRAMES, variables.size)), rng.standard_normal(variables.shared)
        slope = np.sum(step * equations.gradient) + shared @ equations.shared_gradient
        ahead, behind = (
            value(Evaluation(whole, moved(state, variables, sign * STEP * step, sign * STEP * shared)), stage)
            for sign in (1, -1)
        )
        size = np.linalg.norm(equations.gradient) + np.linalg.norm(equations.shared_gradient)
        assert abs((ahead - behind) / (4 * STEP) - slope) < 2e-5 * size * np.sqrt(step.size)


def test_every_weight_counts(problem):
    whole, state, _ = problem
    bare = value(Evaluation(whole, state), StageSettings.bare("test"))
    for name in WEIGHTS:
        assert value(Evaluation(whole, state), StageSettings.bare("test", **{name: 5.0})) > bare, name


def test_solve_step_agrees_with_the_dense_equations(problem):
    whole, state, variables = problem
    equations = linearise(Evaluation(whole, state), StageSettings(name="test", temporal=10), variables)
    frames, size = equations.gradient.shape
    dense = np.zeros((frames, size, frames, size))
    row, column = variables.coupled()
    for t in range(frames):
        dense[t, :, t] = equations.diagonal[t]
    for gap, entries in ((1, equations.next1), (2, equations.next2)):
        for t in range(frames - gap):
            dense[t + gap, row, t, column] = entries[t]
            dense[t, column, t + gap, row] = entries[t]
    n, count = frames * size, len(equations.shared_gradient)
    matrix = np.zeros((n + count, n + count))
    matrix[:n, :n] = dense.reshape(n, n)
    matrix[:n, n:] = equations.mixed.reshape(n, count)
    matrix[n:, :n] = matrix[:n, n:].T
    matrix[n:, n:] = equations.shared
    damping = 1e-2
    matrix[np.arange(n + count), np.arange(n + count)] *= 1 + damping
    matrix += 1e-3 * np.eye(n + count)
    expected = -np.linalg.solve(matrix, np.concatenate([equations.gradient.ravel(), equations.shared_gradient]))
    step, common = solve_step(equations, variables, damping, tolerance=1e-10)
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
