"""Truth from elsewhere: vertices or named joints with a camera, and what is said when something is missing."""

import numpy as np
import pytest
from truth import load_truth

from diffsign.errors import DiffSignError

CAMERA = {"K": np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]]), "R": np.diag([1.0, -1, -1]), "t": np.zeros(3)}


def person(frames, count, x=0.0, z=-2.0):
    """Return points of something as large as a person, before the camera unless told otherwise."""
    return np.random.default_rng(0).uniform(-0.4, 0.4, (frames, count, 3)) + np.array([x, 0, z])


def write(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_vertices_with_a_camera(tmp_path):
    vertices = person(3, 7)
    truth = load_truth(write(tmp_path / "t.npz", vertices=vertices, **CAMERA))
    assert np.allclose(truth.vertices, vertices)
    assert np.isnan(truth.joints).all() and len(truth) == 3
    assert (truth.camera.width, truth.camera.height) == (320, 240)
    assert truth.fps is None


def test_joints_by_name(tmp_path):
    joints = person(2, 2)
    names = np.array(["right_wrist", "pelvis"])
    truth = load_truth(
        write(tmp_path / "t.npz", joints=joints, joint_names=names, fps=25.0, image_size=[64, 48], **CAMERA)
    )
    assert np.allclose(truth.joints[:, 21], joints[:, 0])
    assert np.allclose(truth.joints[:, 0], joints[:, 1])
    assert np.isnan(truth.joints[:, 5]).all()
    assert truth.vertices is None and truth.fps == 25.0 and truth.camera.width == 64


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"vertices": np.zeros((2, 5, 3))}, "'K'"),
        (CAMERA, "neither 'vertices' nor 'joints'"),
        (CAMERA | {"R": np.eye(4), "vertices": np.zeros((2, 5, 3))}, "'R' must have the shape"),
        (CAMERA | {"vertices": np.zeros((5, 3))}, "'vertices' must have the shape"),
        (CAMERA | {"joints": np.zeros((2, 3, 3)), "joint_names": np.array(["pelvis"])}, "'joints' must have the shape"),
        (CAMERA | {"joints": np.zeros((2, 1, 3)), "joint_names": np.array(["left_rist"])}, "did you mean 'left_wrist'"),
        (CAMERA | {"vertices": person(3, 5), "joints": person(2, 1), "joint_names": ["head"]}, "3 fr"),
        (CAMERA | {"vertices": 1000 * person(3, 5)}, "m large; 'vertices' and 'joints' must be in metres"),
        (CAMERA | {"vertices": person(3, 5, z=2)}, "behind the camera"),
        (CAMERA | {"vertices": person(3, 5, x=9)}, "no point of the person falls into the picture"),
        (CAMERA | {"vertices": np.full((3, 5, 3), np.nan)}, "no frame with a point that is a number"),
        (CAMERA | {"vertices": np.zeros((0, 5, 3))}, "no frame with a point that is a number"),
        (CAMERA | {"vertices": np.array([["a"]])}, "'vertices' must hold numbers"),
        (CAMERA | {"vertices": person(3, 5), "R": 2 * np.eye(3)}, "'R' must be a rotation"),
        (CAMERA | {"vertices": person(3, 5), "R": np.diag([1.0, 1, -1])}, "'R' must be a rotation"),
        (CAMERA | {"vertices": person(3, 5), "K": np.eye(3) - 1}, "positive focal lengths"),
        (CAMERA | {"vertices": person(3, 5), "image_size": 512}, "width and height"),
        (CAMERA | {"vertices": person(3, 5), "fps": 0}, "'fps' must be above 0"),
        (CAMERA | {"format": np.array("diffsign-motion"), "version": np.array(1)}, "diffsign-motion"),
    ],
)  # fmt: skip
def test_a_truth_that_cannot_be_used_is_explained(tmp_path, arrays, words):
    with pytest.raises(DiffSignError, match=words.replace("(", r"\(")):
        load_truth(write(tmp_path / "t.npz", **arrays))


def test_no_such_file(tmp_path):
    with pytest.raises(DiffSignError, match="does not exist"):
        load_truth(tmp_path / "none.npz")
