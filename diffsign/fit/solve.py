"""Levenberg-Marquardt on a window of frames.

The frames' blocks and their couplings in time form one banded matrix, which a banded Cholesky
factorisation solves in time linear in the frames; shape and focal length, which all frames share, are
eliminated by their Schur complement.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, cho_solve_banded, cholesky_banded

from diffsign.core.settings.fit import StageSettings
from diffsign.fit.objective import Equations, Layout, Objective, State, moved

log = logging.getLogger(__name__)

#: A step that lowers the objective by less than this share ends the stage.
TOLERANCE = 1e-4
#: Added to the diagonal, so that a parameter nothing pulls stays where it is.
FLOOR = 1e-3


@dataclass(frozen=True)
class Outcome:
    """State and value after a stage, and how many steps it took."""

    state: State
    value: float
    steps: int


def _banded(equations: Equations, layout: Layout, damping: float) -> np.ndarray:
    """Return the frames' matrix in LAPACK's lower banded storage, its diagonal raised by ``damping``."""
    frames, size = equations.gradient.shape
    width = size + 2 if frames == 2 else 2 * size + 2
    width = size - 1 if frames == 1 else width
    band = np.zeros((width + 1, frames, size))
    row, column = np.tril_indices(size)
    band[row - column, :, column] = equations.diagonal[:, row, column].T
    band[0] = band[0] * (1 + damping) + FLOOR
    row, column = layout.coupled()
    if frames > 1:
        band[size + row - column, :-1, column] = equations.next1.T
    if frames > 2:
        band[2 * size + row - column, :-2, column] = equations.next2.T
    return band.reshape(width + 1, frames * size)


def solve_step(equations: Equations, layout: Layout, damping: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the damped Gauss-Newton step of the frames (T, P) and of the shared parameters (S,).

    Raises:
        scipy.linalg.LinAlgError: if the matrix is not positive definite.
    """
    frames, size = equations.gradient.shape
    factor = cholesky_banded(_banded(equations, layout, damping), lower=True, overwrite_ab=True, check_finite=False)
    count = len(equations.shared_gradient)
    sides = np.concatenate([equations.gradient[..., None], equations.mixed], axis=-1).reshape(frames * size, 1 + count)
    solved = cho_solve_banded((factor, True), sides, check_finite=False)
    shared = np.zeros(0)
    if count:
        mixed = equations.mixed.reshape(frames * size, count)
        raised = equations.shared + np.diag(damping * np.diag(equations.shared) + FLOOR)
        reduced = raised - mixed.T @ solved[:, 1:]
        side = equations.shared_gradient - mixed.T @ solved[:, 0]
        shared = -cho_solve(cho_factor(reduced, check_finite=False), side, check_finite=False)
    step = -solved[:, 0] - solved[:, 1:] @ shared
    return step.reshape(frames, size), shared


def minimise(objective: Objective, state: State, stage: StageSettings, layout: Layout) -> Outcome:
    """Run one stage from ``state``."""
    value = objective.value(state, stage)
    damping, steps = 1e-3, 0
    for _ in range(stage.iterations):
        equations = objective.equations(state, stage, layout)
        previous = value
        for _attempt in range(6):
            try:
                trial = moved(state, layout, *solve_step(equations, layout, damping))
                reached = objective.value(trial, stage)
            except LinAlgError:
                reached = np.inf
            if reached < value:
                state, value = trial, reached
                damping = max(damping / 5, 1e-6)
                steps += 1
                break
            damping *= 8
        if previous - value <= TOLERANCE * previous:
            break
    log.debug("%s: %.4g after %d steps", stage.name, value, steps)
    return Outcome(state, value, steps)


def minimise_each(objective: Objective, state: State, stage: StageSettings, layout: Layout) -> tuple[State, np.ndarray]:
    """Run a stage on frames that have nothing to do with one another, each with a damping of its own.

    Returns:
        The state, and (T,) each frame's value.
    """
    value = objective.frame_values(state, stage)
    damping = np.full(len(value), 1e-3)
    on = np.arange(layout.size)
    for _ in range(stage.iterations):
        equations = objective.equations(state, stage, layout)
        matrix = equations.diagonal
        matrix[:, on, on] = matrix[:, on, on] * (1 + damping[:, None]) + FLOOR
        step = -np.linalg.solve(matrix, equations.gradient[..., None])[..., 0]
        trial = moved(state, layout, step, np.zeros(0))
        reached = objective.frame_values(trial, stage)
        better = reached < value
        damping = np.where(better, np.maximum(damping / 5, 1e-6), damping * 10)
        state = replace(
            trial,
            rotations=np.where(better[:, None, None, None], trial.rotations, state.rotations),
            transl=np.where(better[:, None], trial.transl, state.transl),
            expression=np.where(better[:, None], trial.expression, state.expression),
        )
        value = np.where(better, reached, value)
    return state, value
