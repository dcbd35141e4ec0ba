"""A signer becomes frames: labels lie where the body is."""

import numpy as np
import pytest

from diffsign.geometry.skeleton import JOINTS
from diffsign.training.gbuffer import FINE, LABELS
from diffsign.training.shards import make_shard, retarget


@pytest.fixture(scope="module")
def shot(body):
    """Two frames of someone with the forearms raised, and the joints in pixels."""
    rotvecs = np.zeros((8, 55, 3))
    for side, sign in (("left", 1), ("right", -1)):
        rotvecs[:, JOINTS.index(f"{side}_shoulder"), 2] = -1.1 * sign
        rotvecs[:, JOINTS.index(f"{side}_elbow"), 2] = 2.2 * sign
    scene = retarget(body, rotvecs, np.zeros((8, 52)), frames=2, seed=4)
    skeleton = np.zeros((FINE, FINE, 3), np.uint8)
    frames = make_shard(body, scene, [skeleton, skeleton])
    return frames, scene.motion.camera.project(body.joints(scene.motion))


def label_at(frame, xy):
    x, y = np.floor(xy).astype(int)
    return LABELS[frame.label[y, x]]


def test_labels_lie_where_the_joints_are(shot):
    frames, joints = shot
    for frame, points in zip(frames, joints, strict=True):
        at = dict(zip(JOINTS, points, strict=True))
        for side in ("left", "right"):
            shoulder, elbow, wrist = (at[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
            assert label_at(frame, 0.75 * shoulder + 0.25 * elbow) == "sleeve"
            assert label_at(frame, (elbow + wrist) / 2) == "arm"
            assert label_at(frame, at[f"{side}_middle1"]) == "hand"
        assert label_at(frame, at["spine2"]) == "torso"
        assert label_at(frame, (at["left_eye_smplhf"] + at["right_eye_smplhf"]) / 2) == "face"
        assert {"lips", "brow", "eye", "iris", "hair", "neck"} <= {LABELS[n] for n in np.unique(frame.label)}


def test_focus_is_on_face_and_hands_of_the_right_side(shot):
    frames, joints = shot
    for frame, points in zip(frames, joints, strict=True):
        for row, name in enumerate(("head", "left_middle1", "right_middle1")):
            away = np.linalg.norm(frame.focus[row] - points[JOINTS.index(name)] / 2)
            assert away < 25, (name, away)


def test_depth_covers_the_signer_and_edges_are_at_the_outline(shot):
    for frame in shot[0]:
        signer = frame.label[::2, ::2] > 0
        assert ((frame.depth > 0) != signer).mean() < 0.02
        assert 500 < (frame.canny > 100).sum() < 8000
        near = signer ^ np.roll(signer, 2, axis=1)
        assert frame.canny[near].mean() > 3 * frame.canny.mean()


def test_the_same_seed_gives_the_same_frames(body, shot):
    rotvecs = np.zeros((8, 55, 3))
    a, b = (retarget(body, rotvecs, np.zeros((8, 52)), frames=2, seed=4) for _ in range(2))
    np.testing.assert_array_equal(a.signer.rest, b.signer.rest)
    np.testing.assert_array_equal(a.motion.camera.K, b.motion.camera.K)
    assert a.rng.integers(1 << 40) == b.rng.integers(1 << 40)
