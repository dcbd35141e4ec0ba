"""Hand poses: principal components of plausible handshapes, within anatomical limits.

The shapes are mixtures, finger by finger, of those that signing and everyday grips are made of. Joint
ranges follow the anatomical ones (knuckles bend 90°, spread ±15°, middle joints 100°, end joints 70°;
thumb as its saddle joint allows).
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from diffsign.body.handshapes import SHAPES
from diffsign.geometry.skeleton import FINGERS, JOINTS

SAMPLES = 1500
SEED = 20241206

#: Bend of knuckle, middle and end joint in degrees, of the states a finger is in (:mod:`diffsign.body.handshapes`).
BENT = {
    "straight": (0, 0, 0),
    "relaxed": (18, 22, 12),
    "curved": (30, 45, 30),
    "claw": (5, 70, 45),
    "flat": (75, 5, 0),
    "hook": (70, 60, 30),
    "fist": (85, 95, 60),
}

#: Handshapes that the population is blended from.
POPULATION = (
    "flat-hand rest A B C D E F I L O S V W X Y 5 claw bent-B ILY".split()
)  # adding one changes every body file that is built

#: Thumb: turn across the palm, away from it, and bends of its two outer joints, degrees.
THUMB = {
    "along": (0, -15, 0, 0),
    "relaxed": (10, 0, 10, 10),
    "across": (35, -10, 30, 35),
    "opposed": (40, 15, 15, 20),
    "out": (-10, 15, -5, -5),
}


def finger_axes(joints: np.ndarray) -> dict[str, np.ndarray]:
    """Return for each left finger its bending and its spreading axis, (2, 3), from joints (55, 3) in the zero pose.

    A finger bends towards the palm (down) and spreads away from the thumb (to the little finger). The thumb's
    nail looks forward: its outer joints bend backwards, behind the hand's edge.
    """
    axes = {}
    for finger in FINGERS:
        first, second = (joints[JOINTS.index(f"left_{finger}{i}")] for i in ((2, 3) if finger == "thumb" else (1, 2)))
        along = (second - first) / np.linalg.norm(second - first)
        bend = np.cross(along, [0.0, 0.0, -1.0] if finger == "thumb" else [0.0, -1.0, 0.0])
        bend /= np.linalg.norm(bend)
        axes[finger] = np.stack([bend, np.cross(bend, along)])
    return axes


def handshape(fingers: dict[str, np.ndarray], axes: dict[str, np.ndarray]) -> np.ndarray:
    """Return the left hand's pose (15, 3) for angles in degrees by finger.

    Args:
        fingers: finger to (4,): bends of the three joints and spread; for the thumb the turn across the palm,
            the turn away from it, and the bends of its two outer joints.
        axes: from :func:`finger_axes`.
    """
    pose = np.zeros((15, 3))
    for i, finger in enumerate(FINGERS):
        bend, spread = axes[finger]
        angles = np.radians(fingers[finger])
        if finger == "thumb":
            hinge = bend
            across = Rotation.from_rotvec(np.array([1.0, 0.0, 0.0]) * angles[0])
            away = Rotation.from_rotvec(np.array([0.0, 1.0, 0.0]) * -angles[1])
            pose[3 * i] = (away * across).as_rotvec()
            pose[3 * i + 1 : 3 * i + 3] = hinge * angles[2:, None]
            continue
        turn = Rotation.from_rotvec(spread * angles[3]) * Rotation.from_rotvec(bend * angles[0])
        pose[3 * i] = turn.as_rotvec()
        pose[3 * i + 1 : 3 * i + 3] = bend * angles[1:3, None]
    return pose


def sample_hands(joints: np.ndarray, count: int = SAMPLES, seed: int = SEED) -> np.ndarray:
    """Return ``count`` left hand poses (N, 15, 3): blends of two handshapes each, with noise, inside the limits."""
    rng = np.random.default_rng(seed)
    axes = finger_axes(joints)
    order = ("index", "middle", "ring", "pinky")
    poses = np.empty((count, 15, 3))
    for i in range(count):
        one, two = (SHAPES[POPULATION[k]] for k in rng.integers(len(POPULATION), size=2))
        share = rng.beta(0.5, 0.5)
        fingers = {}
        for k, finger in enumerate(order):
            bends = (1 - share) * np.array(BENT[one[k]], float) + share * np.array(BENT[two[k]], float)
            bends = np.clip(bends + rng.normal(0.0, [8.0, 8.0, 6.0]), [-15.0, 0.0, -5.0], [90.0, 105.0, 75.0])
            # A bent knuckle cannot spread; index and little finger spread more than the others.
            room = max(0.0, 1.0 - bends[0] / 70.0)
            spread = np.clip(rng.normal(0.0, (8.0, 4.0, 5.0, 9.0)[k]) * room, -15.0, 15.0)
            fingers[finger] = np.array([*bends, spread])
        thumb = (1 - share) * np.array(THUMB[one[4]], float) + share * np.array(THUMB[two[4]], float)
        fingers["thumb"] = np.clip(thumb + rng.normal(0.0, 6.0, 4), [-20, -25, -15, -15], [55, 35, 50, 70])
        poses[i] = handshape(fingers, axes)
    return poses


def hand_components(joints: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``hands_meanl``, ``hands_meanr`` (45,) and ``hands_componentsl``, ``hands_componentsr`` (45, 45).

    Rows of the components are orthonormal, the most varied first; the right hand mirrors the left.
    """
    poses = sample_hands(joints).reshape(-1, 45)
    mean = poses.mean(axis=0)
    _, _, components = np.linalg.svd(poses - mean, full_matrices=True)
    largest = np.abs(components).argmax(axis=1)
    components *= np.sign(components[np.arange(45), largest])[:, None]
    flip = np.tile([1.0, -1.0, -1.0], 15)
    return {
        "hands_meanl": mean,
        "hands_meanr": mean * flip,
        "hands_componentsl": components,
        "hands_componentsr": components * flip,
    }
