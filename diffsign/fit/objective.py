"""The fit's objective on all frames of a window at once: its value and its Gauss-Newton equations."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit import collisions
from diffsign.fit.body_priors import BodyPrior
from diffsign.fit.points import JOINTS, PointModel, Posed
from diffsign.fit.priors import HandPrior, ShapePrior, pose_terms
from diffsign.fit.state import Layout, State
from diffsign.fit.targets import ARM_BONES, BONES, Targets
from diffsign.geometry.rotations import inverse_right_jacobian, rotmat_to_rotvec
from diffsign.records import keypoints as kp

#: Scale of the robustifier on differences of unit vectors, which are at most 2.
DIRECTION_SCALE = 1.5
#: Metres that weigh in time like a radian.
TRANSLATION_UNIT = 0.1
#: Rows of the Jacobian are many and need few digits; sums of their products go on in double precision.
ROW_TYPE = np.float32
#: Rows that are multiplied together: about what one hand has.
ROW_GROUP = 42


@dataclass(frozen=True)
class Equations:
    """Gauss-Newton equations: frame blocks, their couplings in time, and the shared parameters.

    Attributes:
        gradient: (T, P).
        diagonal: (T, P, P).
        next1: (T − 1, C) entries ``Layout.coupled`` of the block (t + 1, t).
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


def geman_mcclure(squared: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ρ(e²) = s² e² / (s² + e²) and its derivative by e²."""
    ratio = scale**2 / (scale**2 + squared)
    return ratio * squared, ratio**2


def normal_equations(rows: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``Jᵀ W J`` (T, P, P) and ``Jᵀ W r`` (T, P) of rows (T, R, P), residuals and squared weights (T, R).

    Neighbouring rows are of one part of the body and depend on few of the parameters; only those are multiplied.
    """
    frames, count, width = rows.shape
    matrix, side = np.zeros((frames, width, width)), np.zeros((frames, width))
    for start in range(0, count, ROW_GROUP):
        group = slice(start, start + ROW_GROUP)
        columns = np.flatnonzero(rows[:, group].any((0, 1)))
        own = rows[:, group, columns]
        turned = np.swapaxes(own * weight[:, group, None].astype(ROW_TYPE), 1, 2)
        matrix[:, columns[:, None], columns] += turned @ own
        side[:, columns] += (turned @ residual[:, group, None].astype(ROW_TYPE))[..., 0]
    return matrix, side


class Objective:
    """The sum of squares that a stage minimises.

    Args:
        model: the reduced body.
        targets: what is seen.
        centre: (2,) principal point in pixels.
        camera_rotation: (3, 3) world to camera; the camera stands at the world's origin.
        pixel: length of the unit of image distance, in pixels (picture height / 1000).
        robust_scale: of the Geman-McClure robustifier, in that unit.
        focal: assumed focal length in pixels, and how sure (standard deviation of its logarithm).
        time_scale: (fps / 24)², which makes accelerations comparable between frame rates.
        hands: prior of the fingers.
        body: prior of the body's pose.
        shape: prior of the betas.
    """

    def __init__(
        self,
        model: PointModel,
        targets: Targets,
        centre: np.ndarray,
        camera_rotation: np.ndarray,
        pixel: float,
        robust_scale: float,
        focal: tuple[float, float],
        time_scale: float,
        hands: HandPrior,
        body: BodyPrior,
        shape: ShapePrior,
    ) -> None:
        self.model, self.targets = model, targets
        self.centre, self.camera_rotation, self.pixel = centre, camera_rotation, pixel
        self.robust_scale, self.focal, self.time_scale = robust_scale, focal, time_scale
        self.hands, self.body, self.shape = hands, body, shape
        self.bones = np.array(BONES)

    def with_targets(self, targets: Targets) -> Objective:
        """Return the objective on other targets."""
        other = copy.copy(self)
        other.targets = targets
        return other

    def point_weights(self, stage: StageSettings) -> np.ndarray:
        """(T, 137) squared weight of each point."""
        weight = self.targets.weight.copy()
        weight[:, kp.BODY] *= stage.body_joints
        weight[:, kp.LEFT_HAND] *= stage.hand_joints
        weight[:, kp.RIGHT_HAND] *= stage.hand_joints
        weight[:, kp.FACE] *= stage.face_joints
        return weight**2

    def direction_weights(self, stage: StageSettings) -> np.ndarray:
        """(T, M) squared weight of each direction."""
        weight = self.targets.direction_weight.copy()
        weight[:, :ARM_BONES] *= stage.depth
        weight[:, ARM_BONES:] *= stage.hand_depth
        return weight**2

    def pose(self, state: State) -> Posed:
        """Pose the points of a state."""
        return self.model.pose(state.rotations, state.transl, state.betas, state.expression)

    def project(self, points: np.ndarray, log_focal: float) -> tuple[np.ndarray, np.ndarray]:
        """Return pixels (T, K, 2) and camera coordinates (T, K, 3); points behind the camera are held before it."""
        seen = points @ self.camera_rotation.T
        depth = np.maximum(seen[..., 2:], 0.05)
        return self.centre + np.exp(log_focal) * seen[..., :2] / depth, seen

    def _image_residual(self, posed: Posed, log_focal: float) -> tuple[np.ndarray, np.ndarray]:
        pixels, seen = self.project(posed.points, log_focal)
        return (pixels - self.targets.xy) / self.pixel, seen

    def _direction_residual(self, posed: Posed) -> tuple[np.ndarray, np.ndarray]:
        bone = posed.points[:, self.bones[:, 1]] - posed.points[:, self.bones[:, 0]]
        length = np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-6)
        return bone / length - self.targets.direction, length

    @staticmethod
    def _velocities(state: State) -> np.ndarray:
        """(T − 1, 55, 3) rotation vectors from each frame to the next."""
        relative = np.swapaxes(state.rotations[:-1], -1, -2) @ state.rotations[1:]
        return rotmat_to_rotvec(relative)

    def _accelerations(self, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        velocity = self._velocities(state)
        transl = np.diff(state.transl, n=2, axis=0) / TRANSLATION_UNIT
        return velocity, np.diff(velocity, axis=0), transl, np.diff(state.expression, n=2, axis=0)

    def frame_values(self, state: State, stage: StageSettings) -> np.ndarray:
        """Return (T,) each frame's part of the objective: all but time and what frames share."""
        posed = self.pose(state)
        residual, _ = self._image_residual(posed, state.log_focal)
        robust, _ = geman_mcclure(np.sum(residual**2, -1), self.robust_scale)
        total = np.sum(self.point_weights(stage) * robust, -1)
        if stage.depth or stage.hand_depth:
            residual, _ = self._direction_residual(posed)
            robust, _ = geman_mcclure(np.sum(residual**2, -1), DIRECTION_SCALE)
            total += np.sum(self.direction_weights(stage) * robust, -1)
        if stage.interpenetration:
            total += stage.interpenetration**2 * np.sum(collisions.find_contacts(posed.points).depth ** 2, -1)
        rotvec = rotmat_to_rotvec(state.rotations)
        total += pose_terms(rotvec, stage, self.hands, self.body.term(rotvec)).value
        past = state.expression - np.clip(state.expression, *self.model.expression_range)
        total += stage.expression**2 * np.sum(state.expression**2, -1) + stage.limits**2 * np.sum(past**2, -1)
        return np.where(np.isfinite(total), total, np.inf)

    def value(self, state: State, stage: StageSettings) -> float:
        """Return the objective; infinite where it is no number."""
        frames = len(state.transl)
        total = self.frame_values(state, stage).sum()
        total += stage.shape**2 * self.shape.value(state.betas) * frames
        total += self._focal_weight(frames) * (state.log_focal - np.log(self.focal[0])) ** 2
        if stage.temporal and frames > 2:
            _, turn, move, face = self._accelerations(state)
            squares = np.sum(turn**2, (1, 2)) + np.sum(move**2, -1) + np.sum(face**2, -1)
            total += (stage.temporal * self.time_scale) ** 2 * np.sum(self.targets.joined * squares)
        return float(total) if np.isfinite(total) else np.inf

    def _focal_weight(self, frames: int) -> float:
        # An uncertain focal length costs as much as a pixel in every frame for one standard deviation.
        return frames * 25.0 / self.focal[1] ** 2

    def equations(self, state: State, stage: StageSettings, layout: Layout) -> Equations:
        """Linearise the objective about ``state``."""
        size = layout.size
        posed = self.pose(state)
        rows, residual, weight = self._data_rows(state, stage, layout, posed)
        matrix, side = normal_equations(rows, residual, weight)
        gradient, diagonal, mixed = side[:, :size], matrix[:, :size, :size].copy(), matrix[:, :size, size:].copy()
        shared, shared_gradient = matrix[:, size:, size:].sum(0), side[:, size:].sum(0)

        self._add_pose_priors(state, stage, layout, gradient, diagonal)
        face = layout.expression
        strength = state.expression[:, layout.expressions]
        past = strength - np.clip(strength, *self.model.expression_range)
        gradient[:, face] += stage.expression**2 * strength + stage.limits**2 * past
        on = np.arange(face.start, face.stop)
        diagonal[:, on, on] += stage.expression**2 + stage.limits**2 * (past != 0)
        self._add_shared_priors(state, stage, layout, shared, shared_gradient)
        next1, next2 = self._add_time(state, stage, layout, gradient, diagonal)
        return Equations(gradient, diagonal, next1, next2, shared_gradient, shared, mixed)

    def _add_pose_priors(
        self, state: State, stage: StageSettings, layout: Layout, gradient: np.ndarray, diagonal: np.ndarray
    ) -> None:
        rotvec = rotmat_to_rotvec(state.rotations)
        term = pose_terms(rotvec, stage, self.hands, self.body.term(rotvec))
        free = layout.joints
        chain = inverse_right_jacobian(rotvec)
        back = np.swapaxes(chain, -1, -2)
        pull = (back @ term.gradient[..., None])[..., 0][:, free]
        gradient[:, : 3 * len(free)] += pull.reshape(len(rotvec), -1)
        slot = np.full(JOINTS, -1)
        slot[free] = np.arange(len(free))
        at = 3 * np.arange(len(free))[:, None] + np.arange(3)
        diagonal[:, at[:, :, None], at[:, None, :]] += (back @ term.blocks @ chain)[:, free]
        for n, (i, j) in enumerate(term.pairs):
            if slot[i] >= 0 and slot[j] >= 0:
                block = back[:, i] @ term.couplings[:, n] @ chain[:, j]
                rows, columns = at[slot[i]], at[slot[j]]
                diagonal[:, rows[:, None], columns] += block
                diagonal[:, columns[:, None], rows] += np.swapaxes(block, -1, -2)

    def _data_rows(
        self, state: State, stage: StageSettings, layout: Layout, posed: Posed
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return Jacobian rows (T, R, P + S), residuals (T, R) and squared weights (T, R) of image and 3D data."""
        frames = len(posed.points)
        point_weight = self.point_weights(stage)
        direction_weight = self.direction_weights(stage)
        used = np.flatnonzero(point_weight.any(0))
        bones = np.flatnonzero(direction_weight.any(0))
        ends = self.bones[bones]
        points = np.union1d(used, ends)
        if stage.interpenetration:
            points = np.union1d(points, collisions.POINTS)
        place = np.zeros(self.model.count, dtype=int)
        place[points] = np.arange(len(points))
        moving = self._point_jacobian(layout, posed, state, points)

        residual, seen = self._image_residual(posed, state.log_focal)
        residual = residual[:, used]
        depth = np.maximum(seen[:, used, 2:], 0.05)
        focal = np.exp(state.log_focal)
        # d pixel / d camera coordinates, (T, K, 2, 3), in units of image distance.
        gain = np.zeros((frames, len(used), 2, 3))
        gain[..., 0, 0] = gain[..., 1, 1] = focal / depth[..., 0] / self.pixel
        gain[..., :, 2] = -focal * seen[:, used, :2] / depth**2 / self.pixel
        image_rows = (gain @ self.camera_rotation).astype(ROW_TYPE) @ moving[:, place[used]]
        if layout.focal:
            image_rows[..., -1] = focal * seen[:, used, :2] / depth / self.pixel
        robust = geman_mcclure(np.sum(residual**2, -1), self.robust_scale)[1]
        image_weight = np.repeat(point_weight[:, used] * robust, 2, axis=1)
        width = moving.shape[-1]
        rows, residuals, weights = (
            [image_rows.reshape(frames, -1, width)],
            [residual.reshape(frames, -1)],
            [image_weight],
        )
        if len(bones):
            difference, length = self._direction_residual(posed)
            unit = difference[:, bones] + self.targets.direction[:, bones]
            across = np.eye(3) - unit[..., :, None] * unit[..., None, :]
            change = moving[:, place[ends[:, 1]]] - moving[:, place[ends[:, 0]]]
            bone_rows = (across / length[:, bones, :, None]).astype(ROW_TYPE) @ change
            robust = geman_mcclure(np.sum(difference[:, bones] ** 2, -1), DIRECTION_SCALE)[1]
            rows.append(bone_rows.reshape(frames, -1, width))
            residuals.append(difference[:, bones].reshape(frames, -1))
            weights.append(np.repeat(direction_weight[:, bones] * robust, 3, axis=1))
        if stage.interpenetration:
            contacts = collisions.find_contacts(posed.points)
            rows.append(collisions.contact_rows(contacts, moving, place).astype(ROW_TYPE))
            residuals.append(contacts.depth)
            weights.append(np.full(contacts.depth.shape, stage.interpenetration**2))
        return np.concatenate(rows, 1), np.concatenate(residuals, 1), np.concatenate(weights, 1)

    def _point_jacobian(self, layout: Layout, posed: Posed, state: State, points: np.ndarray) -> np.ndarray:
        """(T, n, 3, P + S) derivative of ``points`` (n,) by every parameter that moves."""
        frames, model = len(posed.points), self.model
        shared = (model.n_betas if layout.shape else 0) + int(layout.focal)
        out = np.zeros((frames, len(points), 3, layout.size + shared), dtype=ROW_TYPE)
        row = np.full(model.count, -1)
        row[points] = np.arange(len(points))
        slot = np.full(JOINTS, -1)
        slot[layout.joints] = np.arange(len(layout.joints))
        columns = slot[model.influence_joint]
        chosen = np.flatnonzero((columns >= 0) & (row[model.influence_point] >= 0))
        turns = model.rotation_jacobian(posed, chosen)
        at = 3 * columns[chosen]
        for axis in range(3):
            out[:, row[model.influence_point[chosen]], :, at + axis] = np.moveaxis(turns[..., axis], 1, 0)
        if layout.translates:
            out[:, :, range(3), range(layout.transl.start, layout.transl.stop)] = 1.0
        if (slot[model.corrective_joints] >= 0).any():
            correctives = model.corrective_jacobian(posed, state.rotations)[:, points]
            for n, joint in enumerate(model.corrective_joints):
                if slot[joint] >= 0:
                    out[..., 3 * slot[joint] : 3 * slot[joint] + 3] += correctives[..., n, :]
        if len(layout.expressions):
            out[..., layout.expression] = model.expression_jacobian(posed)[:, points]
        if layout.shape:
            out[..., layout.size : layout.size + model.n_betas] = model.shape_jacobian(posed)[:, points]
        return out

    def _add_shared_priors(
        self, state: State, stage: StageSettings, layout: Layout, shared: np.ndarray, gradient: np.ndarray
    ) -> None:
        frames = len(state.transl)
        if layout.shape:
            at = slice(0, self.model.n_betas)
            shared[at, at] += frames * stage.shape**2 * self.shape.precision
            gradient[at] += frames * stage.shape**2 * self.shape.gradient(state.betas)
        if layout.focal:
            weight = self._focal_weight(frames)
            shared[-1, -1] += weight
            gradient[-1] += weight * (state.log_focal - np.log(self.focal[0]))

    def _add_time(
        self, state: State, stage: StageSettings, layout: Layout, gradient: np.ndarray, diagonal: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add the accelerations; return the couplings between neighbours and between next neighbours."""
        frames = len(state.transl)
        entries = len(layout.coupled()[0])
        next1, next2 = np.zeros((max(0, frames - 1), entries)), np.zeros((max(0, frames - 2), entries))
        if frames < 3 or not stage.temporal:
            return next1, next2
        weight = (stage.temporal * self.time_scale) ** 2 * self.targets.joined
        velocity, turn, move, face = self._accelerations(state)
        free = layout.joints
        forward = inverse_right_jacobian(velocity[:, free])
        backward = inverse_right_jacobian(-velocity[:, free])
        steps = [backward[:-1], -forward[:-1] - backward[1:], forward[1:]]
        identity = np.eye(3) / TRANSLATION_UNIT
        scale = (1.0, -2.0, 1.0)
        count = len(layout.expressions)
        count_moves = int(layout.translates)
        moves = [np.broadcast_to(factor * identity, (frames - 2, count_moves, 3, 3)) for factor in scale]
        blocks = [np.concatenate(pair, axis=1) for pair in zip(steps, moves, strict=True)]
        residual = np.concatenate([turn[:, free], move[:, None][:, :count_moves]], axis=1)
        packed = slice(0, 3 * layout.triples)
        at = 3 * np.arange(layout.triples)[:, None] + np.arange(3)
        for i in range(3):
            reach = slice(i, frames - 2 + i)
            turned = np.swapaxes(blocks[i], -1, -2)
            pull = (turned @ residual[..., None])[..., 0] * weight[:, None, None]
            gradient[reach, packed] += pull.reshape(frames - 2, -1)
            gradient[reach, layout.expression] += scale[i] * weight[:, None] * face[:, layout.expressions]
            square = (turned @ blocks[i]) * weight[:, None, None, None]
            diagonal[reach, at[:, :, None], at[:, None, :]] += square
            across = np.arange(layout.expression.start, layout.expression.stop)
            diagonal[reach, across, across] += (scale[i] ** 2 * weight)[:, None]
            for j in range(i):
                product = (turned @ blocks[j]) * weight[:, None, None, None]
                flat = product.reshape(frames - 2, -1)
                extra = np.repeat((scale[i] * scale[j] * weight)[:, None], count, axis=1)
                coupling = np.concatenate([flat, extra], axis=1)
                if i - j == 1:
                    next1[j : frames - 2 + j] += coupling
                else:
                    next2 += coupling
        return next1, next2
