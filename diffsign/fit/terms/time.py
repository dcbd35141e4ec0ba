"""Accelerations: what couples the frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.problem import Evaluation
from diffsign.fit.state import Variables
from diffsign.geometry.rotations import inverse_right_jacobian
from diffsign.geometry.skeleton import JOINTS

#: Metres that weigh in time like a radian.
TRANSLATION_UNIT = 0.1
#: Pelvis, spine and collars.
TRUNK_JOINTS = (0, 3, 6, 9, 13, 14)
#: How much steadier than the arms a trunk is: it rests, mostly, so it moves only as far as the picture proves. The
#: picture proves least about depth: pitch moves the shoulders to and fro, yaw one of them, roll none.
STEADY = np.ones((len(JOINTS), 3))
STEADY[[0, 3, 6, 9]] = 60.0
STEADY[[13, 14]] = 20.0
#: The same for the translation: across, up, in depth.
STEADY_TRANSLATION = np.array([60.0, 60.0, 60.0])
#: Second differences: what the three frames count.
SECOND = (1.0, -2.0, 1.0)


@dataclass(frozen=True)
class Acceleration:
    """Second differences of rotations, translation and expression, not across cuts.

    Attributes:
        time_scale: (fps / 24)², which makes accelerations comparable between frame rates.
    """

    time_scale: float

    def weight(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return (T − 2,) squared weights."""
        return (stage.temporal * self.time_scale) ** 2 * at.targets.joined

    def residuals(self, at: Evaluation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rotations (T − 2, 55, 3), translations (T − 2, 3) and expressions (T − 2, E)."""
        transl = np.diff(at.state.transl, n=2, axis=0) / TRANSLATION_UNIT * STEADY_TRANSLATION
        return np.diff(at.velocity, axis=0) * STEADY, transl, np.diff(at.state.expression, n=2, axis=0)

    def cost(self, at: Evaluation, stage: StageSettings) -> float:
        """Return the term's value."""
        if not stage.temporal or len(at.state.transl) < 3:
            return 0.0
        rotation, transl, expression = self.residuals(at)
        squares = np.sum(rotation**2, (1, 2)) + np.sum(transl**2, -1) + np.sum(expression**2, -1)
        return float(np.sum(self.weight(at, stage) * squares))

    def jacobians(self, at: Evaluation, variables: Variables) -> np.ndarray:
        """Return (3, T − 2, F, 3, 3), the derivatives of free rotations and translation by the three frames' own."""
        frames = len(at.state.transl)
        velocity = at.velocity[:, variables.joints]
        forward, backward = inverse_right_jacobian(velocity), inverse_right_jacobian(-velocity)
        steady = STEADY[variables.joints][:, :, None]
        rotations = [steady * step for step in (backward[:-1], -forward[:-1] - backward[1:], forward[1:])]
        shape = (frames - 2, int(variables.translates), 3, 3)
        transl = [np.broadcast_to(factor * np.diag(STEADY_TRANSLATION) / TRANSLATION_UNIT, shape) for factor in SECOND]
        return np.stack([np.concatenate(pair, axis=1) for pair in zip(rotations, transl, strict=True)])

    def add(
        self,
        at: Evaluation,
        stage: StageSettings,
        variables: Variables,
        gradient: np.ndarray,
        diagonal: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add to gradient (T, P) and blocks (T, P, P); return the couplings of neighbours and of next neighbours."""
        frames, entries = len(at.state.transl), len(variables.coupled()[0])
        next1, next2 = np.zeros((max(0, frames - 1), entries)), np.zeros((max(0, frames - 2), entries))
        if frames < 3 or not stage.temporal:
            return next1, next2
        weight = self.weight(at, stage)
        rotation, transl, expression = self.residuals(at)
        moves = transl[:, None][:, : int(variables.translates)]
        residual = np.concatenate([rotation[:, variables.joints], moves], axis=1)
        expression, blocks = expression[:, variables.expressions], self.jacobians(at, variables)
        packed = slice(0, 3 * variables.triples)
        own = 3 * np.arange(variables.triples)[:, None] + np.arange(3)
        across = np.arange(variables.expression.start, variables.expression.stop)
        for i in range(3):
            reach = slice(i, frames - 2 + i)
            transposed = np.swapaxes(blocks[i], -1, -2)
            pull = (transposed @ residual[..., None])[..., 0] * weight[:, None, None]
            gradient[reach, packed] += pull.reshape(frames - 2, -1)
            gradient[reach, variables.expression] += SECOND[i] * weight[:, None] * expression
            square = (transposed @ blocks[i]) * weight[:, None, None, None]
            diagonal[reach, own[:, :, None], own[:, None, :]] += square
            diagonal[reach, across, across] += (SECOND[i] ** 2 * weight)[:, None]
            for j in range(i):
                product = (transposed @ blocks[j]) * weight[:, None, None, None]
                extra = np.repeat((SECOND[i] * SECOND[j] * weight)[:, None], len(across), axis=1)
                coupling = np.concatenate([product.reshape(frames - 2, -1), extra], axis=1)
                if i - j == 1:
                    next1[j : frames - 2 + j] += coupling
                else:
                    next2 += coupling
        return next1, next2
