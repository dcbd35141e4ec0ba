"""Interpenetration without a mesh: hands against head, trunk and each other, as spheres and a capsule.

SMPLify-X intersects triangles in a compiled extension. What goes wrong in signing is coarser: a hand inside the face,
inside the chest, or inside the other hand. Each of the 42 hand points is a small sphere; the head is a sphere about
the middle of the ears, the trunk a capsule from below the neck to the hips, both sized by the body at hand. The trunk's
is as thick as a chest is deep in front, where hands are; at the sides it is narrower than the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.derivatives import ROW_TYPE, PointDerivatives
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
FINGER, HEAD, TRUNK = 0.007, 0.5, 0.36
#: Where the trunk's capsule begins, as a part of the way from neck to hips: its end leaves the throat free.
CHEST = 0.1
#: Less deep than this, in metres, is a touch.
TOUCH = 0.01
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
    share[:, count : 2 * count] = np.maximum(share[:, count : 2 * count], CHEST)
    away = points[:, point] - (start + share[..., None] * axis)
    distance = np.maximum(np.linalg.norm(away, axis=-1), 1e-6)
    depth = np.maximum(radius + FINGER - distance - TOUCH, 0) / UNIT
    return Contacts(depth, away / distance[..., None], point, others, share)


class Interpenetration:
    """Depths of hands inside the head, the trunk and each other."""

    def points(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return the points that the spheres are made of."""
        out = np.zeros(at.problem.model.count, dtype=bool)
        out[SOLID_POINTS] = bool(stage.interpenetration)
        return out

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return the depths of the pairs that touch in some frame."""
        if not stage.interpenetration:
            return []
        depth = find_contacts(at.posed.points).depth
        return [Residual(depth[:, depth.any(axis=0), None], stage.interpenetration**2)]

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return the derivatives of the depths; zero where nothing touches."""
        if not stage.interpenetration:
            return []
        contacts = find_contacts(at.posed.points)
        pairs = np.flatnonzero(contacts.depth.any(axis=0))
        values = np.zeros((len(contacts.depth), len(pairs), variables.total), ROW_TYPE)
        frames = np.flatnonzero(contacts.depth.any(axis=1))
        if len(frames):
            values[frames] = self._slopes(at, contacts, pairs, frames, derivatives)
        return [Jacobian(np.arange(variables.total)[None], values[:, None])]

    def _slopes(
        self, at: Evaluation, contacts: Contacts, pairs: np.ndarray, frames: np.ndarray, derivatives: PointDerivatives
    ) -> np.ndarray:
        """Return the derivatives (n, c, C) of the depths of some pairs (c,) in some frames (n,)."""
        moving, place = derivatives.dense
        rows, columns = frames[:, None], pairs[None]
        others, share = contacts.others[rows, columns], contacts.share[rows, columns, None, None]
        first, second = (moving[rows, place[others[..., end]]] for end in (0, 1))
        change = moving[rows, place[contacts.point[pairs]]] - (1 - share) * first - share * second
        slope = -np.einsum("tcx,tcxp->tcp", contacts.normal[rows, columns], change, optimize=True)
        # Head and trunk are as wide as the distance of the ears and of the shoulders says.
        for number, (factor, (a, b)) in enumerate(((HEAD, EARS), (TRUNK, SHOULDERS))):
            way = at.posed.points[frames, a] - at.posed.points[frames, b]
            unit = way / np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-6)
            wider = factor * np.einsum("tx,txp->tp", unit, moving[frames, place[a]] - moving[frames, place[b]])
            slope[:, pairs // len(HAND_POINTS) == number] += wider[:, None]
        return slope / UNIT * (contacts.depth[rows, columns] > 0)[..., None]
