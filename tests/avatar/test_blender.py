import ast
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffsign.avatar import blender
from diffsign.avatar.blender import render_clips, render_frames, render_scene, run_job, script_path
from diffsign.avatar.scene import Material, Mesh, Scene
from diffsign.avatar.stillness import Farthest
from diffsign.avatar.surfaces import ball
from diffsign.config.colour import GREEN
from diffsign.config.render import RenderSettings
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import LOOK_ALONG_MINUS_Z, Camera
from diffsign.records.clip import read_clip
from diffsign.records.depth import decode_depth

GREY = Material("grey", "#808080")
CENTRE, RADIUS = np.array([0.1, -0.05, -2.0]), 0.5


def sphere(centre=CENTRE, radius=RADIUS):
    points, faces = ball(np.linspace(0, np.pi, 96), 192)
    return Mesh("sphere", faces, (GREY,), np.zeros(len(faces), int)), (points * radius + centre).astype(np.float32)


@pytest.fixture(scope="module")
def rendered():
    mesh, points = sphere()
    camera = Camera.facing(96, 80, 120.0)
    moved = np.stack([points, points + np.float32([0.2, 0, 0])])
    return camera, render_scene(Scene.of([mesh], [moved], camera, 24.0), threads=1)


def hits(camera, centre):
    """Distance along z, normal in picture axes and hit or miss of each pixel's central ray, on paper."""
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(camera.K).T
    middle = camera.to_camera(centre)
    a, b, c = (rays**2).sum(-1), rays @ middle, middle @ middle - RADIUS**2
    root = b**2 - a * c
    z = (b - np.sqrt(np.maximum(root, 0))) / a
    normal = (rays * z[..., None] - middle) / RADIUS * [1, -1, -1]
    return z, normal, root > 0


@pytest.mark.parametrize("frame", [0, 1])
def test_depth_and_normal_are_those_of_a_sphere(rendered, frame):
    camera, passes = rendered
    z, normal, hit = hits(camera, CENTRE + 0.2 * frame * np.eye(3)[0])
    inner = hit & (normal[..., 2] > 0.4) & (passes["mask"][frame, ..., 0] == 255)
    assert inner.sum() > 800
    depth = decode_depth(passes["depth"][frame])
    assert np.abs(depth - z)[inner].max() < 0.002
    seen = passes["normal"][frame] / 127.5 - 1
    assert np.abs(seen - normal)[inner].max() < 0.07


def test_the_passes_are_aligned(rendered):
    _, passes = rendered
    mask = passes["mask"][..., 0]
    assert set(np.unique(mask)) >= {0, 255}
    assert (mask[passes["depth"] > 0] > 100).all()
    assert (passes["depth"][mask == 0] == 0).all() and (passes["depth"][mask == 255] > 0).all()
    assert ((passes["normal"] > 0).any(-1) == (mask >= 128)).mean() > 0.995
    green = np.array([int(GREEN[i : i + 2], 16) for i in (1, 3, 5)])
    assert (passes["color"][mask == 0] == green).all()
    assert (np.ptp(passes["color"][mask == 255].astype(int), axis=-1) < 12).all()


def test_the_mask_covers_what_a_square_covers():
    corners = np.array([[-0.4, -0.3, -2], [0.4, -0.3, -2], [0.4, 0.3, -2], [-0.4, 0.3, -2]], np.float32)
    mesh = Mesh("square", np.array([[0, 1, 2], [0, 2, 3]]), (GREY,), np.zeros(2, int))
    scene = Scene.of([mesh], [corners[None]], Camera.facing(64, 64, 100.0), 24.0, background=None)
    passes = render_scene(scene, ("color", "mask"))
    mask = passes["mask"][0, ..., 0]
    assert (mask[18:46, 13:51] == 255).all()
    outside = np.ones_like(mask, bool)
    outside[16:48, 11:53] = False
    assert (mask[outside] == 0).all()
    assert mask.sum() / 255 == pytest.approx(40 * 30, rel=0.03)
    assert (passes["color"][0, ..., 3] == mask).all()


CAMERAS = {
    "plain": Camera.facing(96, 96, 130.0),
    "off-centre, wide": Camera(
        np.array([[150.0, 0, 30.0], [0, 150.0, 50.5], [0, 0, 1]]), LOOK_ALONG_MINUS_Z, np.array([0.1, 0, 0.2]), 128, 72
    ),
    "rolled, tall, stretched": Camera(
        np.array([[140.0, 0, 40.0], [0, 110.0, 50.0], [0, 0, 1]]),
        Rotation.from_euler("zxy", [0.3, 0.1, -0.15]).as_matrix() @ LOOK_ALONG_MINUS_Z,
        np.array([-0.1, 0.05, 0.3]),
        80,
        120,
    ),
}


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_markers_appear_where_the_camera_projects_them(camera):
    pixels = np.array([[0.2, 0.2], [0.8, 0.25], [0.5, 0.5], [0.25, 0.8], [0.75, 0.75]]) * [camera.width, camera.height]
    depths = np.array([1.5, 2.0, 2.5, 1.8, 2.2])
    rays = np.concatenate([pixels, np.ones((5, 1))], 1) @ np.linalg.inv(camera.K).T
    points = (rays * depths[:, None] - camera.t) @ camera.R
    assert camera.project(points) == pytest.approx(pixels)
    ball_points, faces = ball(np.linspace(0, np.pi, 9), 16)
    colours = ["#ff0000", "#00ff00", "#0000ff", "#ffff00", "#ff00ff"]
    meshes = [
        Mesh(f"m{i}", faces, (Material(colour, colour),), np.zeros(len(faces), int)) for i, colour in enumerate(colours)
    ]
    vertices = [(ball_points * 0.03 * depth / 2 + point)[None] for point, depth in zip(points, depths, strict=True)]
    mask = render_scene(Scene.of(meshes, vertices, camera, 24.0), ("mask",), threads=1)["mask"][0, ..., 0].astype(float)
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    for pixel in pixels:
        near = mask * (np.hypot(x - pixel[0], y - pixel[1]) < 8)
        assert near.sum() > 255
        found = np.array([(near * x).sum(), (near * y).sum()]) / near.sum()
        assert np.abs(found - pixel).max() < 0.5


def test_the_same_scene_gives_the_same_pictures(rendered):
    camera, passes = rendered
    mesh, points = sphere()
    again = render_scene(Scene.of([mesh], [points[None]], camera, 24.0), ("color", "depth"))
    assert (again["color"][0] == passes["color"][0]).all() and (again["depth"][0] == passes["depth"][0]).all()


def test_clips_and_a_blend_file_are_written(tmp_path):
    mesh, points = sphere()
    scene = Scene.of([mesh], [np.stack([points, points])], Camera.facing(64, 48, 80.0), 12.5, background=None)
    paths = render_clips(scene, tmp_path / "a b", ("color", "depth"), blend=tmp_path / "it's.blend")
    colour, info = read_clip(paths["color"])
    depth, _ = read_clip(paths["depth"], depth=True)
    assert colour.shape == (2, 48, 64, 3) and depth.shape == (2, 48, 64) and info.fps == 12.5
    assert (colour[:, 24, 35] > 20).all() and depth[0, 24, 35] == pytest.approx(1500, abs=30)
    assert (tmp_path / "a b" / "color.mp4").stat().st_size > 500
    assert (tmp_path / "it's.blend").stat().st_size > 5000
    assert [p.name for p in (tmp_path / "it's-cache").iterdir()] == ["0.pc2"]


@pytest.mark.parametrize("script", ["render_scene.py", "export_rig.py"])
def test_the_scripts_import_only_what_blender_ships(script):
    tree = ast.parse(script_path(script).read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add((node.module or "").split(".")[0])
    assert names and names <= {"bpy", "mathutils", "numpy", "render_scene"} | set(sys.stdlib_module_names)


def test_a_missing_blender_is_named(tmp_path):
    mesh, points = sphere()
    scene = Scene.of([mesh], [points[None]], Camera.facing(32, 32, 40.0), 24.0)
    with pytest.raises(DiffSignError, match="'/no/such/blender' does not exist"):
        render_scene(scene, ("mask",), RenderSettings(blender="/no/such/blender"))


def test_a_blender_that_crashes_is_one_sentence(tmp_path):
    fake = tmp_path / "blender"
    fake.write_text("#!/bin/sh\necho starting\necho 'GPU not found' >&2\nexit 7\n")
    fake.chmod(0o755)
    mesh, points = sphere()
    scene = Scene.of([mesh], [points[None]], Camera.facing(32, 32, 40.0), 24.0)
    with pytest.raises(DiffSignError, match=r"stopped with status 7 after frame 0: GPU not found"):
        render_clips(scene, tmp_path / "out", ("mask",), RenderSettings(blender=str(fake)))
    assert not list((tmp_path / "out").iterdir())


def test_a_broken_job_is_explained_by_the_script(tmp_path):
    (tmp_path / "job.json").write_text("{}")
    with pytest.raises(DiffSignError, match="KeyError"):
        list(run_job(RenderSettings(), tmp_path, 1, 1, 1))


@pytest.mark.parametrize(
    ("moved", "passes", "noticed"),
    [
        ((0.2, 0, 0), ("color", "mask"), True),
        ((0.2, 0, 0), ("mask",), True),
        ((0, 0, 0), ("color", "mask"), False),
        ((0, 0, 1), ("color",), False),  # out of sight both times
    ],
)
def test_one_picture_again_and_again_is_noticed_where_the_scene_moves(tmp_path, monkeypatch, moved, passes, noticed):
    mesh, points = sphere()
    points = points + np.float32([0, 0, 9 if moved[2] else 0])
    scene = Scene.of(
        [mesh], [np.stack([points, points, points + np.float32(moved)])], Camera.facing(48, 40, 60.0), 24.0
    )

    def drawn(*_):
        for number in range(3):
            (tmp_path / str(number)).touch()
            yield "beauty", number, tmp_path / str(number)

    monkeypatch.setattr(blender, "run_job", drawn)
    picture = np.zeros((40, 48, 3), np.uint8)
    monkeypatch.setattr(blender.PassReader, "read", lambda *_: dict.fromkeys(passes, picture))
    monkeypatch.setattr(blender, "write_job", lambda *_: 2)
    if noticed:
        with pytest.raises(DiffSignError, match="same picture for frame 0 and frame 2"):
            list(render_frames(scene, passes))
    else:
        assert len(list(render_frames(scene, passes))) == 3 * len(passes)


def test_the_farthest_frame_is_found_across_pieces():
    farthest = Farthest()
    moves = np.float32([0, 0.1, 0.5, 0.4, -0.7, 0.2])[:, None, None] * np.ones((6, 40, 3), np.float32)
    for piece in np.split(moves, 3):
        farthest.add([piece])
    assert farthest.frame == 4


def test_scenes_that_cannot_be_rendered_are_refused():
    mesh, points = sphere()
    camera = Camera.facing(32, 32, 40.0)
    with pytest.raises(DiffSignError, match="behind the camera"):
        render_scene(Scene.of([mesh], [points[None] + np.float32([0, 0, 9])], camera, 24.0))
    broken = np.stack([points, points])
    broken[1, 3] = np.nan
    with pytest.raises(DiffSignError, match="frame 1 of mesh 'sphere'"):
        render_scene(Scene.of([mesh], [broken], camera, 24.0))
    with pytest.raises(DiffSignError, match="got colour"):
        list(render_frames(Scene.of([mesh], [points[None]], camera, 24.0), ("colour",)))
    skewed = Camera(camera.K + np.eye(3, k=1) * 0.5, camera.R, camera.t, 32, 32)
    with pytest.raises(DiffSignError, match="skew"):
        render_scene(Scene.of([mesh], [points[None]], skewed, 24.0))
    with pytest.raises(DiffSignError, match="#rrggbb"):
        Material("m", "red")
    with pytest.raises(DiffSignError, match="32x32"):
        Scene.of([mesh], [points[None]], camera, 24.0, background=np.zeros((8, 8, 3), np.uint8))
