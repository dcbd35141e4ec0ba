"""Jaw, eyes and expression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.derivatives import PointDerivatives
from diffsign.fit.problem import Evaluation
from diffsign.fit.state import Variables
from diffsign.fit.terms.base import Jacobian, PoseTerm, Residual, WithoutPoints


class Jaw(PoseTerm):
    """The jaw opens; it hardly turns or shifts."""

    joints = np.array([[22]])
    _scale = 1 / np.array([1.0, 0.1, 0.1])

    def weight(self, stage: StageSettings) -> float:
        """Return the stage's weight."""
        return stage.jaw

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 1, 3)."""
        return pose[:, self.joints[:, 0]] * self._scale

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (1, 1, 3, 1, 3)."""
        del pose
        return np.diag(self._scale)[None, None, :, None]


class Eyes(PoseTerm):
    """Eyes look ahead; weighted like the habits of the fingers, as in SMPLify-X."""

    joints = np.array([[23], [24]])
    _scale = 1 / np.array([0.15, 0.3, 0.05])

    def weight(self, stage: StageSettings) -> float:
        """Return the stage's weight."""
        return stage.hand_prior

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 2, 3)."""
        return pose[:, self.joints[:, 0]] * self._scale

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (1, 2, 3, 1, 3)."""
        del pose
        return np.broadcast_to(np.diag(self._scale)[None, None, :, None], (1, 2, 3, 1, 3))


class Expression(WithoutPoints):
    """Faces are at rest, and no expression is stronger than its range."""

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return strengths, and how far they are past their range."""
        strength = at.state.expression
        past = strength - np.clip(strength, *at.problem.model.expression_range)
        return [Residual(strength[..., None], stage.expression**2), Residual(past[..., None], stage.limits**2)]

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return ones, where a strength counts."""
        del stage, derivatives
        strength = at.state.expression
        past = strength != np.clip(strength, *at.problem.model.expression_range)
        columns = np.full((strength.shape[1], 1), -1)
        columns[variables.expressions, 0] = np.arange(variables.expression.start, variables.expression.stop)
        ones = np.ones((1, strength.shape[1], 1, 1))
        return [Jacobian(columns, ones), Jacobian(columns, past[..., None, None] * ones)]
