"""Priors on what all frames share: shape and focal length. They count in every frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.derivatives import PointDerivatives
from diffsign.fit.problem import Evaluation
from diffsign.fit.state import Variables
from diffsign.fit.terms.base import Jacobian, Residual, WithoutPoints


class Shape(WithoutPoints):
    """Bodies are average."""

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return the betas in standard deviations."""
        betas = np.broadcast_to(at.state.betas, (len(at.state.transl), 1, len(at.state.betas)))
        return [Residual(betas, stage.shape**2)]

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return the identity."""
        del stage, derivatives
        count = len(at.state.betas)
        columns = variables.size + np.arange(count) if variables.shape else np.full(count, -1)
        return [Jacobian(columns[None], np.eye(count)[None, None])]


class FocalLength(WithoutPoints):
    """The focal length is near the one that is expected; a standard deviation costs as much as five pixels."""

    pixels = 5.0

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return the logarithm of the ratio in standard deviations."""
        del stage
        view = at.problem.view
        ratio = (at.state.log_focal - np.log(view.focal)) / view.focal_sigma
        return [Residual(np.full((len(at.state.transl), 1, 1), ratio), self.pixels**2)]

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return the derivative by the logarithm."""
        del stage, derivatives
        column = variables.total - 1 if variables.focal else -1
        return [Jacobian(np.array([[column]]), np.full((1, 1, 1, 1), 1 / at.problem.view.focal_sigma))]
