"""What a term of the objective is made of: residuals, their derivatives, a robust kernel and weights.

A term's value is ``Σ w ρ(|r|²)`` over its residual vectors r. Gauss-Newton equations leave out the usual factors of a
half and two: the gradient is ``Jᵀ W r``, the matrix ``Jᵀ W J``, with ``W = w ρ'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.derivatives import PointDerivatives
from diffsign.fit.problem import Evaluation
from diffsign.fit.state import Variables
from diffsign.geometry.rotations import inverse_right_jacobian


def geman_mcclure(squared: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ρ(e²) = s² e² / (s² + e²) and its derivative by e²."""
    ratio = scale**2 / (scale**2 + squared)
    return ratio * squared, ratio**2


@dataclass(frozen=True)
class Residual:
    """Residual vectors of T frames.

    Attributes:
        values: (T, n, d).
        weight: squared weights, broadcast to (T, n).
        robust_scale: of the Geman-McClure kernel on the length of each vector; None for plain squares.
    """

    values: np.ndarray
    weight: np.ndarray | float
    robust_scale: float | None = None

    def cost(self) -> np.ndarray:
        """Return (T,) each frame's part of the objective."""
        squared = np.sum(self.values**2, -1)
        if self.robust_scale is not None:
            squared = geman_mcclure(squared, self.robust_scale)[0]
        return np.sum(self.weight * squared, -1)

    def curvature(self) -> np.ndarray:
        """Return (T, n) squared weights of Gauss-Newton: the kernel counts far residuals less."""
        weight = np.broadcast_to(self.weight, self.values.shape[:2])
        if self.robust_scale is None:
            return weight
        return weight * geman_mcclure(np.sum(self.values**2, -1), self.robust_scale)[1]


@dataclass(frozen=True)
class Jacobian:
    """Derivatives of a residual, in G groups of rows that each depend on C parameters.

    Attributes:
        columns: (G, C) parameters, −1 for one that does not move; no two groups share one unless G is 1.
        values: (T or 1, G, R, C) rows; the n · d numbers of a frame's residual in order are the G · R rows.
    """

    columns: np.ndarray
    values: np.ndarray


class Term(Protocol):
    """A kind of residuals within one frame."""

    def points(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return (137,) bool, the points whose derivatives :meth:`jacobians` needs."""
        ...

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return the residuals; none where the stage's weight is zero."""
        ...

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return the derivatives of each residual, in the same order."""
        ...


class WithoutPoints:
    """A term that looks at parameters, not at points."""

    def points(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return (137,) False."""
        del stage
        return np.zeros(at.problem.model.count, dtype=bool)


class PoseTerm(WithoutPoints):
    """A prior on rotation vectors. A subclass says its weight, residuals and their derivatives.

    Attributes:
        joints: (G, J) the joints that each of G groups of residuals depends on.
    """

    joints: np.ndarray

    def weight(self, stage: StageSettings) -> float:
        """Return the term's weight, which is squared in the sum."""
        raise NotImplementedError

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, G, R) residuals of rotation vectors (T, 55, 3)."""
        raise NotImplementedError

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (T or 1, G, R, J, 3) derivatives by the rotation vectors of the group's joints."""
        raise NotImplementedError

    def cost(self, pose: np.ndarray) -> np.ndarray:
        """Return (T,) the unweighted sum of squares of rotation vectors (T, 55, 3)."""
        return np.sum(self.residual(pose) ** 2, (1, 2))

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return the weighted residual, if it has a weight."""
        weight = self.weight(stage)
        return [Residual(self.residual(at.rotvec), weight**2)] if weight else []

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return the derivatives by small rotations of the joints."""
        del derivatives
        if not self.weight(stage):
            return []
        chain = inverse_right_jacobian(at.rotvec[:, self.joints])
        # (T, G, R, J, 3): each joint's three columns.
        slope = np.einsum("tgrja,tgjab->tgrjb", self.slope(at.rotvec), chain, optimize=True)
        columns = variables.joint_columns(self.joints)
        return [Jacobian(columns.reshape(len(columns), -1), slope.reshape(*slope.shape[:3], -1))]
