"""A motion as BVH: the 55 joints with their offsets at rest, and Euler angles for every frame."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from diffsign.geometry.skeleton import JOINTS, PARENTS

#: Units of a metre: BVH has none, and most tools take centimetres.
UNITS = 100.0


def bvh_text(local: np.ndarray, rest: np.ndarray, transl: np.ndarray, fps: float) -> str:
    """Return the file.

    Args:
        local: (T, 55, 3, 3) rotations relative to the parent joint.
        rest: (55, 3) joints at rest, metres, y up.
        transl: (T, 3) added to every joint, metres.
        fps: frames per second.
    """
    order: list[int] = []
    lines = ["HIERARCHY", *_joint(0, rest, order, 0)]
    angles = Rotation.from_matrix(local[:, order].reshape(-1, 3, 3)).as_euler("ZXY", degrees=True)
    rows = np.concatenate([UNITS * (rest[0] + transl), angles.reshape(len(local), -1)], axis=1)
    lines += ["MOTION", f"Frames: {len(local)}", f"Frame Time: {1 / fps:.8f}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def _joint(joint: int, rest: np.ndarray, order: list[int], depth: int) -> list[str]:
    """Return the lines of a joint and all below it; ``order`` gets the joints as they come."""
    order.append(joint)
    parent = PARENTS[joint]
    offset = UNITS * (rest[joint] if parent < 0 else rest[joint] - rest[parent])
    children = [child for child, other in enumerate(PARENTS) if other == joint]
    position = "6 Xposition Yposition Zposition" if parent < 0 else "3"
    inner = [f"OFFSET {_numbers(np.zeros(3) if parent < 0 else offset)}"]
    inner.append(f"CHANNELS {position} Zrotation Xrotation Yrotation")
    for child in children:
        inner += _joint(child, rest, order, depth + 1)
    if not children:
        # The end of a finger, toe, eye or jaw goes on for as long as the bone before it.
        inner += ["End Site", "{", f"  OFFSET {_numbers(0.6 * offset)}", "}"]
    return [f"{'ROOT' if parent < 0 else 'JOINT'} {JOINTS[joint]}", "{", *(f"  {line}" for line in inner), "}"]


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.5f}" for value in values)
