"""Skinning weights, the jaw, and the regressor that finds the joints from the vertices."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from diffsign.body.anny import JAW_OPEN, AnnyBody
from diffsign.body.correctives import about_jaw
from diffsign.body.shape import Components
from diffsign.geometry.skeleton import JOINTS, MIRROR

JAW, HEAD = JOINTS.index("jaw"), JOINTS.index("head")
EYES = {"left_eye_smplhf": "eye.L", "right_eye_smplhf": "eye.R"}

#: Vertices that a joint is regressed from, at most.
NEIGHBOURS = 800

#: Metres by which a joint may be missed in exchange for weights nearer to the plain mean.
RIDGE = 2e-5


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
    _, moved = about_jaw(np.array([JAW_OPEN, 0.0, 0.0]), vertices, jaw)
    length = np.sum(moved**2, axis=1)
    share = np.sum(opened * moved, axis=1) / np.maximum(length, 1e-12)
    share[np.linalg.norm(opened, axis=1) < 1e-4] = 0.0
    weights = weights.copy()
    weights[:, JAW] = weights[:, HEAD] * np.clip(share, 0.0, 1.0)
    weights[:, HEAD] -= weights[:, JAW]
    return weights


def joint_regressor(anny: AnnyBody, components: Components, joints: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """Return the regressor (55, V) that gives every body its own joints, whatever its face does.

    Each joint is a weighted mean of the vertices about it. Of all weights that put it where it belongs on the
    mean body, carry it along with every shape direction and hold it still under every facial action, the
    smallest are taken, far vertices counting more.

    Args:
        anny: for the vertices of the eyes and the mirror.
        components: the shape directions.
        joints: (N, 55, 3) joints of the bodies that the components were computed from.
        expressions: (52, V, 3) facial actions.
    """
    mean = components.mean
    mean_joints = joints.mean(axis=0)
    directions = np.moveaxis(components.directions, -1, 0)
    joint_directions = np.tensordot(components.mixing, joints - mean_joints, axes=1)
    place = np.argsort(anny.order)
    eyes = {joint: place[anny.dominant(bone)] for joint, bone in EYES.items()}
    skin = np.setdiff1d(np.arange(len(mean)), np.concatenate([*eyes.values(), place[anny.tongue]]))
    tree = KDTree(mean[skin])
    regressor = np.zeros((len(JOINTS), len(mean)))
    for joint, name in enumerate(JOINTS):
        if name.startswith("right_"):
            continue
        if name in eyes:
            near = eyes[name]
        else:
            _, neighbours = tree.query(mean_joints[joint], NEIGHBOURS)
            near = skin[neighbours]
        if MIRROR[joint] == joint:
            near = np.union1d(near, anny.mirror[near])
        rows = np.concatenate([mean[None, near], directions[:, near], expressions[:, near]])
        still = np.zeros((len(expressions), 3))
        aims = np.concatenate([mean_joints[joint][None], joint_directions[:, joint], still])
        regressor[joint, near] = _smallest_weights(rows, aims, np.linalg.norm(mean[near] - mean_joints[joint], axis=1))
    for joint, other in enumerate(MIRROR):
        if JOINTS[joint].startswith("right_"):
            regressor[joint] = regressor[other][anny.mirror]
        elif joint == other:
            regressor[joint] = (regressor[joint] + regressor[joint][anny.mirror]) / 2
    return regressor


def _smallest_weights(rows: np.ndarray, aims: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return weights (K,) with the sum one that make ``aims`` (M, 3) of ``rows`` (M, K, 3), small where far away."""
    reach = distance + np.median(distance)
    plain = (1 / reach) / (1 / reach).sum()
    matrix = np.concatenate([np.moveaxis(rows, 1, -1).reshape(-1, len(distance)), np.ones((1, len(distance)))])
    missing = np.concatenate([aims.reshape(-1), [1.0]]) - matrix @ plain
    scaled = matrix * (reach.min() / reach)
    change = scaled.T @ np.linalg.solve(scaled @ scaled.T + RIDGE**2 * np.eye(len(matrix)), missing)
    return plain + change * (reach.min() / reach)
