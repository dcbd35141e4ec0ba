"""The body reduced to the points that the fit looks at, with analytic derivatives.

A skinned point is a sum over joints, ``p = Σ_i R_i X_i + W_i t_i``, where ``X_i`` is the part of the
rest-pose point (blended over the vertices that define it) that follows joint i, and ``W_i`` its weight.
``X_i`` is linear in shape and expression, so the 137 keypoints need a few hundred small products
instead of the whole mesh. Rotating joint j by ω (world axes) about its centre ``c_j`` moves every part
below it: ``δp = ω × (S_j − W_j c_j)``, ``S_j`` and ``W_j`` being sums over the joints below j.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

JOINTS = 55
SMALL_WEIGHT = 1e-4


@dataclass(frozen=True)
class Definition:
    """Where each of K points sits on a body.

    Attributes:
        vertices: (K, 3) int, the vertices it is blended from; ignored where ``joints`` is set.
        weights: (K, 3) float, their barycentric weights.
        joints: (K,) int, the joint that the point is, or −1.
    """

    vertices: np.ndarray
    weights: np.ndarray
    joints: np.ndarray


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
        v_template: (V, 3) metres.
        shapedirs: (V, 3, B + E) directions of shape, then of expression.
        posedirs: (486, V · 3) pose correctives, or None where the body has none.
        regressor: (55, V) joints from vertices.
        skinning: (V, 55) weights.
        parents: (55,) int, −1 for the pelvis.
        definition: the points.
        betas: B, how many of the directions are shape.
    """

    def __init__(
        self,
        v_template: np.ndarray,
        shapedirs: np.ndarray,
        posedirs: np.ndarray | None,
        regressor: np.ndarray,
        skinning: np.ndarray,
        parents: np.ndarray,
        definition: Definition,
        betas: int,
    ) -> None:
        self.parents = np.where(np.arange(JOINTS) == 0, -1, parents).astype(int)
        self.n_betas = betas
        self.n_expression = shapedirs.shape[-1] - betas
        self.count = len(definition.joints)
        self.joint_rest = regressor @ v_template
        self.joint_dirs = np.einsum("jv,vcb->jcb", regressor, shapedirs)
        self.below = self._subtrees()
        self._build_parts(v_template, shapedirs, posedirs, skinning, definition)
        self._build_influences(definition)

    def _subtrees(self) -> np.ndarray:
        """(55, 55) bool: row j marks j and every joint below it."""
        below = np.eye(JOINTS, dtype=bool)
        for joint in range(JOINTS - 1, 0, -1):
            below[self.parents[joint]] |= below[joint]
        return below

    def _build_parts(
        self,
        v_template: np.ndarray,
        shapedirs: np.ndarray,
        posedirs: np.ndarray | None,
        skinning: np.ndarray,
        definition: Definition,
    ) -> None:
        rows, joints, weights, rest, dirs, pose = [], [], [], [], [], []
        correctives = None if posedirs is None or not np.any(posedirs) else posedirs.reshape(len(posedirs), -1, 3)
        for k in range(self.count):
            if definition.joints[k] >= 0:
                j = int(definition.joints[k])
                rows.append(k)
                joints.append(j)
                weights.append(1.0)
                rest.append(self.joint_rest[j])
                dirs.append(self.joint_dirs[j])
                pose.append(None)
                continue
            vertices, blend = definition.vertices[k], definition.weights[k]
            blended = blend[:, None] * skinning[vertices]
            blended = np.where(blended.sum(0) > SMALL_WEIGHT, blended, 0.0)
            blended /= blended.sum()
            for j in np.flatnonzero(blended.sum(0)):
                share = blended[:, j]
                rows.append(k)
                joints.append(int(j))
                weights.append(share.sum())
                rest.append(share @ v_template[vertices])
                dirs.append(np.einsum("v,vcb->cb", share, shapedirs[vertices]))
                pose.append(None if correctives is None else np.einsum("v,pvc->pc", share, correctives[:, vertices]))
        self.part_point = np.array(rows)
        self.part_joint = np.array(joints)
        self.part_weight = np.array(weights)
        self.part_rest = np.stack(rest)
        self.part_dirs = np.stack(dirs)
        self.part_pose = None
        if correctives is not None:
            none = np.zeros((len(correctives), 3))
            self.part_pose = np.stack([none if p is None else p for p in pose])
        n = len(rows)
        self.gather = sparse.csr_matrix((np.ones(n), (self.part_point, np.arange(n))), shape=(self.count, n))

    def _build_influences(self, definition: Definition) -> None:
        """List the (point, joint) pairs where the joint's rotation moves the point (a joint does not move itself)."""
        point, joint, rows, columns = [], [], [], []
        for k in range(self.count):
            parts = np.flatnonzero(self.part_point == k)
            for j in range(JOINTS):
                moved = parts[self.below[j, self.part_joint[parts]]]
                if j != definition.joints[k] and len(moved) and self.part_weight[moved].sum() > SMALL_WEIGHT:
                    rows.extend([len(point)] * len(moved))
                    columns.extend(moved)
                    point.append(k)
                    joint.append(j)
        self.influence_point, self.influence_joint = np.array(point), np.array(joint)
        shape = (len(point), len(self.part_point))
        self.influence_sum = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
        self.influence_weight = self.influence_sum @ self.part_weight

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
        world = np.empty((frames, JOINTS, 3, 3))
        centres = np.empty((frames, JOINTS, 3))
        world[:, 0], centres[:, 0] = rotations[:, 0], joints[:, 0] + transl
        for j in range(1, JOINTS):
            parent = self.parents[j]
            world[:, j] = world[:, parent] @ rotations[:, j]
            bone = joints[:, j] - joints[:, parent]
            centres[:, j] = centres[:, parent] + (world[:, parent] @ bone[..., None])[..., 0]
        offsets = centres - (world @ joints[..., None])[..., 0]
        local = self.part_rest + self.part_dirs[..., : self.n_betas] @ betas
        local = local + np.einsum("nce,te->tnc", self.part_dirs[..., self.n_betas :], expression, optimize=True)
        if self.part_pose is not None:
            feature = (rotations[:, 1:] - np.eye(3)).reshape(frames, -1)
            local = local + np.einsum("tp,npc->tnc", feature, self.part_pose, optimize=True)
        parts = (world[:, self.part_joint] @ local[..., None])[..., 0]
        parts += self.part_weight[:, None] * offsets[:, self.part_joint]
        return Posed(self._apply(self.gather, parts), world, centres, parts, offsets)

    @staticmethod
    def _apply(matrix: sparse.csr_matrix, parts: np.ndarray) -> np.ndarray:
        """Multiply (M, N) into the middle axis of (T, N, ...)."""
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

    def _linear_jacobian(self, posed: Posed, joint_dirs: np.ndarray, part_dirs: np.ndarray) -> np.ndarray:
        frames = len(posed.points)
        centre = np.empty((frames, JOINTS, 3, joint_dirs.shape[-1]))
        centre[:, 0] = joint_dirs[0]
        for j in range(1, JOINTS):
            parent = self.parents[j]
            centre[:, j] = centre[:, parent] + posed.rotations[:, parent] @ (joint_dirs[j] - joint_dirs[parent])
        offset = centre - posed.rotations @ joint_dirs
        parts = posed.rotations[:, self.part_joint] @ part_dirs
        parts += self.part_weight[:, None, None] * offset[:, self.part_joint]
        return self._apply(self.gather, parts)

    def shape_jacobian(self, posed: Posed) -> np.ndarray:
        """(T, K, 3, B) dp / dbetas."""
        b = self.n_betas
        return self._linear_jacobian(posed, self.joint_dirs[..., :b], self.part_dirs[..., :b])

    def expression_jacobian(self, posed: Posed) -> np.ndarray:
        """(T, K, 3, E) dp / dexpression."""
        b = self.n_betas
        return self._linear_jacobian(posed, self.joint_dirs[..., b:], self.part_dirs[..., b:])
