"""Kinematics, rigid alignment, cheapest paths and finger angles, on cases known on paper and against libraries."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffsign.geometry.alignment import align, best_rotation
from diffsign.geometry.hand import finger_angles
from diffsign.geometry.kinematics import forward, linear_positions
from diffsign.geometry.meshes import face_normals, vertex_normals
from diffsign.geometry.paths import cheapest_path
from diffsign.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.geometry.skeleton import JOINTS, PARENTS

RNG = np.random.default_rng(0)


def rotations(*shape: int) -> np.ndarray:
    return Rotation.random(int(np.prod(shape)), random_state=0).as_matrix().reshape(*shape, 3, 3)


def test_each_joint_hangs_on_its_parent():
    local, rest = rotations(2, 3, 55), RNG.standard_normal((55, 3))
    world, joints = forward(local, rest)
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            assert np.array_equal(joints[..., joint, :], np.broadcast_to(rest[joint], (2, 3, 3)))
            continue
        assert np.allclose(world[..., joint, :, :], world[..., parent, :, :] @ local[..., joint, :, :])
        bone = joints[..., joint, :] - joints[..., parent, :]
        assert np.allclose(bone, world[..., parent, :, :] @ (rest[joint] - rest[parent]))


def test_no_rotation_is_the_resting_pose():
    rest = RNG.standard_normal((4, 55, 3))
    world, joints = forward(np.broadcast_to(np.eye(3), (4, 55, 3, 3)), rest)
    assert np.allclose(joints, rest) and np.allclose(world, np.eye(3))


def test_positions_are_linear_in_the_resting_joints():
    local, rest, step = rotations(2, 55), RNG.standard_normal((55, 3)), RNG.standard_normal((55, 3, 2))
    world, joints = forward(local, rest)
    moved = forward(local, rest + step @ [0.3, -2.0])[1]
    assert np.allclose(moved - joints, linear_positions(world, step) @ [0.3, -2.0])


def test_fingers_follow_the_elbow():
    local = np.broadcast_to(np.eye(3), (1, 55, 3, 3)).copy()
    rest = RNG.standard_normal((55, 3))
    elbow, tip = JOINTS.index("left_elbow"), JOINTS.index("left_index3")
    local[0, elbow] = Rotation.from_rotvec([0, 0, np.pi / 2]).as_matrix()
    x, y, z = rest[tip] - rest[elbow]
    assert np.allclose(forward(local, rest)[1][0, tip] - rest[elbow], [-y, x, z])


def test_alignment_agrees_with_scipy():
    points = RNG.standard_normal((4, 30, 3))
    noisy = points + 0.1 * RNG.standard_normal(points.shape)
    for source, target, ours in zip(noisy, points, align(noisy, points), strict=True):
        a, b = source - source.mean(0), target - target.mean(0)
        assert np.allclose(Rotation.align_vectors(b, a)[0].apply(a) + target.mean(0), ours)


def test_alignment_of_flat_sets_never_mirrors():
    flat = RNG.standard_normal((2, 12))
    for size in (2, 3):
        source = np.concatenate([flat.T, np.zeros((12, 1))], axis=1)[:, :size]
        mirrored = source * ([-1, 1, 1][:size])
        assert np.linalg.det(best_rotation(source, mirrored)) == pytest.approx(1)


def test_the_cheapest_path_is_the_best_of_all():
    cost, change = RNG.random((5, 3)), RNG.random((4, 3, 3))

    def total(path: tuple[int, ...]) -> float:
        steps = sum(change[t, a, b] for t, (a, b) in enumerate(itertools.pairwise(path)))
        return steps + sum(cost[t, state] for t, state in enumerate(path))

    assert tuple(cheapest_path(cost, change)) == min(itertools.product(range(3), repeat=5), key=total)


def test_one_frame_has_the_cheapest_state():
    assert cheapest_path(np.array([[3.0, 1.0, 2.0]]), np.zeros((0, 3, 3))).tolist() == [1]


def bent_hand(angle: float) -> np.ndarray:
    """(21, 3) points of a hand whose fingers all bend by ``angle`` radians at each joint."""
    hand = np.zeros((21, 3))
    for finger in range(5):
        at, heading = np.zeros(3), 0.2 * (finger - 2)
        across = np.array([np.cos(heading), np.sin(heading), 0])
        for joint in range(4):
            at = at + 0.3 * (np.cos(joint * angle) * across + np.sin(joint * angle) * np.array([0, 0, 1]))
            hand[1 + 4 * finger + joint] = at
    return hand


@pytest.mark.parametrize("angle", [0.0, 1e-7, 0.4, 1.5])
def test_finger_angles_are_the_bends_that_made_the_hand(angle):
    assert finger_angles(bent_hand(angle)) == pytest.approx(angle, abs=1e-9)


def test_finger_angles_in_the_picture_and_of_coincident_points():
    assert finger_angles(np.zeros((2, 21, 3))) == pytest.approx(0)
    flat = np.zeros((21, 2))
    flat[5:9] = [[1, 0], [2, 0], [2, 1], [2, 2]]
    assert finger_angles(flat)[3:6] == pytest.approx([0, np.pi / 2, 0])


def test_normals_of_a_square():
    vertices = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    assert np.allclose(face_normals(vertices, faces), [0, 0, 4])
    both = np.stack([vertices, vertices[:, [1, 2, 0]]])
    assert np.allclose(vertex_normals(both, faces), np.array([[0, 0, 1], [0, 1, 0]])[:, None])


def test_matrices_that_are_nearly_rotations_are_taken_for_the_nearest():
    rotvec = np.random.default_rng(3).uniform(-2, 2, (50, 3)) * 0.8
    rotmat = rotvec_to_rotmat(rotvec)
    assert np.allclose(rotmat_to_rotvec(rotmat, exact=True), rotvec, atol=1e-12)
    stretched = 1.3 * rotmat @ np.diag([1, 1.02, 1])
    assert np.abs(rotmat_to_rotvec(stretched) - rotvec).max() < 0.03
    assert np.abs(rotmat_to_rotvec(stretched, exact=True) - rotvec).max() > 0.03
