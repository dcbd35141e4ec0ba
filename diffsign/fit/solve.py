"""Levenberg-Marquardt on a window of frames.

The frames' blocks and their couplings in time form a banded matrix, bordered by shape and focal length, which all
frames share. Couplings are weak beside the blocks, so conjugate gradients preconditioned by the blocks need few
rounds, and the cost of a step is linear in the frames.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from scipy import linalg

from diffsign.config.fit import StageSettings
from diffsign.fit.objective import Equations, frame_values, linearise, value
from diffsign.fit.problem import Evaluation, Problem
from diffsign.fit.state import State, Variables, moved
from diffsign.fit.terms.time import TRUNK_JOINTS

log = logging.getLogger(__name__)

#: A step that lowers the objective by less than this share ends the stage.
TOLERANCE = 1e-4
#: Added to the diagonal, so that a parameter nothing pulls stays where it is.
FLOOR = 1e-3
#: Conjugate gradients stop when the preconditioned residual has fallen to this share, or after so many.
ACCURACY, MOST_GRADIENTS = 0.02, 40


@dataclass(frozen=True)
class Outcome:
    """State and value after a stage, and how many steps it took."""

    state: State
    value: float
    steps: int


def inverses(matrices: np.ndarray) -> np.ndarray:
    """Return the inverses of positive definite matrices (T, P, P), in single precision, scaled to a unit diagonal.

    By torch, whose batches are far faster than numpy's.

    Raises:
        numpy.linalg.LinAlgError: if one is not positive definite.
    """
    scale = (1 / np.sqrt(np.maximum(np.diagonal(matrices, axis1=1, axis2=2), 1e-30))).astype(np.float32)
    both = scale[:, :, None] * scale[:, None]
    factor, info = torch.linalg.cholesky_ex(torch.from_numpy(matrices.astype(np.float32) * both))
    if info.any():
        raise np.linalg.LinAlgError("a block of the Gauss-Newton matrix is not positive definite")
    both *= torch.cholesky_inverse(factor).numpy()
    return both


def _times_blocks(equations: Equations, variables: Variables, diagonal: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Multiply the frames' matrix by (T, P): blocks on the diagonal and the couplings in time."""
    out = (diagonal @ vector[..., None])[..., 0]
    row, column = variables.coupled()
    for gap, entries in ((1, equations.next1), (2, equations.next2)):
        if len(vector) <= gap or not entries.any():
            continue
        below = np.zeros_like(vector[gap:])
        above = np.zeros_like(vector[gap:])
        size = 3 * variables.triples
        count = 9 * variables.triples
        tiles = entries[:, :count].reshape(len(entries), variables.triples, 3, 3)
        early = vector[:-gap, :size].reshape(len(entries), variables.triples, 3, 1)
        late = vector[gap:, :size].reshape(len(entries), variables.triples, 3, 1)
        below[:, :size] = (tiles @ early).reshape(len(entries), size)
        above[:, :size] = (np.swapaxes(tiles, -1, -2) @ late).reshape(len(entries), size)
        below[:, row[count:]] = entries[:, count:] * vector[:-gap, column[count:]]
        above[:, column[count:]] = entries[:, count:] * vector[gap:, row[count:]]
        out[gap:] += below
        out[:-gap] += above
    return out


class Preconditioner:
    """The frames' matrix without most of its couplings in time, inverted exactly.

    Couplings are weak beside the frames' own blocks, but for the trunk, which hardly moves: its parameters are solved
    across time, by a banded Cholesky decomposition of their Schur complements.

    Args:
        diagonal: (T, P, P) blocks, damped.
        equations: for the couplings.
        variables: the parameters that move.

    Raises:
        numpy.linalg.LinAlgError: if a block is singular.
    """

    def __init__(self, diagonal: np.ndarray, equations: Equations, variables: Variables) -> None:
        self.inverse = inverses(diagonal)
        triples = steady_triples(variables)
        self.steady = (3 * triples[:, None] + np.arange(3)).ravel()
        self.coupled = bool(equations.next1.any()) and len(triples) > 0
        if not self.coupled:
            return
        count = len(self.steady)
        self.complement = np.linalg.inv(self.inverse[:, self.steady[:, None], self.steady].astype(np.float64))
        self.across = np.ascontiguousarray(self.inverse[:, :, self.steady])
        frames = len(diagonal)
        banded = np.zeros((3 * count, frames * count))
        row, column = np.tril_indices(count)
        at = count * np.arange(frames)[:, None]
        banded[row - column, at + column] = self.complement[:, row, column]
        # The couplings are 3 × 3 tiles on the diagonals of their blocks.
        tile = 3 * np.arange(len(triples))[:, None, None]
        row, column = (tile + np.arange(3)[:, None] + np.zeros(3, int)), (tile + np.arange(3) + np.zeros((3, 1), int))
        for gap, entries in ((1, equations.next1), (2, equations.next2)):
            tiles = entries[:, : 9 * variables.triples].reshape(len(entries), variables.triples, 3, 3)[:, triples]
            banded[gap * count + row - column, at[: len(entries), :, None, None] + column] = tiles
        self.factor = linalg.cholesky_banded(banded, lower=True, overwrite_ab=True, check_finite=False)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Solve for right-hand sides (T, P, k)."""
        out = (self.inverse @ values.astype(np.float32)).astype(np.float64)
        if not self.coupled or not values.size:
            return out
        part = out[:, self.steady]
        side = self.complement @ part
        solved = linalg.cho_solve_banded((self.factor, True), side.reshape(-1, side.shape[-1]), check_finite=False)
        change = self.complement @ (solved.reshape(part.shape) - part)
        return out + self.across @ change.astype(np.float32)


def steady_triples(variables: Variables) -> np.ndarray:
    """Return where trunk and translation are among the frame's triples."""
    slots = variables.slots[np.array(TRUNK_JOINTS)]
    moves = [len(variables.joints)] if variables.translates else []
    return np.array([*slots[slots >= 0], *moves], dtype=int)


def solve_step(
    equations: Equations, variables: Variables, damping: float, tolerance: float = ACCURACY
) -> tuple[np.ndarray, np.ndarray]:
    """Return the damped Gauss-Newton step of the frames (T, P) and of the shared parameters (S,).

    Conjugate gradients, preconditioned by the exact solution of the same equations without most couplings in time
    (:class:`Preconditioner`) and the Schur complement of what the frames share.

    Raises:
        numpy.linalg.LinAlgError: if a block is singular.
    """
    frames, size = equations.gradient.shape
    count = len(equations.shared_gradient)
    diagonal = equations.diagonal.copy()
    on = np.arange(size)
    diagonal[:, on, on] = diagonal[:, on, on] * (1 + damping) + FLOOR
    shared = equations.shared + np.diag(damping * np.diag(equations.shared) + FLOOR)
    mixed = equations.mixed
    solve = Preconditioner(diagonal, equations, variables)
    across = solve(mixed)
    schur = np.linalg.inv(shared - np.einsum("tps,tpq->sq", mixed, across, optimize=True)) if count else shared

    def precondition(f: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inner = solve(f[..., None])[..., 0]
        common = schur @ (s - np.einsum("tps,tp->s", mixed, inner))
        return inner - across @ common, common

    def times(f: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        local = _times_blocks(equations, variables, diagonal, f) + mixed @ s
        return local, np.einsum("tps,tp->s", mixed, f) + shared @ s

    step, common = np.zeros((frames, size)), np.zeros(count)
    left, left_s = -equations.gradient, -equations.shared_gradient
    search, search_s = direction, direction_s = precondition(left, left_s)
    energy = first = float(np.sum(left * direction) + left_s @ direction_s)
    if not equations.next1.any():
        return direction, direction_s  # without couplings the preconditioner is the solution
    for _ in range(MOST_GRADIENTS):
        if energy <= tolerance**2 * first:
            break
        image, image_s = times(search, search_s)
        length = energy / float(np.sum(search * image) + search_s @ image_s)
        step, common = step + length * search, common + length * search_s
        left, left_s = left - length * image, left_s - length * image_s
        direction, direction_s = precondition(left, left_s)
        previous, energy = energy, float(np.sum(left * direction) + left_s @ direction_s)
        search, search_s = direction + energy / previous * search, direction_s + energy / previous * search_s
    return step, common


def minimise(problem: Problem, state: State, stage: StageSettings, variables: Variables) -> Outcome:
    """Run one stage from ``state``."""
    at = Evaluation(problem, state)
    least = value(at, stage)
    damping, steps = 1e-3, 0
    for _ in range(stage.iterations):
        equations = linearise(at, stage, variables)
        previous = least
        for _attempt in range(6):
            try:
                step = solve_step(equations, variables, damping)
            except np.linalg.LinAlgError:
                damping *= 8
                continue
            trial = Evaluation(problem, moved(at.state, variables, *step))
            reached = value(trial, stage)
            if reached < least:
                at, least = trial, reached
                damping = max(damping / 5, 1e-5)
                steps += 1
                break
            damping *= 8
        if previous - least <= TOLERANCE * previous:
            break
    log.debug("%s: %.4g after %d steps", stage.name, least, steps)
    return Outcome(at.state, least, steps)


def minimise_each(
    problem: Problem, state: State, stage: StageSettings, variables: Variables
) -> tuple[State, np.ndarray]:
    """Run a stage on frames that have nothing to do with one another, each with a damping of its own.

    Returns:
        The state, and (T,) each frame's value.
    """
    least = frame_values(Evaluation(problem, state), stage)
    damping = np.full(len(least), 1e-3)
    diagonal = np.arange(variables.size)
    for _ in range(stage.iterations):
        equations = linearise(Evaluation(problem, state), stage, variables)
        matrix = equations.diagonal
        matrix[:, diagonal, diagonal] = matrix[:, diagonal, diagonal] * (1 + damping[:, None]) + FLOOR
        step = -(inverses(matrix) @ equations.gradient[..., None])[..., 0]
        trial = moved(state, variables, step, np.zeros(0))
        reached = frame_values(Evaluation(problem, trial), stage)
        better = reached < least
        damping = np.where(better, np.maximum(damping / 5, 1e-5), damping * 10)
        state = trial.where(better, state)
        least = np.where(better, reached, least)
    return state, least
