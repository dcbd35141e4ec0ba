"""Interpenetration without a mesh: hands against head, trunk and each other, as spheres and a capsule.

SMPLify-X intersects triangles in a compiled extension. What goes wrong in signing is coarser: a hand inside the face,
inside the chest, or inside the other hand. Each of the 42 hand points is a small sphere; the head is a sphere about
the middle of the ears, the trunk a capsule from neck to hips, both sized by the body at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.records.keypoints import LEFT_HAND, NAMES, RIGHT_HAND

HANDS = np.r_[LEFT_HAND, RIGHT_HAND]
EARS = [NAMES.index("left_ear"), NAMES.index("right_ear")]
SHOULDERS = [NAMES.index("left_shoulder"), NAMES.index("right_shoulder")]
NECK, MID_HIP = NAMES.index("neck"), NAMES.index("mid_hip")
#: Points that the spheres are made of.
POINTS = np.unique(np.r_[HANDS, EARS, SHOULDERS, NECK, MID_HIP])
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
    frames, count = len(points), len(HANDS)
    ears = points[:, EARS]
    head = HEAD * np.linalg.norm(ears[:, 0] - ears[:, 1], axis=-1)
    trunk = TRUNK * np.linalg.norm(points[:, SHOULDERS[0]] - points[:, SHOULDERS[1]], axis=-1)
    others = np.zeros((frames, 3 * count, 2), dtype=int)
    others[:, :count], others[:, count : 2 * count] = EARS, (NECK, MID_HIP)
    left, right = np.split(HANDS, 2)
    apart = np.linalg.norm(points[:, left, None] - points[:, None, right], axis=-1)
    others[:, 2 * count : 2 * count + len(left)] = right[apart.argmin(2)][..., None]
    others[:, 2 * count + len(left) :] = left[apart.argmin(1)][..., None]
    point = np.tile(HANDS, 3)
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


def contact_rows(contacts: Contacts, moving: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return (T, C, P) derivatives of the depths; zero where nothing touches.

    Args:
        contacts: of the same frames.
        moving: (T, n, 3, P) derivatives of points.
        place: (137,) row of each point in ``moving``.
    """
    rows = np.arange(len(moving))[:, None]
    first, second = (moving[rows, place[contacts.others[..., i]]] for i in (0, 1))
    share = contacts.share[..., None, None]
    change = moving[:, place[contacts.point]] - (1 - share) * first - share * second
    slope = -np.einsum("tcx,tcxp->tcp", contacts.normal, change, optimize=True) / UNIT
    return slope * (contacts.depth > 0)[..., None]
