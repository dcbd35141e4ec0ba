"""Derivatives of the body's points by the parameters that move, part by part."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from diffsign.fit.problem import Evaluation
from diffsign.fit.state import Variables
from diffsign.records import keypoints as kp

#: Jacobians are many and need few digits; sums of their products go on in double precision.
ROW_TYPE = np.float32
#: Points that depend on much the same parameters.
GROUPS = (kp.BODY, kp.LEFT_HAND, kp.RIGHT_HAND, kp.FACE)


class PointDerivatives:
    """dp / d parameters at one state, each group of points by the parameters that it depends on.

    Args:
        at: the state.
        variables: the parameters that move.
        points: (137,) bool, the points that are needed.
    """

    def __init__(self, at: Evaluation, variables: Variables, points: np.ndarray) -> None:
        self.at, self.variables, self.needed = at, variables, points
        self._groups: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def group(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the needed points (n,) of one of :data:`GROUPS`, the parameters (C,), and (T, n, 3, C) derivatives."""
        if number not in self._groups:
            part = GROUPS[number]
            points = part.start + np.flatnonzero(self.needed[part])
            self._groups[number] = (points, *self._derive(points))
        return self._groups[number]

    @cached_property
    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """All derivatives (T, n, 3, C) together, and the row of each point (137,), −1 where it isn't needed."""
        place = np.full(len(self.needed), -1)
        place[self.needed] = np.arange(self.needed.sum())
        out = np.zeros((len(self.at.state.transl), self.needed.sum(), 3, self.variables.total), dtype=ROW_TYPE)
        for number in range(len(GROUPS)):
            points, columns, values = self.group(number)
            out[:, place[points][:, None, None], np.arange(3)[:, None], columns] = values
        return out, place

    def _derive(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at, variables, model = self.at, self.variables, self.at.problem.model
        frames = len(at.state.transl)
        row = np.full(model.count, -1)
        row[points] = np.arange(len(points))
        slot = variables.slots
        moved = (slot[model.influence_joint] >= 0) & (row[model.influence_point] >= 0)
        joints = np.union1d(model.influence_joint[moved], model.corrective_joints)
        joints = joints[slot[joints] >= 0]
        faces = variables.expression if len(variables.expressions) and model.has_expression(points) else slice(0, 0)
        columns = np.concatenate(
            [
                variables.joint_columns(joints).ravel(),
                np.arange(variables.transl.start, variables.transl.stop),
                np.arange(faces.start, faces.stop),
                np.arange(variables.size, variables.total),
            ]
        )
        out = np.zeros((frames, len(points), 3, len(columns)), dtype=ROW_TYPE)
        if not len(points):
            return columns, out
        local = np.full(len(slot), -1)
        local[joints] = np.arange(len(joints))
        chosen = np.flatnonzero(moved)
        rotation = model.rotation_jacobian(at.posed, chosen)
        at_row, at_column = row[model.influence_point[chosen]], 3 * local[model.influence_joint[chosen]]
        for axis in range(3):
            out[:, at_row, :, at_column + axis] = np.moveaxis(rotation[..., axis], 1, 0)
        end = 3 * len(joints)
        if variables.translates:
            out[:, :, range(3), range(end, end + 3)] = 1.0
            end += 3
        for n, joint in enumerate(model.corrective_joints):
            if local[joint] >= 0:
                start = 3 * local[joint]
                out[..., start : start + 3] += self._correctives[:, :, :, n][:, points]
        if faces.stop > faces.start:
            out[..., end : end + faces.stop - faces.start] = self._expressions[:, points]
        shared = end + faces.stop - faces.start
        if variables.shape:
            out[..., shared : shared + model.n_betas] = self._shapes[:, points]
        return columns, out

    @cached_property
    def _correctives(self) -> np.ndarray:
        return self.at.problem.model.corrective_jacobian(self.at.posed, self.at.state.rotations)

    @cached_property
    def _expressions(self) -> np.ndarray:
        return self.at.problem.model.expression_jacobian(self.at.posed)

    @cached_property
    def _shapes(self) -> np.ndarray:
        return self.at.problem.model.shape_jacobian(self.at.posed)
