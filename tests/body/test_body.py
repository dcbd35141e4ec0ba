"""Reading body files: ours, one laid out like the official one, and what is neither."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from diffsign.body.archive import NEEDED
from diffsign.body.check import motion_of
from diffsign.body.keypoints import contour_row, openpose_sources
from diffsign.body.model import load_body
from diffsign.errors import DiffSignError
from diffsign.records.keypoints import NAMES


class Bomb:
    """Unpickling this fails the test."""

    def __reduce__(self):
        return (pytest.fail, ("a pickled object was loaded",))


def official(vertices: int = 10475) -> dict[str, np.ndarray]:
    """Arrays with names, shapes and dtypes of the official SMPLX_NEUTRAL.npz."""
    rng = np.random.default_rng(0)
    weights = rng.random((vertices, 55)) ** 8
    parents = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15]
    parents += [20 if i % 3 == 0 else 24 + i for i in range(15)] + [21 if i % 3 == 0 else 39 + i for i in range(15)]
    regressor = rng.random((55, vertices))
    objects = np.array([{"head": Bomb()}], dtype=object)
    return {
        "v_template": rng.normal(size=(vertices, 3)),
        "f": rng.integers(0, vertices, (20908, 3)).astype(np.uint32),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True),
        "kintree_table": np.array([parents, range(55)], dtype=np.int64),
        "shapedirs": rng.normal(size=(vertices, 3, 400)).astype(np.float32),
        "posedirs": rng.normal(size=(vertices, 3, 486)).astype(np.float32) * 1e-3,
        **{f"hands_mean{side}": rng.normal(size=45) for side in "lr"},
        **{f"hands_components{side}": rng.normal(size=(45, 45)) for side in "lr"},
        "lmk_faces_idx": rng.integers(0, 20908, 51),
        "lmk_bary_coords": np.full((51, 3), 1 / 3),
        "dynamic_lmk_faces_idx": rng.integers(0, 20908, (79, 17)),
        "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3),
        "joint2num": objects,
        "part2num": objects,
        "vt": rng.random((100, 2)),
        "ft": np.zeros((20908, 3), np.uint32),
    }


@pytest.fixture(scope="module")
def official_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "SMPLX_NEUTRAL.npz"
    np.savez(path, **official())
    return path


def test_official_layout_works_in_its_place(official_path):
    body = load_body(official_path)
    assert (body.n_betas, body.n_expression) == (10, 10)
    motion = motion_of(body, np.zeros((2, 55, 3)))
    assert body.vertices(motion).shape == (2, 10475, 3)
    assert body.keypoints(motion).shape == (2, len(NAMES), 3)
    assert body.face_regions.shape == (20908,)
    assert len(body.parts["left_hand"]) > 0
    assert body.expression_names == ()


def test_official_posing_agrees_with_smplx(official_path):
    import torch

    body = load_body(official_path)
    rng = np.random.default_rng(1)
    motion = motion_of(body, rng.normal(0, 0.3, (2, 55, 3)))
    pose = {
        name: torch.from_numpy(getattr(motion, name).reshape(2, -1))
        for name in "global_orient body_pose jaw_pose leye_pose reye_pose left_hand_pose right_hand_pose".split()
    }
    zeros = torch.zeros(2, 10)
    with torch.no_grad():
        found = body.model(betas=zeros, expression=zeros, transl=torch.zeros(2, 3), **pose)
    assert np.abs(found.vertices.numpy() - body.vertices(motion)).max() < 1e-4


@pytest.mark.parametrize(("vertices", "joints", "name"), [(6890, 24, "SMPL "), (6890, 52, "SMPL-H"), (778, 16, "MANO")])
def test_relatives_are_named(tmp_path, vertices, joints, name):
    path = tmp_path / "model.npz"
    np.savez(path, v_template=np.zeros((vertices, 3)), weights=np.zeros((vertices, joints)), f=np.zeros((4, 3)))
    with pytest.raises(DiffSignError, match=f"is a {name}"):
        load_body(path)


def test_missing_arrays_are_named(tmp_path):
    path = tmp_path / "model.npz"
    arrays = {name: np.zeros((2,) * size) for name, size in NEEDED.items() if name not in ("posedirs", "hands_meanl")}
    np.savez(path, **arrays)
    with pytest.raises(DiffSignError, match="lacks posedirs, hands_meanl"):
        load_body(path)


def test_a_pickle_is_refused_unopened(tmp_path):
    path = tmp_path / "SMPLX_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DiffSignError, match="is a Python pickle"):
        load_body(path)


def test_objects_among_the_needed_arrays_are_refused(tmp_path):
    arrays = official(200)
    arrays["f"] = arrays["joint2num"]
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **arrays)
    with pytest.raises(DiffSignError, match="cannot be read as an SMPL-X"):
        load_body(path)


@pytest.mark.parametrize("content", [b"solid cube", b""])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "body.npz"
    path.write_bytes(content)
    with pytest.raises(DiffSignError, match=r"no \.npz archive|is empty"):
        load_body(path)


def test_a_broken_archive_is_refused(tmp_path, official_path):
    path = tmp_path / "body.npz"
    data = bytearray(official_path.read_bytes())
    data[2000:3000] = bytes(1000)
    path.write_bytes(data)
    with pytest.raises(DiffSignError, match="cannot be read as an SMPL-X"):
        load_body(path)


def test_old_files_with_few_directions_are_explained(tmp_path):
    arrays = official(200)
    arrays["shapedirs"] = arrays["shapedirs"][..., :20]
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **arrays)
    with pytest.raises(DiffSignError, match="20 columns"):
        load_body(path)


def test_wrong_shapes_are_named(tmp_path):
    arrays = official(200)
    arrays["weights"] = arrays["weights"][:, :54]
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **arrays)
    with pytest.raises(DiffSignError, match=r"'weights' .* \(200, 54\)"):
        load_body(path)


def test_coefficients_are_cut_only_when_nothing_is_lost(body):
    motion = motion_of(body, np.zeros((2, 55, 3)))
    wide = replace(motion, betas=np.zeros(300, np.float32), expression=np.zeros((2, 100), np.float32))
    assert np.array_equal(body.vertices(wide), body.vertices(motion))
    wide.betas[250] = 1.0
    with pytest.raises(DiffSignError, match="251 shape coefficients, but this body has only 20"):
        body.vertices(wide)
    narrow = replace(motion, betas=np.ones(2, np.float32), expression=np.zeros((2, 0), np.float32))
    full = replace(motion, betas=np.r_[1, 1, np.zeros(18)].astype(np.float32))
    assert np.array_equal(body.vertices(narrow), body.vertices(full))


def test_chunks_and_subsets_change_nothing(body):
    rng = np.random.default_rng(2)
    motion = motion_of(body, rng.normal(0, 0.2, (70, 55, 3)))
    some = rng.integers(0, len(body.model.v_template), 50)
    whole = body.vertices(motion)
    assert np.allclose(whole[:, some], body.vertices(motion, some), atol=1e-6)
    last = motion_of(body, motion.full_pose[69:])
    assert np.allclose(whole[69:], body.vertices(last), atol=1e-6)


def test_keypoints_are_the_landmark_definition(body):
    motion = motion_of(body, np.random.default_rng(4).normal(0, 0.1, (2, 55, 3)))
    definition = body.landmarks
    vertices = body.vertices(motion)[:, definition.used]
    points = definition.joint_weights @ body.joints(motion) + definition.vertex_weights @ vertices
    found = body.keypoints(motion)
    assert np.allclose(found[:, :67], points[:, :67], atol=1e-5)
    assert np.allclose(found[:, 84:], points[:, 84:], atol=1e-5)
    total = definition.joint_weights.sum(axis=1) + definition.vertex_weights.sum(axis=1)
    assert np.allclose(total, 1.0, atol=1e-5)


def test_every_point_outside_the_face_has_one_source():
    sources = openpose_sources()
    assert len(sources) == len(NAMES) - 68
    assert sources[NAMES.index("neck")] == ("joint", "left_shoulder right_shoulder")
    assert sources[NAMES.index("left_hand_index4")] == ("vertex", "lindex")
    assert sources[NAMES.index("right_hand_wrist")] == ("joint", "right_wrist")


def test_contour_rows_follow_smplx():
    degrees = np.array([0, -1, -39, -60, 1, 39, 80])
    assert contour_row(np.radians(degrees)).tolist() == [0, 1, 39, 39, 40, 78, 78]


def test_contour_rows_agree_with_smplx_for_a_turned_head(body):
    import torch
    from smplx.lbs import find_dynamic_lmk_idx_and_bcoords

    for angle in (-0.5, -0.1, 0.0, 0.2, 0.6):
        poses = np.zeros((1, 55, 3))
        poses[0, 12, 1] = angle
        motion = motion_of(body, poses)
        faces, _ = find_dynamic_lmk_idx_and_bcoords(
            torch.zeros(1, 1, 3),
            torch.from_numpy(motion.full_pose.reshape(1, -1)),
            body.model.dynamic_lmk_faces_idx,
            body.model.dynamic_lmk_bary_coords,
            body.model.neck_kin_chain,
        )
        row = contour_row(body.head_turn(motion))
        assert np.array_equal(faces.numpy(), body.model.dynamic_lmk_faces_idx.numpy()[row])
