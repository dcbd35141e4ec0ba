"""Pose directions: what skinning alone gets wrong, as SMPL-X's ``posedirs`` can mend it.

Two things are mended. The jaw, which Anny moves by blend shapes. And the arms: Anny is skinned from its A-pose,
the file from the T-pose that was itself skinned, so that where collar, upper arm, forearm and hand meet, the
blend is made twice.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from diffsign.body.anny import JAW_OPEN, JAW_SIDE, AnnyBody, world_rotations
from diffsign.geometry.skeleton import JOINTS, MIRROR, PARENTS

JAW = JOINTS.index("jaw")

#: Range (low, high) of the turns, radians about x, y and z, that the arms' directions are fitted to: left side.
ARM_TURNS = {
    "collar": ((-0.2, 0.2), (-0.4, 0.3), (-0.2, 0.4)),
    "shoulder": ((-0.6, 0.6), (-1.2, 0.4), (-1.4, 0.5)),
    "elbow": ((-1.0, 1.0), (-2.4, 0.0), (-0.2, 0.2)),
    "wrist": ((-0.6, 0.6), (-0.5, 0.5), (-1.0, 1.0)),
}
TURNS = 60
SEED = 20241207


def about_jaw(rotvec: np.ndarray, vertices: np.ndarray, jaw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotation (3, 3) of ``rotvec`` and how far it moves each vertex (V, 3) about the jaw's joint."""
    rotation = Rotation.from_rotvec(rotvec).as_matrix()
    return rotation, (vertices - jaw) @ (rotation - np.eye(3)).T


def jaw_correctives(
    weights: np.ndarray, vertices: np.ndarray, jaw: np.ndarray, opened: np.ndarray, sideways: np.ndarray
) -> dict[int, np.ndarray]:
    """Return pose directions that make a full turn of the jaw give Anny's jaw shapes exactly.

    Args:
        weights: (V, 55) with the jaw's.
        vertices: (V, 3) template.
        jaw: (3,) the jaw's joint.
        opened: (V, 3) offsets of ``jawOpen``, played by a turn of :data:`JAW_OPEN` about x.
        sideways: (V, 3) offsets of ``jawLeft``, played by a turn of :data:`JAW_SIDE` about y.

    Returns:
        Row of SMPL-X's ``posedirs`` to offsets (V, 3): the entry of the jaw's rotation matrix that holds the
        sine of that turn is what drives the correction.
    """
    found = {}
    for axis, angle, wanted, entry in ((0, JAW_OPEN, opened, 7), (1, JAW_SIDE, sideways, 2)):
        rotation, moved = about_jaw(np.eye(3)[axis] * angle, vertices, jaw)
        share = weights[:, JAW, None]
        blended = np.eye(3) + share[..., None] * (rotation - np.eye(3))
        found[(JAW - 1) * 9 + entry] = np.linalg.solve(blended, (wanted - share * moved)[..., None])[..., 0] / np.sin(
            angle
        )
    return found


def arm_correctives(anny: AnnyBody, weights: np.ndarray) -> dict[int, np.ndarray]:
    """Return pose directions that make the arms follow Anny's own skinning, as :func:`jaw_correctives` does.

    Let a joint turn by L, and all below it with it. Of a vertex, these joints hold the share s, and pull it,
    skinned from the A-pose, by e away from where it is in the T-pose. Then Anny puts it off by (L − 1) e, and
    directions that add p at rest by (1 + s (L − 1)) p; p is fitted, linear in L − 1, to turns within reach.

    Args:
        anny: the model.
        weights: (V, 55) folded weights.
    """
    rest = anny.rest({})
    moved = anny.transforms(rest, world_rotations(np.zeros((1, len(JOINTS), 3))))[0]
    vertices = rest.vertices[anny.order]
    bone_weights = anny.bone_weights[anny.order]
    skinned, _ = anny.skin(rest, world_rotations(np.zeros((1, len(JOINTS), 3))), rest.vertices[None])
    pulls = np.zeros((len(JOINTS), len(vertices), 3))
    for bone, transform in enumerate(moved):
        offset = vertices @ transform[:3, :3].T + transform[:3, 3] - skinned[0, anny.order]
        pulls[anny.bone_joint[bone]] += bone_weights[:, bone, None] * offset
    rng = np.random.default_rng(SEED)
    found = {}
    for name, ranges in ARM_TURNS.items():
        joint = JOINTS.index(f"left_{name}")
        below = [k for k in range(len(JOINTS)) if _is_below(k, joint)]
        pull, share = pulls[below].sum(axis=0), weights[:, below].sum(axis=1)
        low, high = np.array(ranges).T
        turns = Rotation.from_rotvec(low + (high - low) * rng.random((TURNS, 3))).as_matrix()
        directions = np.zeros((9, len(vertices), 3))
        for vertex in np.flatnonzero(np.linalg.norm(pull, axis=1) > 2e-4):
            directions[:, vertex] = _fit_directions(turns - np.eye(3), pull[vertex], share[vertex])
        for entry in range(9):
            found[(joint - 1) * 9 + entry] = directions[entry]
            # Mirroring a rotation in x negates the entries that mix x with y or z.
            sign = -1.0 if entry in (1, 2, 3, 6) else 1.0
            found[(MIRROR[joint] - 1) * 9 + entry] = sign * directions[entry][anny.mirror] * [-1.0, 1.0, 1.0]
    return found


def _is_below(joint: int, ancestor: int) -> bool:
    while joint >= 0:
        if joint == ancestor:
            return True
        joint = PARENTS[joint]
    return False


def _fit_directions(turned: np.ndarray, pull: np.ndarray, share: float) -> np.ndarray:
    """Fit p = sum over entries (9, 3) of ``turned`` (N, 3, 3) = L − 1 to (1 + share turned) p = turned pull."""
    carried = np.eye(3) + share * turned
    matrix = np.einsum("nac,nf->nafc", carried, turned.reshape(-1, 9)).reshape(-1, 27)
    aims = (turned @ pull).reshape(-1)
    solution = np.linalg.solve(matrix.T @ matrix + 1e-2 * np.eye(27), matrix.T @ aims)
    return solution.reshape(9, 3)
