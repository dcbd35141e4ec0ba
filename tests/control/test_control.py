import numpy as np
import pytest
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.config.control import DepthControlSettings, PoseControlSettings
from diffsign.control.depth import clip_range, estimate_inverse_depth, pictures_of_depth, pictures_of_estimate
from diffsign.control.occlusion import Occluders
from diffsign.control.pose import skeletons_of_keypoints, skeletons_of_motion
from diffsign.control.pose_picture import pose_picture
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.models.control_pictures import canny_picture
from diffsign.records.clip import read_clip, write_clip
from diffsign.records.keypoints import BODY_NAMES, COUNT, FACE, LEFT_HAND, RIGHT_HAND, Keypoints, save_keypoints
from diffsign.records.motion import Motion

CAMERA = Camera.facing(128, 128, 128)


GRID = 16  # a body's mesh has small triangles too


def plate(x, y, z, width=0.3):
    """A square facing the camera: (GRID + 1)² vertices, 2 GRID² triangles."""
    steps = np.linspace(-width / 2, width / 2, GRID + 1)
    vertices = np.array([(x + u, y + v, z) for v in steps for u in steps])
    corner = np.array([row * (GRID + 1) + column for row in range(GRID) for column in range(GRID)])
    lower = np.stack([corner, corner + 1, corner + GRID + 1], axis=1)
    return vertices, np.concatenate([lower, lower[:, [2, 1, 2]] + (0, 0, 1)])


class Puppet:
    """A trunk, a head and two hands made of plates, in the shape of a Body."""

    def __init__(self, **places):
        self.places = {
            "rest": (0, -0.3, -2.0),
            "head": (0, 0.3, -2.0),
            "left_hand": (0.5, 0, -1.8),
            "right_hand": (-0.5, 0, -1.8),
        } | places
        vertices, faces, self.parts = [], [], {}
        for name, place in self.places.items():
            v, f = plate(*place, width=0.6 if name == "rest" else 0.3)
            self.parts[name] = np.arange(len(v)) + len(v) * len(vertices)
            faces.append(f + len(v) * len(vertices))
            vertices.append(v)
        self.faces = np.concatenate(faces)
        self._vertices = np.concatenate(vertices)

    def vertices(self, motion):
        return np.tile(self._vertices, (len(motion), 1, 1))

    def keypoints(self, motion):
        points = np.tile(np.array(self.places["rest"], float), (COUNT, 1))
        spread = np.linspace(-0.1, 0.1, 21)[:, None]
        for part, name in ((LEFT_HAND, "left_hand"), (RIGHT_HAND, "right_hand")):
            points[part] = np.array(self.places[name]) + spread * (0.5, 1, 0)
        points[FACE] = np.array(self.places["head"]) + np.linspace(-0.1, 0.1, 70)[:, None] * (1, 0.5, 0)
        for name in ("nose", "left_eye", "right_eye"):
            points[BODY_NAMES.index(name)] = np.add(self.places["head"], (0, 0, 0.02))
        for name, x in (("left_ear", 0.1), ("right_ear", -0.1)):
            points[BODY_NAMES.index(name)] = np.add(self.places["head"], (x, 0, -0.03))
        return np.tile(points, (len(motion), 1, 1))


def view_of(puppet):
    motion = Motion.rest(1, CAMERA, 24, 1, 1)
    occluders = Occluders(puppet.faces, puppet.parts, len(puppet._vertices))
    return occluders.visibility(puppet.vertices(motion)[0], puppet.keypoints(motion)[0], CAMERA)


def test_what_nothing_hides_is_seen():
    assert view_of(Puppet()).visible.all()


def test_a_hand_behind_the_trunk_is_hidden_and_one_before_it_is_not():
    behind = view_of(Puppet(left_hand=(0, -0.3, -2.2)))
    assert not behind.visible[LEFT_HAND].any() and behind.visible[RIGHT_HAND].all()
    assert behind.left_hand_first
    before = view_of(Puppet(left_hand=(0, -0.3, -1.7)))
    assert before.visible.all() and not before.left_hand_first


def test_a_hand_hides_the_other_hand_only_where_it_lies():
    # The left hand is 0.2 m behind the right one, which covers its lower half.
    view = view_of(Puppet(left_hand=(0.4, 0.1, -1.9), right_hand=(0.36, -0.11, -1.7)))
    hidden = ~view.visible[LEFT_HAND]
    assert 0 < hidden.sum() < 13 and hidden[0] and not hidden[-1]
    assert view.visible[RIGHT_HAND].all()


def test_a_hand_of_which_little_is_seen_is_left_out():
    view = view_of(Puppet(left_hand=(0.4, 0.0, -1.9), right_hand=(0.36, -0.07, -1.7)))
    assert not view.visible[LEFT_HAND].any()


def test_a_hand_before_the_face_hides_its_points_but_not_the_head():
    view = view_of(Puppet(left_hand=(0, 0.27, -1.8)))
    assert not view.visible[FACE].any()
    assert view.visible[[BODY_NAMES.index(n) for n in ("nose", "left_eye", "right_ear")]].all()


def test_a_motion_is_drawn_through_its_camera():
    motion = Motion.rest(2, CAMERA, 24, 1, 1)
    puppet = Puppet()
    pictures = list(skeletons_of_motion(motion, puppet, PoseControlSettings()))
    assert len(pictures) == 2 and pictures[0].shape == (128, 128, 3)
    points = np.concatenate([CAMERA.project(puppet.keypoints(motion)[0]), np.ones((COUNT, 1))], axis=1)
    assert np.array_equal(pictures[0], pose_picture(points, 128, 128, PoseControlSettings()))
    hidden = Puppet(left_hand=(0, -0.3, -2.2))
    with_it = next(skeletons_of_motion(motion, hidden, PoseControlSettings(occlusion=False)))
    without = next(skeletons_of_motion(motion, hidden, PoseControlSettings()))
    assert (with_it != without).any()


def test_parts_can_be_switched_off():
    motion, puppet = Motion.rest(1, CAMERA, 24, 1, 1), Puppet()
    everything = next(skeletons_of_motion(motion, puppet, PoseControlSettings()))
    for off in ("draw_body", "draw_hands", "draw_face"):
        assert (next(skeletons_of_motion(motion, puppet, PoseControlSettings(**{off: False}))) != everything).any()


def test_points_behind_the_camera_are_left_out():
    behind = dict.fromkeys(("rest", "head", "left_hand", "right_hand"), (0.0, 0.0, 1.0))
    motion = Motion.rest(1, CAMERA, 24, 1, 1)
    assert not next(skeletons_of_motion(motion, Puppet(**behind), PoseControlSettings())).any()


def test_detected_points_of_low_confidence_are_left_out():
    points = np.zeros((1, COUNT, 3), np.float32)
    points[0, LEFT_HAND] = (30, 30, 0.2)
    keypoints = Keypoints(points, 24.0, 64, 64)
    assert next(skeletons_of_keypoints(keypoints, PoseControlSettings(min_confidence=0.1))).any()
    assert not next(skeletons_of_keypoints(keypoints, PoseControlSettings(min_confidence=0.3))).any()


def test_depth_has_one_range_for_the_clip():
    near_then_far = [np.full((4, 4), 1.0), np.full((4, 4), 2.0), np.full((4, 4), np.inf)]
    first, second, nothing = pictures_of_depth(lambda: near_then_far, DepthControlSettings(floor=0.4))
    assert (first == 255).all() and (second == 102).all() and not nothing.any()
    assert clip_range(near_then_far, DepthControlSettings(near=0.5, far=3)) == (0.5, 3)


def test_the_tone_of_the_training_leaves_the_background_far_behind():
    near_then_far = [np.full((4, 4), 1.0), np.full((4, 4), 2.0), np.full((4, 4), np.inf)]
    greys = pictures_of_depth(lambda: near_then_far, DepthControlSettings(tone="training"))
    assert [int(picture.max()) for picture in greys] == [255, 185, 0]
    assert DepthControlSettings(tone="training", floor=0.5).darkest == 0.5 and DepthControlSettings().darkest == 0.2


def test_depth_without_a_body_or_range_is_said():
    with pytest.raises(DiffSignError, match="only background"):
        clip_range([np.full((2, 2), np.inf)], DepthControlSettings())
    with pytest.raises(DiffSignError, match=r"near \(5 m\) lies behind far"):
        clip_range([np.full((2, 2), 1.0)], DepthControlSettings(near=5))


def test_estimates_are_stretched_over_the_clip():
    first, second = pictures_of_estimate([np.array([[0.0, 5.0]]), np.array([[10.0, 2.5]])])
    assert first[0, :, 0].tolist() == [0, 128] and second[0, :, 0].tolist() == [255, 64]


def test_a_depth_network_is_read_from_a_folder(tmp_path):
    import transformers

    config = transformers.DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        is_hybrid=False,
    )
    transformers.DPTForDepthEstimation(config).save_pretrained(tmp_path)
    transformers.DPTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    frames = np.random.default_rng(0).integers(0, 255, (9, 24, 40, 3), dtype=np.uint8)  # more than one batch
    maps = list(estimate_inverse_depth(frames, str(tmp_path)))
    assert len(maps) == 9 and maps[0].shape == (24, 40) and np.isfinite(maps).all()
    pictures = np.stack(list(pictures_of_estimate(maps)))
    assert pictures.min() == 0 and pictures.max() == 255


# By hand


def diffsign(*arguments):
    result = CliRunner().invoke(app, ["control", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_commands(tmp_path):
    color = np.random.default_rng(0).integers(0, 255, (2, 32, 48, 3), dtype=np.uint8)
    write_clip(tmp_path / "color.mkv", color, 24)
    diffsign("canny", tmp_path / "color.mkv", tmp_path / "canny.mkv", "--low", 50, "--preview", tmp_path / "c.mp4")
    edges, info = read_clip(tmp_path / "canny.mkv")
    assert np.array_equal(edges[1], canny_picture(color[1], 50, 200)) and info.fps == 24
    assert (tmp_path / "c.mp4").exists()

    depth = np.zeros((2, 32, 48), np.uint16)
    depth[0, 8:16], depth[1, 8:16] = 1000, 2000
    write_clip(tmp_path / "depth.mkv", depth, 24, depth=True)
    diffsign("depth", tmp_path / "depth.mkv", tmp_path / "d.mkv", "--floor", 0.2)
    grey, _ = read_clip(tmp_path / "d.mkv")
    assert (grey[0, 8:16] == 255).all() and (grey[1, 8:16] == 51).all() and not grey[:, :8].any()

    points = np.zeros((2, COUNT, 3), np.float32)
    points[:, RIGHT_HAND] = (20, 12, 1)
    save_keypoints(tmp_path / "k.npz", Keypoints(points, 24.0, 48, 32))
    diffsign("pose", tmp_path / "k.npz", tmp_path / "p.mkv", "--source", "detect")
    drawn, _ = read_clip(tmp_path / "p.mkv")
    assert np.array_equal(drawn[0], pose_picture(points[0], 48, 32, PoseControlSettings()))


def test_mistakes_are_named(tmp_path):
    with pytest.raises(DiffSignError, match="--body"):
        diffsign("pose", tmp_path / "m.npz", tmp_path / "p.mkv")
    with pytest.raises(DiffSignError, match=r"low \(300\) must not be above high"):
        diffsign("canny", tmp_path / "c.mkv", tmp_path / "p.mkv", "--low", 300)
    write_clip(tmp_path / "c.mkv", np.zeros((1, 32, 48, 3), np.uint8), 24)
    with pytest.raises(DiffSignError, match=r"control\.depth\.estimator"):
        diffsign("depth", tmp_path / "c.mkv", tmp_path / "d.mkv", "--source", "dpt", "--estimator", "/no/such")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.mkv"]
