import json
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.records.archive import load_archive, save_archive
from diffsign.records.conditioning import Conditioning, load_conditioning, save_conditioning
from diffsign.records.json_record import load_record, save_record
from diffsign.records.keypoints import COUNT, NAMES, Keypoints, load_keypoints, save_keypoints
from diffsign.records.motion import PER_FRAME, Motion, load_motion, save_motion
from diffsign.records.tensors import load_tensors, save_tensors


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
    arrays = load_archive(tmp_path / "new.npz", "diffsign-motion", 3)
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


def motion_arrays(tmp_path) -> dict:
    save_motion(tmp_path / "whole.npz", Motion.rest(3, Camera.facing(64, 48, 80), 24.0, 10, 12))
    return load_archive(tmp_path / "whole.npz", "diffsign-motion", 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transl", np.zeros((2, 3), np.float32)),
        ("transl", np.full((3, 3), np.nan, np.float32)),
        ("body_pose", np.zeros((3, 20, 3), np.float32)),
        ("betas", np.array(["a"] * 10)),
        ("fps", np.array(0.0)),
        ("fps", np.array(np.inf)),
        ("fps", np.array([24.0])),
        ("image_size", np.array([64, 0])),
        ("valid", np.zeros(3, np.float32)),
        ("R", np.zeros((3, 3))),
        ("jaw_pose", None),
        ("extra", np.zeros(1)),
    ],
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_motion_whose_arrays_do_not_fit_names_the_array(tmp_path, name, value, version):
    arrays = motion_arrays(tmp_path) | {name: value}
    save_archive(tmp_path / "m.npz", "diffsign-motion", version, {k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(DiffSignError) as error:
        load_motion(tmp_path / "m.npz")
    assert name in str(error.value) and "m.npz" in str(error.value)


@pytest.mark.parametrize("confidence", [-0.1, 1.5, np.nan])
def test_a_confidence_is_a_share(tmp_path, confidence):
    points = np.zeros((2, COUNT, 3), np.float32)
    points[1, 5, 2] = confidence
    save_keypoints(tmp_path / "k.npz", Keypoints(points, 24.0, 64, 48))
    with pytest.raises(DiffSignError, match=r"k\.npz"):
        load_keypoints(tmp_path / "k.npz")


def test_missing_points_need_no_place_but_found_ones_do(tmp_path):
    points = np.zeros((2, COUNT, 3), np.float32)
    points[0, 3, :2] = np.nan
    save_keypoints(tmp_path / "k.npz", Keypoints(points, 24.0, 64, 48))
    assert len(load_keypoints(tmp_path / "k.npz")) == 2
    points[0, 3, 2] = 1
    save_keypoints(tmp_path / "k.npz", Keypoints(points, 24.0, 64, 48))
    with pytest.raises(DiffSignError, match="non-finite"):
        load_keypoints(tmp_path / "k.npz")


def test_a_stage_cannot_save_a_motion_that_is_none(tmp_path):
    motion = Motion.rest(3, Camera.facing(64, 48, 80), 24.0, 10, 12)
    with pytest.raises(DiffSignError, match="non-finite"):
        save_motion(tmp_path / "m.npz", replace(motion, transl=motion.transl * np.nan))
    assert not (tmp_path / "m.npz").exists()


def test_an_archive_whose_content_was_exchanged_is_damaged(tmp_path):
    save_archive(tmp_path / "a.npz", "apple", 1, {"x": np.zeros(4)})
    with np.load(tmp_path / "a.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "a.npz", **(arrays | {"x": np.ones(4)}))
    with pytest.raises(DiffSignError, match="checksum"):
        load_archive(tmp_path / "a.npz", "apple", 1)
    del arrays["checksum"]
    np.savez(tmp_path / "a.npz", **arrays)
    assert load_archive(tmp_path / "a.npz", "apple", 1)["x"].sum() == 0


def test_json_records_know_when_they_were_changed(tmp_path):
    path = tmp_path / "r.json"
    save_record(path, "fruit", 2, {"name": "pear", "weight": 0.1})
    assert load_record(path, "fruit", 2, "fruit") == ({"name": "pear", "weight": 0.1}, 2)
    text = path.read_text()
    path.write_text(text.replace("0.1", "0.2"))
    with pytest.raises(DiffSignError, match="checksum"):
        load_record(path, "fruit", 2, "fruit")
    older = {key: value for key, value in json.loads(text).items() if key != "checksum"} | {"version": 1}
    path.write_text(json.dumps(older))
    assert load_record(path, "fruit", 2, "fruit")[1] == 1
    for broken in (
        "[" * 100000,
        '{"format": "fruit", "x": NaN}',
        "7",
        '{"format": "fruit", "version": true}',
        "\ufeff",
    ):
        path.write_text(broken)
        with pytest.raises(DiffSignError, match=r"r\.json"):
            load_record(path, "fruit", 2, "fruit")


@pytest.fixture
def conditioning() -> Conditioning:
    rng = torch.Generator().manual_seed(0)
    words, pictures = [torch.rand(1, 4, 8, generator=rng) for _ in range(2)], [torch.rand(1, 1, 5) for _ in range(2)]
    return Conditioning("demo", "ä", "b", True, ("x.png",), *words, None, None, *pictures, regions=("signer",))


def test_conditioning_round_trip_and_same_bytes(tmp_path, conditioning):
    for name in ("a", "b"):
        save_conditioning(tmp_path / name, conditioning)
    read = load_conditioning(tmp_path / "a")
    assert torch.equal(read.prompt_embeds, conditioning.prompt_embeds)
    assert (read.prompt, read.images, read.regions, read.kind) == ("ä", ("x.png",), ("signer",), "multimodal")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_conditioning_of_version_2_has_no_checksum(tmp_path, conditioning):
    save_conditioning(tmp_path / "new", conditioning)
    tensors, metadata = load_tensors(tmp_path / "new", "conditioning")
    save_tensors(
        tmp_path / "old", tensors, {"format": "diffsign-conditioning", "version": "2", "signer": metadata["signer"]}
    )
    assert torch.equal(load_conditioning(tmp_path / "old").image_embeds, conditioning.image_embeds)
    save_tensors(
        tmp_path / "old", tensors, {"format": "diffsign-conditioning", "version": "3", "signer": metadata["signer"]}
    )
    with pytest.raises(DiffSignError, match="checksum"):
        load_conditioning(tmp_path / "old")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt_embeds", None),
        ("image_embeds", None),
        ("extra", torch.zeros(1, 1)),
        ("prompt_embeds", torch.full((1, 4, 8), torch.nan)),
    ],
)
def test_conditioning_that_does_not_fit(tmp_path, conditioning, name, value):
    save_conditioning(tmp_path / "a", conditioning)
    tensors, metadata = load_tensors(tmp_path / "a", "conditioning")
    tensors = {key: tensor for key, tensor in (tensors | {name: value}).items() if tensor is not None}
    save_tensors(tmp_path / "a", tensors, {**{k: metadata[k] for k in ("format", "signer")}, "version": "2"})
    with pytest.raises(DiffSignError, match=name):
        load_conditioning(tmp_path / "a")
