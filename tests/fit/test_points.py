"""The reduced body: against the whole one, shifted points, parts of it."""

from __future__ import annotations

import numpy as np
from phrases import phrase, points
from puppet import puppet

from diffsign.fit.detectors import detector_of
from diffsign.fit.hinges import HANDS
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.records.keypoints import LEFT_HAND, NAMES


def test_no_rotation_is_the_resting_body():
    model = puppet()
    still = np.tile(np.eye(3), (1, 55, 1, 1))
    posed = model.pose(still, np.zeros((1, 3)), np.zeros(model.n_betas), np.zeros((1, model.n_expression)))
    assert np.allclose(posed.points[0, NAMES.index("left_elbow")], model.joint_rest[18])
    assert np.allclose(posed.centres[0], model.joint_rest)


def test_translation_moves_everything_and_turning_keeps_distances():
    model = puppet()
    motion = phrase(model, 2)
    turned = motion.full_pose.copy()
    turned[:, 0] = [0.3, 1.0, -0.2]
    a, b = points(model, motion), points(model, motion.with_pose(turned, transl=motion.transl + 1))
    distances = [np.linalg.norm(p[:, :, None] - p[:, None], axis=-1) for p in (a, b)]
    assert np.allclose(*distances, atol=1e-6)


def test_a_shifted_point_follows_its_joint():
    model = puppet()
    offsets = np.zeros((len(NAMES), 3))
    wrist = NAMES.index("left_hand_wrist")
    offsets[wrist] = [0.02, 0, 0]
    shifted = model.shifted(offsets)
    motion = phrase(model, 3)
    moved, base = points(shifted, motion), points(model, motion)
    posed = model.pose(rotvec_to_rotmat(motion.full_pose.astype(float)), motion.transl, motion.betas, motion.expression)
    assert np.allclose(moved[:, wrist] - base[:, wrist], posed.rotations[:, 20] @ offsets[wrist], atol=1e-9)
    assert np.allclose(np.delete(moved, wrist, 1), np.delete(base, wrist, 1))
    own = (shifted.influence_point == wrist) & (shifted.influence_joint == HANDS["left"][1])
    assert own.any() and not ((model.influence_point == wrist) & (model.influence_joint == 20)).any()


def test_only_some_points():
    model = puppet()
    motion = phrase(model, 2)
    hand = np.arange(LEFT_HAND.start, LEFT_HAND.stop)
    part = points(model.only(hand), motion)
    assert np.allclose(part[:, hand], points(model, motion)[:, hand]) and np.all(part[:, :25] == 0)


def test_what_is_known_of_detectors():
    measured, unknown = detector_of("mediapipe holistic 0.10.21").offsets, detector_of("openpose")
    assert np.all(unknown.offsets == 0) and np.all(unknown.trust == 1) and np.all(detector_of("").trust == 1)
    left, right = (measured[NAMES.index(f"{side}_hand_wrist")] for side in ("left", "right"))
    assert np.allclose(left * [-1, 1, 1], right) and 0.005 < left[0] < 0.03
    assert np.abs(measured).max() < 0.04 and np.all(measured[67:] == 0)


def test_an_eyelid_is_trusted_more_than_a_knuckle_and_that_more_than_an_elbow():
    trust = detector_of("mediapipe holistic 0.10.21").trust
    lid, knuckle, elbow = (trust[NAMES.index(name)] for name in ("face_38", "right_hand_ring2", "right_elbow"))
    assert 1 >= lid > knuckle > elbow > 0.05
    assert trust[NAMES.index("left_elbow")] == elbow


def test_reduced_body_is_the_whole_body(body):
    from dataclasses import replace

    from diffsign.fit.points import reduced
    from diffsign.geometry.camera import Camera
    from diffsign.records.motion import Motion

    rng = np.random.default_rng(0)
    motion = Motion.rest(2, Camera.facing(512, 512, 600), 24.0, body.n_betas, body.n_expression)
    motion = replace(
        motion.with_pose(0.3 * rng.standard_normal((2, 55, 3))),
        betas=0.5 * rng.standard_normal(body.n_betas).astype(np.float32),
        expression=rng.uniform(0, 1, (2, body.n_expression)).astype(np.float32),
    )
    ours = np.delete(points(reduced(body), motion), range(67, 84), axis=1)  # the contour slides
    assert np.abs(ours - np.delete(body.keypoints(motion), range(67, 84), axis=1)).max() < 1e-4
