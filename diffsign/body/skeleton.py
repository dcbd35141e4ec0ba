"""Skinning weights, the jaw, and the regressor that finds the joints from the vertices."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from diffsign.core.anny import JAW_OPEN, JAW_SIDE, AnnyBody
from diffsign.core.skeleton import JOINTS, MIRROR

JAW, HEAD = JOINTS.index("jaw"), JOINTS.index("head")
EYES = {"left_eye_smplhf": "eye.L", "right_eye_smplhf": "eye.R"}

#: Vertices that a joint is regressed from, at most.
NEIGHBOURS = 100


def expression_directions(anny: AnnyBody) -> np.ndarray:
    """Return the facial actions (52, V, 3) as offsets in metres, body-file order, Left and Right mirror images."""
    offsets = anny.action_shapes[:, anny.order]
    swapped = [
        anny.actions.index(name.replace("Left", "Right") if name.endswith("Left") else name.replace("Right", "Left"))
        for name in anny.actions
    ]
    return (offsets + offsets[swapped][:, anny.mirror] * [-1.0, 1.0, 1.0]) / 2


def fold_weights(anny: AnnyBody) -> np.ndarray:
    """Return Anny's skinning weights (V, 55) summed over the bones of each joint; the jaw has none yet."""
    weights = np.zeros((len(anny.order), len(JOINTS)))
    np.add.at(weights.T, anny.bone_joint, anny.bone_weights[anny.order].T)
    return (weights + weights[anny.mirror][:, MIRROR]) / 2


def _about_jaw(rotvec: np.ndarray, vertices: np.ndarray, jaw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotation (3, 3) of ``rotvec`` and how far it moves each vertex (V, 3) about the jaw's joint."""
    rotation = Rotation.from_rotvec(rotvec).as_matrix()
    return rotation, (vertices - jaw) @ (rotation - np.eye(3)).T


def give_jaw_weights(weights: np.ndarray, vertices: np.ndarray, jaw: np.ndarray, opened: np.ndarray) -> np.ndarray:
    """Move weight from the head to the jaw so that turning the jaw does what the blend shape ``opened`` does.

    Args:
        weights: (V, 55).
        vertices: (V, 3) template.
        jaw: (3,) the jaw's joint.
        opened: (V, 3) offsets of the blend shape ``jawOpen``.

    Returns:
        (V, 55) weights: each vertex follows the jaw by the share of the full rotation that the shape moves it.
    """
    _, moved = _about_jaw(np.array([JAW_OPEN, 0.0, 0.0]), vertices, jaw)
    length = np.sum(moved**2, axis=1)
    share = np.sum(opened * moved, axis=1) / np.maximum(length, 1e-12)
    share[np.linalg.norm(opened, axis=1) < 1e-4] = 0.0
    weights = weights.copy()
    weights[:, JAW] = weights[:, HEAD] * np.clip(share, 0.0, 1.0)
    weights[:, HEAD] -= weights[:, JAW]
    return weights


def jaw_correctives(
    weights: np.ndarray, vertices: np.ndarray, jaw: np.ndarray, opened: np.ndarray, sideways: np.ndarray
) -> dict[int, np.ndarray]:
    """Return pose directions with which turning the jaw gives Anny's jaw shapes exactly at full turn.

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
        rotation, moved = _about_jaw(np.eye(3)[axis] * angle, vertices, jaw)
        share = weights[:, JAW, None]
        blended = np.eye(3) + share[..., None] * (rotation - np.eye(3))
        found[(JAW - 1) * 9 + entry] = np.linalg.solve(blended, (wanted - share * moved)[..., None])[..., 0] / np.sin(
            angle
        )
    return found


def joint_regressor(anny: AnnyBody, vertices: np.ndarray, joints: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """Return the regressor (55, V) that gives every body its own joints, whatever its face does.

    Each joint is a weighted mean of the vertices about it. The weights are those nearest to equal ones that
    reproduce the joint over all bodies; facial actions do not move a joint.

    Args:
        anny: for the vertices of the eyes and the mirror.
        vertices: (N, V, 3) bodies in the zero pose.
        joints: (N, 55, 3) their joints.
        expressions: (52, V, 3) facial actions.
    """
    mean = vertices.mean(axis=0)
    eyes = {joint: np.argsort(anny.order)[anny.dominant(bone)] for joint, bone in EYES.items()}
    inside = np.concatenate([*eyes.values(), np.argsort(anny.order)[anny.tongue]])
    skin = np.setdiff1d(np.arange(len(mean)), inside)
    tree = KDTree(mean[skin])
    regressor = np.zeros((len(JOINTS), len(mean)))
    for joint, name in enumerate(JOINTS):
        if name.startswith("right_"):
            continue
        if name == "jaw":
            near = np.argsort(anny.order)[anny.jaw_vertices]
        elif name in eyes:
            near = eyes[name]
        else:
            near = skin[tree.query(joints[:, joint].mean(axis=0), NEIGHBOURS)[1]]
        if MIRROR[joint] == joint:
            near = np.union1d(near, anny.mirror[near])
        regressor[joint, near] = _fit_weights(vertices[:, near], joints[:, joint], expressions[:, near])
    for joint, other in enumerate(MIRROR):
        if JOINTS[joint].startswith("right_"):
            regressor[joint] = regressor[other][anny.mirror]
        elif joint == other:
            regressor[joint] = (regressor[joint] + regressor[joint][anny.mirror]) / 2
    return regressor


def _fit_weights(vertices: np.ndarray, joints: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """Weights (K,) that sum to one, regress ``joints`` (N, 3) from ``vertices`` (N, K, 3), and stay near 1/K."""
    count = vertices.shape[1]
    equal = np.full(count, 1.0 / count)
    rows = np.concatenate(
        [
            np.moveaxis(vertices, 1, -1).reshape(-1, count),
            np.moveaxis(expressions, 1, -1).reshape(-1, count) * 10.0,
        ]
    ).astype(np.float64)
    aims = np.concatenate([joints.reshape(-1), np.zeros(len(rows) - joints.size)])
    # Solved for the difference to equal weights, kept to a sum of zero by working in that subspace.
    basis = np.linalg.svd(np.ones((1, count)))[2][1:].T
    reduced = rows @ basis
    ridge = 1e-5 * len(rows)
    offset = np.linalg.solve(reduced.T @ reduced + ridge * np.eye(count - 1), reduced.T @ (aims - rows @ equal))
    return equal + basis @ offset
