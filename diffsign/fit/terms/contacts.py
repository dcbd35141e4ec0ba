"""Interpenetration without a mesh: hands against head, trunk and each other, as spheres and a capsule.

SMPLify-X intersects triangles in a compiled extension. What goes wrong in signing is coarser: a hand inside the face,
inside the chest, or inside the other hand. Each of the 42 hand points is a small sphere; the head is a sphere about
the middle of the ears, the trunk a capsule from neck to hips, both sized by the body at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.derivatives import PointDerivatives
from diffsign.fit.problem import Evaluation
from diffsign.fit.state import Variables
from diffsign.fit.terms.base import Jacobian, Residual
from diffsign.records.keypoints import LEFT_HAND, NAMES, RIGHT_HAND

HAND_POINTS = np.r_[LEFT_HAND, RIGHT_HAND]
EARS = [NAMES.index("left_ear"), NAMES.index("right_ear")]
SHOULDERS = [NAMES.index("left_shoulder"), NAMES.index("right_shoulder")]
NECK, MID_HIP = NAMES.index("neck"), NAMES.index("mid_hip")
#: Points that the spheres are made of.
SOLID_POINTS = np.unique(np.r_[HAND_POINTS, EARS, SHOULDERS, NECK, MID_HIP])
#: Radius of a finger, metres; of the head in distances of the ears; of the trunk in widths of the shoulders.
FINGER, HEAD, TRUNK = 0.007, 0.5, 0.28
#: The residual counts centimetres.
UNIT = 0.01


@dataclass(frozen=True)
class Contacts:
    """Depths (T, C) of C pairs, in units of :data:`UNIT`, and how they are made.

    Attributes:
        depth: (T, C) at least 0.
        normal: (T, C, 3) from what is entered to the hand point.
        point: (C,) hand points.
        others: (T, C, 2) int, the two points between which the other lies.
        share: (T, C) where between them, 0 to 1.
    """

    depth: np.ndarray
    normal: np.ndarray
    point: np.ndarray
    others: np.ndarray
    share: np.ndarray


def find_contacts(points: np.ndarray) -> Contacts:
    """Return how deep hands are inside head, trunk and the other hand, for keypoints (T, 137, 3) in metres."""
    frames, count = len(points), len(HAND_POINTS)
    ears = points[:, EARS]
    head = HEAD * np.linalg.norm(ears[:, 0] - ears[:, 1], axis=-1)
    trunk = TRUNK * np.linalg.norm(points[:, SHOULDERS[0]] - points[:, SHOULDERS[1]], axis=-1)
    others = np.zeros((frames, 3 * count, 2), dtype=int)
    others[:, :count], others[:, count : 2 * count] = EARS, (NECK, MID_HIP)
    left, right = np.split(HAND_POINTS, 2)
    apart = np.linalg.norm(points[:, left, None] - points[:, None, right], axis=-1)
    others[:, 2 * count : 2 * count + len(left)] = right[apart.argmin(2)][..., None]
    others[:, 2 * count + len(left) :] = left[apart.argmin(1)][..., None]
    point = np.tile(HAND_POINTS, 3)
    radius = np.concatenate(
        [
            np.repeat(head[:, None], count, 1),
            np.repeat(trunk[:, None], count, 1),
            np.full((frames, count), FINGER),
        ],
        axis=1,
    )
    rows = np.arange(frames)[:, None]
    start, stop = points[rows, others[..., 0]], points[rows, others[..., 1]]
    axis = stop - start
    length = np.maximum(np.sum(axis**2, -1), 1e-12)
    share = np.clip(np.sum((points[:, point] - start) * axis, -1) / length, 0, 1)
    share[:, :count] = 0.5
    away = points[:, point] - (start + share[..., None] * axis)
    distance = np.maximum(np.linalg.norm(away, axis=-1), 1e-6)
    depth = np.maximum(radius + FINGER - distance, 0) / UNIT
    return Contacts(depth, away / distance[..., None], point, others, share)


class Interpenetration:
    """Depths of hands inside the head, the trunk and each other."""

    def points(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return the points that the spheres are made of."""
        out = np.zeros(at.problem.model.count, dtype=bool)
        out[SOLID_POINTS] = bool(stage.interpenetration)
        return out

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return the depths."""
        if not stage.interpenetration:
            return []
        return [Residual(find_contacts(at.posed.points).depth[..., None], stage.interpenetration**2)]

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return the derivatives of the depths; zero where nothing touches."""
        if not stage.interpenetration:
            return []
        contacts = find_contacts(at.posed.points)
        moving, place = derivatives.dense
        rows = np.arange(len(moving))[:, None]
        first, second = (moving[rows, place[contacts.others[..., end]]] for end in (0, 1))
        share = contacts.share[..., None, None]
        change = moving[:, place[contacts.point]] - (1 - share) * first - share * second
        slope = -np.einsum("tcx,tcxp->tcp", contacts.normal, change, optimize=True)
        # Head and trunk are as wide as the distance of the ears and of the shoulders says.
        for number, (factor, (a, b)) in enumerate(((HEAD, EARS), (TRUNK, SHOULDERS))):
            way = at.posed.points[:, a] - at.posed.points[:, b]
            unit = way / np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-6)
            wider = factor * np.einsum("tx,txp->tp", unit, moving[:, place[a]] - moving[:, place[b]])
            slope[:, number * len(HAND_POINTS) : (number + 1) * len(HAND_POINTS)] += wider[:, None]
        values = slope / UNIT * (contacts.depth > 0)[..., None]
        return [Jacobian(np.arange(variables.total)[None], values[:, None])]
