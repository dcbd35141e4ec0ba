from dataclasses import fields

import numpy as np
import pytest

from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.records.archive import load_archive, save_archive
from diffsign.records.keypoints import COUNT, NAMES, Keypoints, load_keypoints, save_keypoints
from diffsign.records.motion import PER_FRAME, Motion, load_motion, save_motion


def test_there_are_137_distinct_names():
    assert len(NAMES) == COUNT == len(set(NAMES))


def test_keypoints_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    written = Keypoints(
        points=rng.random((4, COUNT, 3), dtype=np.float32),
        fps=30000 / 1001,
        width=640,
        height=480,
        world=rng.random((4, COUNT, 4), dtype=np.float32),
        detector="test",
    )
    save_keypoints(tmp_path / "k.npz", written)
    read = load_keypoints(tmp_path / "k.npz")
    assert np.array_equal(read.points, written.points)
    assert np.array_equal(read.world, written.world)
    assert (read.fps, read.width, read.height, read.detector) == (written.fps, 640, 480, "test")


def test_motion_round_trip_and_pose_order(tmp_path):
    motion = Motion.rest(3, Camera.facing(640, 480, 900), 24.0, betas=10, expressions=10, body="abc")
    pose = np.random.default_rng(0).random((3, 55, 3)).astype(np.float32)
    motion = motion.with_pose(pose)
    assert np.array_equal(motion.full_pose, pose)
    assert np.array_equal(motion.jaw_pose[:, 0], pose[:, 22])
    save_motion(tmp_path / "m.npz", motion)
    read = load_motion(tmp_path / "m.npz")
    assert np.array_equal(read.full_pose, pose)
    assert np.array_equal(read.camera.K, motion.camera.K)
    assert (read.fps, read.body, len(read)) == (24.0, "abc", 3)


def test_motions_of_version_1_are_one_shot_in_which_all_was_seen(tmp_path):
    motion = Motion.rest(3, Camera.facing(640, 480, 800), 24.0, 10, 12)
    save_motion(tmp_path / "new.npz", motion)
    arrays = load_archive(tmp_path / "new.npz", "diffsign-motion", 2)
    old = {name: value for name, value in arrays.items() if name not in ("seen", "starts")}
    save_archive(tmp_path / "old.npz", "diffsign-motion", 1, old)
    read = load_motion(tmp_path / "old.npz")
    assert read.seen.shape == (3, 4) and read.seen.all() and read.starts.tolist() == [True, False, False]


def test_rows_of_a_motion_take_every_field_along():
    motion = Motion.rest(5, Camera.facing(640, 480, 800), 24.0, 10, 12)
    part = motion.rows(slice(1, 4))
    assert {len(getattr(part, name)) for name in PER_FRAME} == {3}
    assert set(PER_FRAME) | {"betas", "camera", "fps", "body"} == {field.name for field in fields(Motion)}


def test_archives_of_another_kind_version_or_content_are_named(tmp_path):
    path = tmp_path / "a.npz"
    save_archive(path, "apple", 2, {"x": np.zeros(1)})
    with pytest.raises(DiffSignError, match="holds 'apple', but a 'pear'"):
        load_archive(path, "pear", 1)
    with pytest.raises(DiffSignError, match="newer than 1"):
        load_archive(path, "apple", 1)
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DiffSignError, match="cannot be read"):
        load_archive(path, "apple", 1)
    path.write_text("text")
    with pytest.raises(DiffSignError, match="cannot be read"):
        load_archive(path, "apple", 1)
    with pytest.raises(DiffSignError, match="does not exist"):
        load_archive(tmp_path / "none.npz", "apple", 1)


def test_camera_sees_up_as_up_and_left_hand_on_the_right():
    camera = Camera.facing(640, 480, 800)
    centre, up, left = camera.project(np.array([[0, 0, -2.0], [0, 0.1, -2], [0.1, 0, -2]]))
    assert np.allclose(centre, [320, 240])
    assert np.allclose(up, [320, 200])
    assert np.allclose(left, [360, 240])
    assert np.isnan(camera.project(np.array([0, 0, 1.0]))).all()


def test_resized_camera_scales_pixels():
    camera = Camera.facing(640, 480, 800)
    point = np.array([0.2, -0.1, -3.0])
    assert np.allclose(camera.resized(320, 120).project(point), camera.project(point) * [0.5, 0.25])
