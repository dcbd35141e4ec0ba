"""Parts of a body's mesh: the region of each triangle, and the vertices of head, face, hands and trunk."""

from __future__ import annotations

import numpy as np

from diffsign.geometry.skeleton import FINGERS, JOINTS

#: Every value that ``Body.face_regions`` can take.
REGIONS = (
    *("head", "neck", "torso", "upper_arm", "forearm", "hand", "hips", "leg", "foot"),
    *("scalp", "brow", "eye", "mouth", "lips"),
)

#: Region of the triangles that a joint moves most.
JOINT_REGION = {
    "pelvis": "hips",
    "hip": "leg",
    "knee": "leg",
    "ankle": "foot",
    "foot": "foot",
    "spine1": "torso",
    "spine2": "torso",
    "spine3": "torso",
    "collar": "torso",
    "neck": "neck",
    "head": "head",
    "jaw": "head",
    "eye_smplhf": "eye",
    "shoulder": "upper_arm",
    "elbow": "forearm",
    "wrist": "hand",
    **{f"{finger}{i}": "hand" for finger in FINGERS for i in (1, 2, 3)},
}


def joint_regions() -> list[str]:
    """Return the region of each of the 55 joints."""
    return [JOINT_REGION[name.removeprefix("left_").removeprefix("right_")] for name in JOINTS]


def limb_regions(weights: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the region (F,) of each triangle by the joint that moves its corners (``weights``: (V, 55)) most."""
    return np.array(joint_regions(), dtype="<U9")[weights[faces].sum(axis=1).argmax(axis=1)]


def vertex_parts(weights: np.ndarray, arrays: dict[str, np.ndarray], faces: np.ndarray) -> dict[str, np.ndarray]:
    """Vertex numbers of the parts, by the joint that moves each vertex most; the face by its landmarks' extent."""
    regions = np.array(joint_regions())[weights.argmax(axis=1)]
    side = np.array(["right" if name.startswith("right_") else "left" for name in JOINTS])[weights.argmax(axis=1)]
    head = np.isin(regions, ("head", "eye"))
    marks = faces[np.concatenate([arrays["lmk_faces_idx"], arrays["dynamic_lmk_faces_idx"][0]]).astype(np.int64)]
    points = arrays["v_template"][marks.ravel()]
    low, high = points.min(axis=0), points.max(axis=0)
    inside = np.all(
        (arrays["v_template"] >= low - 1e-6)[:, [0, 2]] & (arrays["v_template"] <= high + 0.02)[:, [0, 2]], axis=1
    )
    tall = (arrays["v_template"][:, 1] >= low[1] - 1e-6) & (arrays["v_template"][:, 1] <= high[1] + 0.03)
    return {
        "upper_body": np.flatnonzero(np.isin(regions, ("torso", "neck", "upper_arm", "forearm", "head", "eye"))),
        "left_hand": np.flatnonzero((regions == "hand") & (side == "left")),
        "right_hand": np.flatnonzero((regions == "hand") & (side == "right")),
        "head": np.flatnonzero(head),
        "face": np.flatnonzero(head & inside & tall),
    }
