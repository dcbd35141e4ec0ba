"""Which faces and points a camera sees, on cases known on paper."""

import numpy as np
import pytest

from diffsign.geometry.camera import Camera
from diffsign.geometry.visibility import nearest_depth, rasterise


def test_rasteriser_sees_a_square_at_its_depth_and_the_nearer_one_first():
    def square(z, half):
        return np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])

    vertices = np.concatenate([square(-2.0, 0.5), square(-1.0, 0.1)])
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    camera = Camera.facing(64, 64, 64.0)
    raster = rasterise(vertices, faces, camera)
    # the far one covers 32×32 pixels, the near one 12.8 → 12 or 13 of them
    assert (raster.face >= 0).sum() == 32 * 32
    assert raster.depth[32, 32] == pytest.approx(1.0)
    assert raster.depth[20, 20] == pytest.approx(2.0)
    assert (raster.face >= 2).sum() in (144, 169)
    y, x = np.nonzero(raster.face >= 0)
    where = np.einsum("nk,nkc->nc", raster.weights[y, x], vertices[faces[raster.face[y, x]]])
    seen = camera.project(where)
    np.testing.assert_allclose(seen, np.stack([x, y], axis=1) + 0.5, atol=1e-4)
    # turned away, nothing is seen
    assert (rasterise(vertices, faces[:, ::-1], camera).face < 0).all()


def test_the_nearest_point_of_each_cell_wins_and_empty_cells_are_infinitely_far():
    nearest = nearest_depth(np.array([2, 0, 2]), np.array([1.5, 3.0, 0.5]), 4)
    assert nearest.tolist() == [3.0, np.inf, 0.5, np.inf]
