import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.transform import Rotation

from diffsign.avatar.face_paint import FaceMap
from diffsign.avatar.surfaces import Shell, Solid, ball, cut_surface, smoothing, subdivide
from diffsign.config.appearance import Appearance
from diffsign.config.settings import parse
from diffsign.errors import DiffSignError
from diffsign.geometry.meshes import vertex_normals

POINTS, FACES = ball(np.linspace(0, np.pi, 24), 48)


def area(points, faces):
    a, b, c = np.moveaxis(points[faces], 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=-1).sum() / 2


def test_normals_of_a_ball_point_outwards():
    away_from_poles = np.abs(POINTS[:, 2]) < 0.95
    assert np.abs(vertex_normals(POINTS, FACES) - POINTS)[away_from_poles].max() < 0.02


def test_a_cut_runs_along_the_line_and_keeps_the_right_area():
    matrix, faces = cut_surface(FACES, POINTS[:, 2] - 0.31)
    cut = matrix @ POINTS
    assert cut[:, 2].min() == pytest.approx(0.31, abs=1e-6)
    assert area(cut, faces) == pytest.approx(2 * np.pi * (1 - 0.31), rel=0.01)
    assert matrix.sum(axis=1) == pytest.approx(1)
    normals = np.cross(*(np.diff(cut[faces], axis=1).transpose(1, 0, 2)))
    assert ((normals * cut[faces].mean(axis=1)).sum(-1) > -1e-9).all()


def test_a_cut_may_keep_nothing_or_all():
    assert cut_surface(FACES, -np.ones(len(POINTS)))[1].shape == (0, 3)
    assert area(
        cut_surface(FACES, np.ones(len(POINTS)))[0] @ POINTS, cut_surface(FACES, np.ones(len(POINTS)))[1]
    ) == pytest.approx(area(POINTS, FACES))


def test_subdividing_keeps_the_surface():
    matrix, faces = subdivide(FACES, len(POINTS))
    assert len(faces) == 4 * len(FACES)
    assert area(matrix @ POINTS, faces) == pytest.approx(area(POINTS, FACES))


def test_smoothing_keeps_constants_and_lowers_bumps():
    matrix = smoothing(FACES, len(POINTS), 4)
    assert matrix @ np.ones(len(POINTS)) == pytest.approx(1)
    bumps = np.random.default_rng(0).normal(size=len(POINTS))
    assert (matrix @ bumps)[np.unique(FACES)].std() < 0.5 * bumps.std()


def test_a_shell_stands_off_by_its_offset_and_follows():
    shell = Shell(sparse.identity(len(POINTS), format="csr"), FACES, np.full(len(POINTS), 0.1, np.float32))
    grown = shell.positions(np.stack([POINTS, 2 * POINTS + [0, 0, 5]]).astype(np.float32))
    used = np.unique(FACES)[30:-60]
    assert np.linalg.norm(grown[0][used], axis=-1) == pytest.approx(1.1, abs=1e-3)
    assert np.linalg.norm(grown[1][used] - [0, 0, 5], axis=-1) == pytest.approx(2.1, abs=1e-3)


def test_a_solid_moves_rigidly_with_its_patch():
    rng = np.random.default_rng(1)
    rest = rng.normal(size=(20, 3))
    solid = Solid(np.arange(5, 15), rest[5:15], np.array([[1.0, 2, 3], [0, 0, 1]]))
    turn, shift = Rotation.from_rotvec([0.4, -1.0, 2.0]).as_matrix(), np.array([0.3, 0.2, -1])
    moved = solid.positions(np.stack([rest, rest @ turn.T + shift]))
    assert moved[0] == pytest.approx(solid.points, abs=1e-5)
    assert moved[1] == pytest.approx(solid.points @ turn.T + shift, abs=1e-5)


def test_a_flat_patch_never_mirrors():
    rest = np.random.default_rng(2).normal(size=(10, 3)) * [1, 1, 1e-9]
    moved = Solid(np.arange(10), rest, np.array([[0.0, 0, 1]])).positions(rest[None])
    assert moved[0, 0, 2] == pytest.approx(1, abs=1e-4)


def test_the_face_map_lands_on_its_pixels():
    landmarks = np.random.default_rng(3).uniform(-0.05, 0.05, (68, 3))
    face = FaceMap(landmarks)
    uv, pixels = face.uv(landmarks[17:]), face.pixels(landmarks[17:])
    assert (np.abs(uv - 0.5) < 0.5).all()
    assert pixels / 1024 == pytest.approx(np.stack([uv[:, 0], 1 - uv[:, 1]], -1))


@pytest.mark.parametrize(
    ("values", "said"),
    [({"skin": "red"}, "'skin' is 'red'"), ({"hair_style": "mohawk"}, "'hair_style'"), ({"shrit": "#000000"}, "shirt")],
)
def test_a_bad_appearance_is_named(values, said):
    with pytest.raises(DiffSignError, match=said):
        parse(Appearance, values, "config")
