"""The 55 joints of SMPL-X: names in order, and the tree they form."""

from __future__ import annotations

FINGERS = ("index", "middle", "pinky", "ring", "thumb")

#: Names as in ``smplx.joint_names``.
JOINTS: list[str] = [
    *"pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot".split(),
    *"right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow".split(),
    *"left_wrist right_wrist jaw left_eye_smplhf right_eye_smplhf".split(),
    *(f"{side}_{finger}{i}" for side in ("left", "right") for finger in FINGERS for i in (1, 2, 3)),
]

_PARENT_NAMES = {
    "left_hip": "pelvis",
    "right_hip": "pelvis",
    "spine1": "pelvis",
    "left_knee": "left_hip",
    "right_knee": "right_hip",
    "spine2": "spine1",
    "left_ankle": "left_knee",
    "right_ankle": "right_knee",
    "spine3": "spine2",
    "left_foot": "left_ankle",
    "right_foot": "right_ankle",
    "neck": "spine3",
    "left_collar": "spine3",
    "right_collar": "spine3",
    "head": "neck",
    "left_shoulder": "left_collar",
    "right_shoulder": "right_collar",
    "left_elbow": "left_shoulder",
    "right_elbow": "right_shoulder",
    "left_wrist": "left_elbow",
    "right_wrist": "right_elbow",
    "jaw": "head",
    "left_eye_smplhf": "head",
    "right_eye_smplhf": "head",
    **{
        f"{side}_{finger}{i}": f"{side}_wrist" if i == 1 else f"{side}_{finger}{i - 1}"
        for side in ("left", "right")
        for finger in FINGERS
        for i in (1, 2, 3)
    },
}

#: Index of each joint's parent, −1 for the pelvis.
PARENTS: list[int] = [JOINTS.index(_PARENT_NAMES[name]) if name in _PARENT_NAMES else -1 for name in JOINTS]

#: Index of each joint's mirror image.
MIRROR: list[int] = [
    JOINTS.index(name.replace("left_", "right_", 1) if name.startswith("left_") else name.replace("right_", "left_", 1))
    for name in JOINTS
]
