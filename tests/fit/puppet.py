"""A stick figure with SMPL-X's joints and all 137 keypoints, small enough for tests of a second."""

from __future__ import annotations

import numpy as np

from diffsign.fit.points import PointDefinition, PointModel, SkinnedBody
from diffsign.geometry.skeleton import JOINTS as JOINT_NAMES
from diffsign.records.keypoints import FACE, HAND_NAMES, NAMES

JOINTS = len(JOINT_NAMES)
LEFT = {
    0: (0, 0, 0),
    1: (0.09, -0.07, 0),
    3: (0, 0.11, 0),
    4: (0.1, -0.46, 0),
    6: (0, 0.24, 0),
    7: (0.1, -0.86, -0.03),
    9: (0, 0.3, 0.01),
    10: (0.11, -0.92, 0.1),
    12: (0, 0.5, -0.02),
    13: (0.07, 0.42, -0.01),
    15: (0, 0.58, 0.02),
    16: (0.18, 0.44, -0.02),
    18: (0.45, 0.43, -0.03),
    20: (0.7, 0.43, -0.02),
    22: (0, 0.56, 0.03),
    23: (0.032, 0.66, 0.09),
}
MIRRORED = {2: 1, 5: 4, 8: 7, 11: 10, 14: 13, 17: 16, 19: 18, 21: 20, 24: 23}
#: Offsets from the wrist of each finger's three joints and tip: index, middle, pinky, ring, thumb.
FINGERS = {
    "index": [(0.09, 0, 0.025), (0.125, -0.002, 0.028), (0.148, -0.004, 0.029), (0.17, -0.008, 0.03)],
    "middle": [(0.092, 0.002, 0.0), (0.132, 0, 0.0), (0.158, -0.003, 0.0), (0.182, -0.007, 0.0)],
    "pinky": [(0.078, -0.005, -0.042), (0.102, -0.008, -0.048), (0.12, -0.011, -0.052), (0.138, -0.015, -0.055)],
    "ring": [(0.086, 0, -0.022), (0.122, -0.002, -0.026), (0.147, -0.005, -0.028), (0.17, -0.009, -0.03)],
    "thumb": [(0.025, -0.01, 0.03), (0.055, -0.018, 0.052), (0.085, -0.022, 0.066), (0.11, -0.026, 0.075)],
}
BETAS, EXPRESSIONS = 4, 5


def _joints() -> tuple[np.ndarray, np.ndarray]:
    joints = np.zeros((JOINTS, 3))
    for j, at in LEFT.items():
        joints[j] = at
    for right, left in MIRRORED.items():
        joints[right] = joints[left] * [-1, 1, 1]
    tips = np.zeros((2, 5, 3))
    for f, offsets in enumerate(FINGERS.values()):
        for i in range(3):
            joints[25 + 3 * f + i] = joints[20] + offsets[i]
            joints[40 + 3 * f + i] = joints[25 + 3 * f + i] * [-1, 1, 1]
        tips[0, f] = joints[20] + offsets[3]
        tips[1, f] = tips[0, f] * [-1, 1, 1]
    return joints, tips


def _keypoint_joints() -> np.ndarray:
    """(137,) the joint that a keypoint is, or −1."""
    body = dict(
        zip(
            "neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip".split(),
            (12, 17, 19, 21, 16, 18, 20, 0),
            strict=True,
        )
    )
    body |= dict(
        zip("right_hip right_knee right_ankle left_hip left_knee left_ankle".split(), (2, 5, 8, 1, 4, 7), strict=True)
    )
    order = list(FINGERS)
    for side, (first, wrist) in (("left", (25, 20)), ("right", (40, 21))):
        for name in HAND_NAMES:
            if name == "wrist":
                body[f"{side}_hand_wrist"] = wrist
            elif name[-1] != "4":
                body[f"{side}_hand_{name}"] = first + 3 * order.index(name[:-1]) + int(name[-1]) - 1
    return np.array([body.get(name, -1) for name in NAMES])


def _face(count: int) -> np.ndarray:
    """(count, 3) points of a face of 68, on a curved mask."""
    rng = np.random.default_rng(7)
    flat = rng.uniform(-1, 1, (count, 2)) * [0.055, 0.07]
    return np.stack([flat[:, 0], 0.63 + flat[:, 1], 0.12 - 4 * flat[:, 0] ** 2 - 3 * flat[:, 1] ** 2], 1)


def puppet(correctives: bool = False) -> PointModel:
    """Return the puppet: betas scale it, lengthen arms, widen shoulders and grow the head."""
    joints, tips = _joints()
    vertices, weights = [*joints], [*np.eye(JOINTS)]
    which = _keypoint_joints()
    corner = np.zeros(len(NAMES), dtype=int)
    order = list(FINGERS)
    face = iter(_face(FACE.stop - FACE.start))
    extra = {
        "nose": (0, 0.63, 0.15),
        "right_eye": (-0.032, 0.66, 0.11),
        "left_eye": (0.032, 0.66, 0.11),
        "right_ear": (-0.075, 0.64, 0),
        "left_ear": (0.075, 0.64, 0),
    }
    for k, name in enumerate(NAMES):
        if which[k] >= 0:
            continue
        weight = np.zeros(JOINTS)
        if "_hand_" in name:
            side, finger = ("left", 0) if name.startswith("left") else ("right", 1)
            f = order.index(name.split("_")[-1][:-1])
            at = tips[finger, f]
            weight[{"left": 25, "right": 40}[side] + 3 * f + 2] = 1
        elif FACE.start <= k:
            at = next(face)
            pupil = {"left_pupil": 23, "right_pupil": 24}.get(name)
            if pupil:
                at, weight[pupil] = joints[pupil] + [0, 0, 0.012], 1
            elif at[1] < 0.6:
                weight[22], weight[15] = 0.7, 0.3
            else:
                weight[15] = 1
        elif name in extra:
            at, weight[15] = np.array(extra[name]), 1
        else:
            foot = 10 if name.startswith("left") else 11
            at, weight[foot] = joints[foot] + [0, -0.02, 0.05], 1
        corner[k] = len(vertices)
        vertices.append(np.asarray(at, float))
        weights.append(weight)
    v = np.array(vertices)
    dirs = np.zeros((len(v), 3, BETAS + EXPRESSIONS))
    dirs[..., 0] = 0.05 * v
    dirs[..., 1] = 0.04 * np.clip(np.abs(v[:, :1]) - 0.18, 0, None) * np.sign(v[:, :1]) * [1, 0, 0]
    dirs[..., 2] = 0.01 * np.clip(v[:, :1] / 0.07, -1, 1) * [1, 0, 0]
    dirs[..., 3] = 0.04 * np.clip(v - [0, 0.55, 0], 0, None) * (np.abs(v[:, :1]) < 0.1) * (v[:, 1:2] > 0.55)
    rng = np.random.default_rng(3)
    masks = (v[:, 2] > 0.05) & (v[:, 1] > 0.5)
    dirs[masks, :, BETAS:] = 0.003 * rng.standard_normal((masks.sum(), 3, EXPRESSIONS))
    dirs[:JOINTS, :, BETAS:] = 0
    pose = 0.03 * rng.standard_normal((486, len(v) * 3)) if correctives else None
    joint_weights = np.eye(JOINTS)[which] * (which >= 0)[:, None]
    vertex_weights = np.eye(len(v))[corner] * (which < 0)[:, None]
    body = SkinnedBody(v, dirs, pose, joints, dirs[:JOINTS], np.array(weights), BETAS)
    return PointModel(body, PointDefinition(joint_weights, vertex_weights))
