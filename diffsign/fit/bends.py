"""Fingers that a detector opens: what its bends mean.

MediaPipe's 3D shows a folded finger half open: bends of the three joints that sum to 230° come out as 180°, and
straight ones as 50°. ``benchmarks/bends.py`` measures the relation on signers whose truth is known, and
``offsets/mediapipe.json`` keeps it. A finger's bones are turned, within the finger's own plane, by what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.geometry.rotations import rotvec_to_rotmat


@dataclass(frozen=True)
class BendTable:
    """What to add to the bends of a finger's joints.

    Attributes:
        total: (n,) degrees, sums of the three bends as a detector gives them, ascending.
        extra: (n, 3) degrees to add to each joint, knuckle to tip; interpolated between.
    """

    total: np.ndarray
    extra: np.ndarray


def finger_bends(bones: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bends (T, 3) in degrees between four bones (T, 4, 3), and the axis (T, 3) about which they bend."""
    across = np.cross(bones[:, :-1], bones[:, 1:])
    bends = np.degrees(np.arctan2(np.linalg.norm(across, axis=-1), np.sum(bones[:, :-1] * bones[:, 1:], -1)))
    axis = across.sum(1)
    return bends, axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)


def corrected(bones: np.ndarray, table: BendTable) -> np.ndarray:
    """Return the directions (T, 4, 3) of palm and finger bones with the bends that they stand for.

    Args:
        bones: (T, 4, 3) unit vectors: from the wrist to the knuckle, and the finger's three bones.
        table: of the detector.
    """
    bends, axis = finger_bends(bones)
    extra = np.stack([np.interp(bends.sum(1), table.total, column) for column in table.extra.T], axis=1)
    turns = np.radians(np.cumsum(np.maximum(extra, -bends), axis=1))
    out = bones.copy()
    out[:, 1:] = (rotvec_to_rotmat(axis[:, None] * turns[..., None]) @ bones[:, 1:, :, None])[..., 0]
    return out
