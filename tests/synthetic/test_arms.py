"""Arms: they reach, they stay inside their limits, elbows keep out of the torso."""

import numpy as np
from scipy.spatial.transform import Rotation

from diffsign.synthetic.arms import ELBOW_BEND, FOREARM_TURN, WRIST_BEND, WRIST_LEAN, reach
from diffsign.synthetic.kinematics import COLLAR, ELBOW, SHOULDER, SPINE3, WRIST

FRAMES = 24


def still_torso(physique):
    origin = physique.skeleton.joints[SPINE3]
    return physique.torso.placed(np.repeat(np.eye(3)[None], FRAMES, axis=0), np.repeat(origin[None], FRAMES, axis=0))


def solve(physique, side, target, hand):
    joints = physique.skeleton.joints
    torso = still_torso(physique)
    collar = np.repeat(np.eye(3)[None], FRAMES, axis=0)
    shoulder = np.repeat(joints[None, SHOULDER[side]], FRAMES, axis=0)
    found = reach(physique.skeleton, side, collar, shoulder, target, hand, torso, 24)
    rotations = np.tile(np.eye(3), (FRAMES, 55, 1, 1))
    for joint, rotation in ((SHOULDER, found.shoulder), (ELBOW, found.elbow), (WRIST, found.wrist)):
        rotations[:, joint[side]] = rotation
    return found, *physique.skeleton.forward(rotations)


def circle(physique, side, radius):
    """Wrists (T, 3) on a circle before the chest, of a radius in arm lengths."""
    out = 1 if side == "left" else -1
    angle = np.linspace(0, 2 * np.pi, FRAMES)[:, None]
    centre = physique.skeleton.joints[[SHOULDER["left"], SHOULDER["right"]]].mean(axis=0)
    ring = radius * np.concatenate([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    return centre + physique.arm * (np.array([0.3 * out, -0.2, 0.55]) + ring)


def test_reaches_targets_to_the_micrometre(person):
    for side in ("left", "right"):
        target = circle(person.physique, side, 0.25)
        hand = Rotation.random(FRAMES, random_state=3).as_matrix()
        _, positions, _ = solve(person.physique, side, target, hand)
        assert np.linalg.norm(positions[:, WRIST[side]] - target, axis=1).max() < 1e-6
        assert np.allclose(positions[:, COLLAR[side]], person.physique.skeleton.joints[COLLAR[side]])


def test_limits_hold_for_any_orientation(person):
    low, high = np.array([ELBOW_BEND, FOREARM_TURN, WRIST_BEND, WRIST_LEAN]).T
    for side in ("left", "right"):
        hand = Rotation.random(FRAMES, random_state=4).as_matrix()
        found, _, _ = solve(person.physique, side, circle(person.physique, side, 0.25), hand)
        assert (found.angles >= low - 1e-6).all()
        assert (found.angles <= high + 1e-6).all()
        # The rotation that remains at the wrist is no larger than half the turn and both bends together.
        assert np.rad2deg(Rotation.from_matrix(found.wrist).magnitude()).max() < 85 / 2 + np.hypot(70, 32)


def test_easy_orientation_is_kept(person):
    side = "right"
    hand_basis = person.physique.skeleton.hands[side].basis
    # Fingers up, palm forward: what spelling asks for.
    asked = np.stack([[0, 1, 0], [1.0, 0, 0], [0, 0, 1]], axis=1) @ hand_basis.T
    asked = asked if np.linalg.det(asked) > 0 else np.stack([[0, 1, 0], [-1.0, 0, 0], [0, 0, 1]], axis=1) @ hand_basis.T
    physique = person.physique
    shoulders = physique.skeleton.joints[[SHOULDER["left"], SHOULDER["right"]]].mean(axis=0)
    target = np.repeat((shoulders + physique.arm * np.array([-0.34, -0.10, 0.50]))[None], FRAMES, axis=0)
    _, _, orientations = solve(physique, side, target, np.repeat(asked[None], FRAMES, axis=0))
    off = Rotation.from_matrix(asked.T @ orientations[:, WRIST[side]]).magnitude()
    assert np.rad2deg(off).max() < 12.0


def test_beyond_the_arm_it_stretches_towards_the_target(person):
    physique, side = person.physique, "left"
    shoulder = physique.skeleton.joints[SHOULDER[side]]
    far = np.array([0.2, 0.3, 3.0])
    target = np.repeat((shoulder + far)[None], FRAMES, axis=0)
    found, positions, _ = solve(physique, side, target, np.repeat(np.eye(3)[None], FRAMES, axis=0))
    way = positions[:, WRIST[side]] - shoulder
    assert np.allclose(way / np.linalg.norm(way, axis=1, keepdims=True), far / np.linalg.norm(far), atol=1e-6)
    assert np.allclose(found.angles[:, 0], ELBOW_BEND[0], atol=1e-3)


def test_elbows_stay_out_of_the_torso(person):
    physique = person.physique
    for side in ("left", "right"):
        _, positions, _ = solve(physique, side, circle(physique, side, 0.2), np.repeat(np.eye(3)[None], FRAMES, axis=0))
        torso = physique.torso.placed(
            np.eye(3)[None].repeat(FRAMES, 0), physique.skeleton.joints[None, SPINE3].repeat(FRAMES, 0)
        )
        assert torso.distance(positions[:, [ELBOW[side]]]).min() > 0.02
