"""The body reduced to the points that the fit looks at, with analytic derivatives.

A skinned point is a sum over joints, ``p = Σ_i R_i X_i + W_i t_i``, where ``X_i`` is the part of the
rest-pose point (blended over the vertices that define it) that follows joint i, and ``W_i`` its weight.
``X_i`` is linear in shape and expression, so the 137 keypoints need a few hundred small products
instead of the whole mesh. Rotating joint j by ω (world axes) about its centre ``c_j`` moves every part
below it: ``δp = ω × (S_j − W_j c_j)``, ``S_j`` and ``W_j`` being sums over the joints below j.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from diffsign.geometry.kinematics import forward, linear_positions
from diffsign.geometry.rotations import skew
from diffsign.geometry.skeleton import JOINTS, PARENTS

if TYPE_CHECKING:
    from diffsign.body.model import Body

#: Joints of SMPL-X.
JOINT_COUNT = len(JOINTS)
SMALL_WEIGHT = 1e-4
#: Metres by which a joint's correctives, at a unit of a rotation matrix's entry, must move a point to be derived.
CORRECTIVE_REACH = 5e-3
#: Metres by which an expression coefficient must move a point to be fitted.
EXPRESSION_REACH = 5e-4
#: Facial actions that the joints of jaw and eyes stand for.
JOINT_ACTIONS = ("jaw", "eyeLook", "tongue")
#: d (R exp(δ)) / dδ at 0 is R times these.
GENERATORS = skew(np.eye(3))


@dataclass(frozen=True)
class PointDefinition:
    """Where each of K points sits on a body: a weighted mean of joints and vertices.

    Attributes:
        joint_weights: (K, 55) float.
        vertex_weights: (K, V) float, rows of both together summing to 1.
    """

    joint_weights: np.ndarray
    vertex_weights: np.ndarray


@dataclass(frozen=True)
class SkinnedBody:
    """The arrays of an SMPL-X body that the points need.

    Attributes:
        template: (V, 3) metres; only vertices that a point uses need to be among them.
        directions: (V, 3, B + E) directions of shape, then of expression.
        correctives: (486, V · 3) pose correctives, or None where the body has none.
        rest: (55, 3) joints at rest, metres.
        rest_directions: (55, 3, B + E) how shape and expression move the joints.
        skinning: (V, 55) weights.
        betas: B, how many of the directions are shape.
        actions: names of the expression directions where each is a facial action of strength 0 to 1; empty where
            they are principal components.
    """

    template: np.ndarray
    directions: np.ndarray
    correctives: np.ndarray | None
    rest: np.ndarray
    rest_directions: np.ndarray
    skinning: np.ndarray
    betas: int
    actions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Posed:
    """The reduced body in T poses (world axes, metres).

    Attributes:
        points: (T, K, 3).
        rotations: (T, 55, 3, 3) joint to world.
        centres: (T, 55, 3) joints.
        parts: (T, N, 3) each part's contribution to its point.
        offsets: (T, 55, 3) ``t_i`` of the module's formula.
    """

    points: np.ndarray
    rotations: np.ndarray
    centres: np.ndarray
    parts: np.ndarray
    offsets: np.ndarray


class PointModel:
    """Forward kinematics and derivatives of K points of an SMPL-X body.

    Args:
        body: the arrays of a body.
        definition: the points.
    """

    def __init__(self, body: SkinnedBody, definition: PointDefinition) -> None:
        self.n_betas = body.betas
        self.n_expression = body.directions.shape[-1] - body.betas
        self.count = len(definition.joint_weights)
        self.joint_rest, self.joint_dirs = body.rest, body.rest_directions
        self.below = self._subtrees()
        self._build_parts(body, definition)
        self._build_influences(definition.joint_weights == 1)
        self.corrective_joints = self._find_corrective_joints()
        self.expression_range = (0.0, 1.0) if body.actions else (-3.0, 3.0)
        # (K, E) metres by which each expression coefficient moves each point.
        moves = self.gather @ self.part_dirs[..., self.n_betas :].reshape(len(self.part_point), -1)
        self.expression_reach = np.linalg.norm(moves.reshape(self.count, 3, -1), axis=1)
        self.expressions = self._fitted_expressions(body.actions)

    @staticmethod
    def _subtrees() -> np.ndarray:
        """(55, 55) bool: row j marks j and every joint below it."""
        below = np.eye(JOINT_COUNT, dtype=bool)
        for joint in range(JOINT_COUNT - 1, 0, -1):
            below[PARENTS[joint]] |= below[joint]
        return below

    def _build_parts(self, body: SkinnedBody, definition: PointDefinition) -> None:
        rows, joints, weights, rest, dirs, pose = [], [], [], [], [], []
        for k in range(self.count):
            used = np.flatnonzero(definition.vertex_weights[k])
            blend = definition.vertex_weights[k, used, None] * body.skinning[used]
            blend = np.where(blend.sum(0) > SMALL_WEIGHT, blend, 0.0)
            blend *= definition.vertex_weights[k, used].sum() / max(blend.sum(), 1e-12)
            of_joints = definition.joint_weights[k]
            for j in np.flatnonzero(blend.sum(0) + of_joints):
                share = blend[:, j]
                rows.append(k)
                joints.append(int(j))
                weights.append(share.sum() + of_joints[j])
                rest.append(share @ body.template[used] + of_joints[j] * self.joint_rest[j])
                dirs.append(np.einsum("v,vcb->cb", share, body.directions[used]) + of_joints[j] * self.joint_dirs[j])
                if body.correctives is not None:
                    moves = body.correctives.reshape(len(body.correctives), -1, 3)[:, used]
                    pose.append(np.einsum("v,pvc->pc", share, moves))
        self.part_point = np.array(rows)
        self.part_joint = np.array(joints)
        self.part_weight = np.array(weights)
        self.part_rest = np.stack(rest)
        self.part_dirs = np.stack(dirs)
        self._keep_correctives(np.stack(pose) if pose else None)
        n = len(rows)
        self.gather = sparse.csr_matrix((np.ones(n), (self.part_point, np.arange(n))), shape=(self.count, n))

    def _keep_correctives(self, moves: np.ndarray | None) -> None:
        """Keep what the 486 numbers of the pose move, (N, 486, 3), and by itself what those do that move a part."""
        self.part_pose = moves if moves is not None and moves.any() else None
        if self.part_pose is not None:
            self.pose_numbers = np.flatnonzero(self.part_pose.any((0, 2)))
            chosen = np.swapaxes(self.part_pose[:, self.pose_numbers], 0, 1)
            self.pose_moves = chosen.reshape(len(self.pose_numbers), -1)

    def _build_influences(self, same: np.ndarray) -> None:
        """List the (point, joint) pairs where the joint's rotation moves the point.

        Args:
            same: (K, 55) bool, points that are joints, which their own rotation does not move.
        """
        point, joint, rows, columns = [], [], [], []
        for k in range(self.count):
            parts = np.flatnonzero(self.part_point == k)
            for j in range(JOINT_COUNT):
                moved = parts[self.below[j, self.part_joint[parts]]]
                if not same[k, j] and len(moved) and self.part_weight[moved].sum() > SMALL_WEIGHT:
                    rows.extend([len(point)] * len(moved))
                    columns.extend(moved)
                    point.append(k)
                    joint.append(j)
        self.influence_point, self.influence_joint = np.array(point), np.array(joint)
        shape = (len(point), len(self.part_point))
        self.influence_sum = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
        self.influence_weight = self.influence_sum @ self.part_weight

    def shifted(self, offsets: np.ndarray) -> PointModel:
        """Return the model whose points lie off by ``offsets`` (K, 3), metres in the axes of the resting body."""
        other = copy.copy(self)
        other.part_rest = self.part_rest + self.part_weight[:, None] * offsets[self.part_point]
        same = np.zeros((self.count, JOINT_COUNT), dtype=bool)
        for k in np.flatnonzero(~offsets.any(1)):
            parts = np.flatnonzero(self.part_point == k)
            moved = np.zeros(JOINT_COUNT, dtype=bool)
            moved[self.influence_joint[self.influence_point == k]] = True
            same[k, self.part_joint[parts]] = ~moved[self.part_joint[parts]]
        other._build_influences(same)
        return other

    def only(self, points: np.ndarray) -> PointModel:
        """Return the model that poses ``points`` alone; the others come out as zeros."""
        other = copy.copy(self)
        kept = np.flatnonzero(np.isin(self.part_point, points))
        other.part_point, other.part_joint = self.part_point[kept], self.part_joint[kept]
        other.part_weight, other.part_rest = self.part_weight[kept], self.part_rest[kept]
        other.part_dirs, other.gather = self.part_dirs[kept], self.gather[:, kept]
        chosen = np.flatnonzero(np.isin(self.influence_point, points))
        other.influence_point, other.influence_joint = self.influence_point[chosen], self.influence_joint[chosen]
        other.influence_sum = self.influence_sum[chosen][:, kept]
        other.influence_weight = self.influence_weight[chosen]
        other._keep_correctives(None if self.part_pose is None else self.part_pose[kept])
        return other

    def _find_corrective_joints(self) -> np.ndarray:
        """Return the joints whose pose correctives move a point by more than a few millimetres."""
        if self.part_pose is None:
            return np.zeros(0, dtype=int)
        reach = np.linalg.norm(self.part_pose, axis=-1).max(0).reshape(JOINT_COUNT - 1, 9).max(1)
        return np.flatnonzero(reach > CORRECTIVE_REACH) + 1

    def _fitted_expressions(self, actions: tuple[str, ...]) -> np.ndarray:
        """Return the expression coefficients that move a point and that no joint stands for."""
        reach = self.expression_reach.max(0)
        named = np.array([not name.startswith(JOINT_ACTIONS) for name in actions] or [True] * self.n_expression)
        return np.flatnonzero((reach > EXPRESSION_REACH) & named)

    def has_expression(self, points: np.ndarray) -> bool:
        """Tell whether an expression moves any of ``points`` (n,)."""
        return bool(self.expression_reach[points].any())

    def rest_joints(self, betas: np.ndarray) -> np.ndarray:
        """(55, 3) joints of the shape in the rest pose."""
        return self.joint_rest + self.joint_dirs[..., : self.n_betas] @ betas

    def pose(self, rotations: np.ndarray, transl: np.ndarray, betas: np.ndarray, expression: np.ndarray) -> Posed:
        """Pose the points.

        Args:
            rotations: (T, 55, 3, 3) relative to the parent joint.
            transl: (T, 3) metres.
            betas: (B,).
            expression: (T, E).
        """
        frames = len(rotations)
        joints = self.rest_joints(betas) + np.einsum(
            "jce,te->tjc", self.joint_dirs[..., self.n_betas :], expression, optimize=True
        )
        world, centres = forward(rotations, joints, transl)
        offsets = centres - (world @ joints[..., None])[..., 0]
        local = self.part_rest + self.part_dirs[..., : self.n_betas] @ betas
        local = local + np.einsum("nce,te->tnc", self.part_dirs[..., self.n_betas :], expression, optimize=True)
        if self.part_pose is not None:
            feature = (rotations[:, 1:] - np.eye(3)).reshape(frames, -1)[:, self.pose_numbers]
            local += (feature @ self.pose_moves).reshape(local.shape)
        parts = (world[:, self.part_joint] @ local[..., None])[..., 0]
        parts += self.part_weight[:, None] * offsets[:, self.part_joint]
        return Posed(self._apply(self.gather, parts), world, centres, parts, offsets)

    @staticmethod
    def _apply(matrix: Any, parts: np.ndarray) -> np.ndarray:
        """Multiply a sparse (M, N) matrix into the middle axis of (T, N, ...)."""
        moved = np.moveaxis(parts, 1, 0)
        out = matrix @ moved.reshape(len(moved), -1)
        return np.moveaxis(out.reshape(matrix.shape[0], *moved.shape[1:]), 0, 1)

    def rotation_jacobian(self, posed: Posed, chosen: np.ndarray) -> np.ndarray:
        """(T, n, 3, 3) dp / dδ for the ``chosen`` influences (n,), where a joint turns as ``R ← R exp(δ)``."""
        joint = self.influence_joint[chosen]
        lever = self._apply(self.influence_sum[chosen], posed.parts)
        lever -= self.influence_weight[chosen, None] * posed.centres[:, joint]
        axes = posed.rotations[:, joint]
        x, y, z = (lever[..., i, None] for i in range(3))
        rows = (
            axes[..., 1, :] * z - axes[..., 2, :] * y,
            axes[..., 2, :] * x - axes[..., 0, :] * z,
            axes[..., 0, :] * y - axes[..., 1, :] * x,
        )
        return np.stack(rows, axis=-2)

    def corrective_jacobian(self, posed: Posed, rotations: np.ndarray) -> np.ndarray:
        """(T, K, 3, n, 3) what the correctives of the ``corrective_joints`` add to dp / dδ.

        Args:
            posed: of :meth:`pose`.
            rotations: (T, 55, 3, 3) that were posed.
        """
        out = np.zeros((*posed.points.shape, len(self.corrective_joints), 3))
        if self.part_pose is None:
            return out
        for n, joint in enumerate(self.corrective_joints):
            change = (rotations[:, joint, None] @ GENERATORS).reshape(-1, 3, 9)
            effect = self.part_pose[:, 9 * (joint - 1) : 9 * joint]
            local = np.einsum("tap,npc->tnca", change, effect, optimize=True)
            out[:, :, :, n] = self._apply(self.gather, posed.rotations[:, self.part_joint] @ local)
        return out

    def _linear_jacobian(self, posed: Posed, joint_dirs: np.ndarray, part_dirs: np.ndarray) -> np.ndarray:
        centre = linear_positions(posed.rotations, joint_dirs)
        offset = centre - posed.rotations @ joint_dirs
        frames, numbers = len(centre), joint_dirs.shape[-1]
        # Part by part and not frame by frame: a few large products in place of many small ones.
        turns = np.swapaxes(posed.rotations[:, self.part_joint], 0, 1).reshape(len(self.part_joint), -1, 3)
        parts = (turns @ part_dirs).reshape(-1, frames, 3, numbers)
        parts += self.part_weight[:, None, None, None] * np.swapaxes(offset, 0, 1)[self.part_joint]
        return self._apply(self.gather, np.swapaxes(parts, 0, 1))

    def shape_jacobian(self, posed: Posed) -> np.ndarray:
        """(T, K, 3, B) dp / dbetas."""
        b = self.n_betas
        return self._linear_jacobian(posed, self.joint_dirs[..., :b], self.part_dirs[..., :b])

    def expression_jacobian(self, posed: Posed) -> np.ndarray:
        """(T, K, 3, n) dp / d of the ``expressions``."""
        columns = self.n_betas + self.expressions
        return self._linear_jacobian(posed, self.joint_dirs[..., columns], self.part_dirs[..., columns])


def reduced(body: Body) -> PointModel:
    """Return the 137 keypoints of a body, all that the fit looks at."""
    definition = body.landmarks
    model, used = body.model, definition.used

    def array(name: str) -> np.ndarray:
        return getattr(model, name).detach().cpu().numpy().astype(np.float64)

    directions = np.concatenate([array("shapedirs")[..., : body.n_betas], array("expr_dirs")], axis=-1)
    correctives = array("posedirs").reshape(486, -1, 3)[:, used]
    regressor = array("J_regressor")
    return PointModel(
        SkinnedBody(
            template=array("v_template")[used],
            directions=directions[used],
            correctives=correctives.reshape(486, -1) if np.any(correctives) else None,
            rest=regressor @ array("v_template"),
            rest_directions=np.einsum("jv,vcb->jcb", regressor, directions, optimize=True),
            skinning=array("lbs_weights")[used],
            betas=body.n_betas,
            actions=body.expression_names,
        ),
        PointDefinition(definition.joint_weights.astype(np.float64), definition.vertex_weights.astype(np.float64)),
    )
