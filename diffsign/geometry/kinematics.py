"""Forward kinematics of SMPL-X's 55 joints, in numpy and in batches of any shape."""

from __future__ import annotations

import numpy as np

from diffsign.geometry.arrays import Floats, Indices
from diffsign.geometry.skeleton import PARENTS


def _levels() -> list[tuple[Indices, Indices]]:
    """Return joints and their parents, by their depth in the tree, without the pelvis."""
    depth = [0] * len(PARENTS)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            depth[joint] = depth[parent] + 1
    parents = np.array(PARENTS)
    levels = [np.flatnonzero(np.array(depth) == level) for level in range(1, max(depth) + 1)]
    return [(joints, parents[joints]) for joints in levels]


#: Joints of one level of the tree do not depend on one another, so they are computed together.
_LEVELS = _levels()


def world_rotations(local: Floats) -> Floats:
    """Return the rotations (..., 55, 3, 3) of the joints in the world.

    Args:
        local: (..., 55, 3, 3) relative to the parent joint.
    """
    world = np.empty_like(local)
    world[..., 0, :, :] = local[..., 0, :, :]
    for joints, parents in _LEVELS:
        world[..., joints, :, :] = world[..., parents, :, :] @ local[..., joints, :, :]
    return world


def joint_positions(world: Floats, rest: Floats, transl: Floats | None = None) -> Floats:
    """Return where the joints (..., 55, 3) are.

    Args:
        world: (..., 55, 3, 3) rotations of :func:`world_rotations`.
        rest: (..., 55, 3) joints at rest; leading axes are broadcast.
        transl: (..., 3) added to the pelvis, which otherwise stays where it rests.
    """
    return linear_positions(world, rest[..., None], None if transl is None else transl[..., None])[..., 0]


def linear_positions(world: Floats, rest: Floats, transl: Floats | None = None) -> Floats:
    """Return :func:`joint_positions` for each of B columns at once, (..., 55, 3, B).

    Positions are linear in the resting joints, so this also maps directions of the rest pose (shape, expression) to
    directions of the posed joints.
    """
    lead = np.broadcast_shapes(world.shape[:-3], rest.shape[:-3])
    positions = np.empty((*lead, *rest.shape[-3:]))
    positions[..., 0, :, :] = rest[..., 0, :, :] if transl is None else rest[..., 0, :, :] + transl
    for joints, parents in _LEVELS:
        bones = rest[..., joints, :, :] - rest[..., parents, :, :]
        positions[..., joints, :, :] = positions[..., parents, :, :] + world[..., parents, :, :] @ bones
    return positions


def forward(local: Floats, rest: Floats, transl: Floats | None = None) -> tuple[Floats, Floats]:
    """Follow the joint tree from rotations relative to the parents to the world.

    Args:
        local: (..., 55, 3, 3) rotation of each joint relative to its parent.
        rest: (..., 55, 3) joints at rest, metres; leading axes are broadcast.
        transl: (..., 3) added to the pelvis, which otherwise stays where it rests.

    Returns:
        rotations (..., 55, 3, 3) and joints (..., 55, 3) in the world.
    """
    world = world_rotations(local)
    return world, joint_positions(world, rest, transl)
