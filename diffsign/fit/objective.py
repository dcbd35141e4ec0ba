"""The fit's objective on all frames of a window at once: its value and its Gauss-Newton equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.derivatives import ROW_TYPE, PointDerivatives
from diffsign.fit.problem import Evaluation
from diffsign.fit.state import Variables
from diffsign.fit.terms.base import Jacobian, Residual


@dataclass(frozen=True)
class Equations:
    """Gauss-Newton equations: frame blocks, their couplings in time, and the shared parameters.

    Attributes:
        gradient: (T, P).
        diagonal: (T, P, P).
        next1: (T − 1, C) entries ``Variables.coupled`` of the block (t + 1, t).
        next2: (T − 2, C) of the block (t + 2, t).
        shared_gradient: (S,).
        shared: (S, S).
        mixed: (T, P, S).
    """

    gradient: np.ndarray
    diagonal: np.ndarray
    next1: np.ndarray
    next2: np.ndarray
    shared_gradient: np.ndarray
    shared: np.ndarray
    mixed: np.ndarray


def frame_values(at: Evaluation, stage: StageSettings) -> np.ndarray:
    """Return (T,) each frame's part of the objective: all but what couples frames."""
    total = np.zeros(len(at.state.transl))
    for term in at.problem.terms.frames:
        for residual in term.residuals(at, stage):
            total += residual.cost()
    return np.where(np.isfinite(total), total, np.inf)


def value(at: Evaluation, stage: StageSettings) -> float:
    """Return the objective; infinite where it is not finite."""
    total = frame_values(at, stage).sum() + at.problem.terms.time.cost(at, stage)
    return float(total) if np.isfinite(total) else np.inf


def linearise(at: Evaluation, stage: StageSettings, variables: Variables) -> Equations:
    """Return the Gauss-Newton equations about a state."""
    terms = at.problem.terms.frames
    needed = np.any([term.points(at, stage) for term in terms], axis=0)
    derivatives = PointDerivatives(at, variables, needed)
    frames, size, total = len(at.state.transl), variables.size, variables.total
    matrix, gradient = np.zeros((frames, total, total)), np.zeros((frames, total))
    for term in terms:
        jacobians = term.jacobians(at, stage, variables, derivatives)
        for residual, jacobian in zip(term.residuals(at, stage), jacobians, strict=True):
            _add(matrix, gradient, residual, jacobian)
    diagonal = matrix[:, :size, :size].copy()
    own = gradient[:, :size]
    next1, next2 = at.problem.terms.time.add(at, stage, variables, own, diagonal)
    return Equations(
        gradient=own,
        diagonal=diagonal,
        next1=next1,
        next2=next2,
        shared_gradient=gradient[:, size:].sum(0),
        shared=matrix[:, size:, size:].sum(0),
        mixed=matrix[:, :size, size:].copy(),
    )


def _add(matrix: np.ndarray, gradient: np.ndarray, residual: Residual, jacobian: Jacobian) -> None:
    """Add ``Jᵀ W J`` to (T, N, N) and ``Jᵀ W r`` to (T, N)."""
    columns, rows = jacobian.columns, jacobian.values
    groups, count = rows.shape[1:3]
    frames, _, length = residual.values.shape
    dtype = ROW_TYPE if rows.dtype == ROW_TYPE else np.float64
    values = residual.values.reshape(frames, groups, count, 1).astype(dtype)
    weight = np.repeat(residual.curvature(), length, axis=1).reshape(frames, groups, count, 1).astype(dtype)
    pulled = np.swapaxes(rows * weight, -1, -2)
    square, side = pulled @ rows, (pulled @ values)[..., 0]
    if groups == 1:
        segments = runs(columns[0])
        for place, at in segments:
            gradient[:, at] += side[:, 0, place]
            for across, other in segments:
                matrix[:, at, other] += square[:, 0, place, across]
        return
    whole = (columns >= 0).all(1)
    kept = columns[whole]
    matrix[:, kept[:, :, None], kept[:, None, :]] += square[:, whole]
    gradient[:, kept] += side[:, whole]
    for group in np.flatnonzero(~whole):
        free = np.flatnonzero(columns[group] >= 0)
        at = columns[group, free]
        matrix[:, at[:, None], at] += square[:, group, free[:, None], free]
        gradient[:, at] += side[:, group, free]


def runs(columns: np.ndarray) -> list[tuple[slice, slice]]:
    """Return where neighbouring columns (C,) lie side by side, in ``columns`` and in the parameters; −1 is left out.

    Adding slices is several times as fast as adding by index.
    """
    edges = np.flatnonzero(np.diff(columns) != 1) + 1
    out = []
    for part in np.split(np.arange(len(columns)), edges):
        first = int(columns[part[0]])
        if first >= 0:
            out.append((slice(int(part[0]), int(part[-1]) + 1), slice(first, first + len(part))))
    return out
