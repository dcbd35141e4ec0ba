"""Keypoints in the picture, and the 3D directions that a detector guesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.derivatives import GROUPS, ROW_TYPE, PointDerivatives
from diffsign.fit.problem import NEAREST, Evaluation
from diffsign.fit.state import Variables
from diffsign.fit.targets import ARM_BONES, BONES
from diffsign.fit.terms.base import Jacobian, Residual
from diffsign.records import keypoints as kp

#: Scale of the robust kernel on differences of unit vectors, which are at most 2.
DIRECTION_SCALE = 1.5


@dataclass(frozen=True)
class ImageDistance:
    """Distances between projected and detected points, in thousandths of the picture's height.

    Attributes:
        robust_scale: of the Geman-McClure kernel, in that unit.
    """

    robust_scale: float

    def weights(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return (T, 137) squared weights."""
        weight = at.targets.weight.copy()
        weight[:, kp.BODY] *= stage.body_joints
        weight[:, kp.LEFT_HAND] *= stage.hand_joints
        weight[:, kp.RIGHT_HAND] *= stage.hand_joints
        weight[:, kp.FACE] *= stage.face_joints
        return weight**2

    def points(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return the points that pull."""
        return self.weights(at, stage).any(0)

    def _used(self, at: Evaluation, stage: StageSettings) -> tuple[np.ndarray, list[np.ndarray]]:
        weight = self.weights(at, stage)
        used = weight.any(0)
        return weight, [part.start + np.flatnonzero(used[part]) for part in GROUPS]

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return one residual for each group of points."""
        weight, groups = self._used(at, stage)
        difference = (at.projection[0] - at.targets.xy) / at.problem.view.pixel
        return [Residual(difference[:, used], weight[:, used], self.robust_scale) for used in groups if len(used)]

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return one Jacobian for each group of points."""
        view, focal = at.problem.view, np.exp(at.state.log_focal)
        out = []
        for number, used in enumerate(self._used(at, stage)[1]):
            if not len(used):
                continue
            points, columns, values = derivatives.group(number)
            in_camera = at.projection[1][:, used]
            depth = np.maximum(in_camera[..., 2:], NEAREST)
            # d pixel / d camera coordinates, (T, n, 2, 3).
            gain = np.zeros((*in_camera.shape[:2], 2, 3))
            gain[..., 0, 0] = gain[..., 1, 1] = focal / depth[..., 0] / view.pixel
            gain[..., :, 2] = -focal * in_camera[..., :2] / depth**2 / view.pixel
            kept = values if len(points) == len(used) else values[:, np.searchsorted(points, used)]
            rows = (gain @ view.rotation).astype(ROW_TYPE) @ kept
            if variables.focal:
                rows[..., -1] = focal * in_camera[..., :2] / depth / view.pixel
            out.append(Jacobian(columns[None], rows.reshape(len(rows), 1, -1, len(columns))))
        return out


#: (M, 2) ends of the bones, and those bones whose ends belong to each group of points.
ENDS = np.array(BONES)
BONES_OF_GROUP = [np.flatnonzero(((part.start <= ENDS) & (part.stop > ENDS)).all(1)) for part in GROUPS]


class BoneDirection:
    """Differences between the directions of bones and those that the detector guesses."""

    def weights(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return (T, M) squared weights."""
        weight = at.targets.direction_weight.copy()
        weight[:, :ARM_BONES] *= stage.depth
        weight[:, ARM_BONES:] *= stage.hand_depth
        return weight**2

    def _used(self, at: Evaluation, stage: StageSettings) -> tuple[np.ndarray, list[np.ndarray]]:
        weight = self.weights(at, stage)
        used = weight.any(0)
        return weight, [bones[used[bones]] for bones in BONES_OF_GROUP]

    def points(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return the ends of the bones that pull."""
        out = np.zeros(at.problem.model.count, dtype=bool)
        out[ENDS[self.weights(at, stage).any(0)]] = True
        return out

    def _directions(self, at: Evaluation, bones: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bone = at.posed.points[:, ENDS[bones, 1]] - at.posed.points[:, ENDS[bones, 0]]
        length = np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-6)
        return bone / length, length

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return one residual for each group of points."""
        weight, groups = self._used(at, stage)
        return [
            Residual(self._directions(at, bones)[0] - at.targets.direction[:, bones], weight[:, bones], DIRECTION_SCALE)
            for bones in groups
            if len(bones)
        ]

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return one Jacobian for each group of points."""
        del variables
        out = []
        for number, bones in enumerate(self._used(at, stage)[1]):
            if not len(bones):
                continue
            points, columns, values = derivatives.group(number)
            unit, length = self._directions(at, bones)
            across = (np.eye(3) - unit[..., :, None] * unit[..., None, :]) / length[..., None]
            start, stop = (np.searchsorted(points, ENDS[bones, end]) for end in (0, 1))
            rows = across.astype(ROW_TYPE) @ (values[:, stop] - values[:, start])
            out.append(Jacobian(columns[None], rows.reshape(len(rows), 1, -1, len(columns))))
        return out
