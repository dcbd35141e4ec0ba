import cv2
import numpy as np
import pytest

from diffsign.config.control import PoseControlSettings
from diffsign.control.pose_picture import BODY_COLORS, HAND_COLORS, HAND_EDGES, LIMBS, pose_picture
from diffsign.models.control_pictures import canny_picture, depth_picture, depth_range
from diffsign.records.depth import decode_depth, encode_depth
from diffsign.records.keypoints import COUNT, FACE, LEFT_HAND, NAMES, RIGHT_HAND

ALL = PoseControlSettings()


def nobody():
    return np.zeros((COUNT, 3))


def put(points, name, x, y):
    points[NAMES.index(name)] = x, y, 1.0


def test_colours_are_the_published_ones():
    published = [(255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0)]
    published += [(0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255)]
    published += [(0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85)]
    assert list(BODY_COLORS) == published
    assert HAND_COLORS[0] == (255, 0, 0) and HAND_COLORS[10] == (0, 255, 255) and len(HAND_COLORS) == 20


def test_limbs_and_hand_edges_are_openpose_s():
    one_based = [(a + 1, b + 1) for a, b in LIMBS]
    assert one_based[:6] == [(2, 3), (2, 6), (3, 4), (4, 5), (6, 7), (7, 8)]
    assert one_based[6:] == [
        *[(2, 9), (9, 10), (10, 11), (2, 12), (12, 13), (13, 14)],
        *[(2, 1), (1, 15), (15, 17), (1, 16), (16, 18)],
    ]
    assert HAND_EDGES[:5] == ((0, 1), (1, 2), (2, 3), (3, 4), (0, 5)) and HAND_EDGES[-1] == (19, 20)


def test_a_stick_has_its_colour_width_and_ends():
    points = nobody()
    put(points, "right_elbow", 100.5, 300.5)
    put(points, "right_wrist", 200.5, 300.5)
    picture = pose_picture(points, 512, 512, ALL)
    right_forearm = LIMBS.index((3, 4))
    dimmed = tuple(int(c * 0.6) for c in BODY_COLORS[right_forearm])
    assert tuple(picture[300, 150]) == dimmed
    column = picture[:, 150].any(axis=1)
    assert 8 <= column.sum() <= 10 and column[300]
    assert tuple(picture[300, 100]) == BODY_COLORS[3]
    assert tuple(picture[300, 200]) == BODY_COLORS[4]
    assert not picture[:, 206:].any() and not picture[:, :95].any()


def test_hands_are_lines_with_blue_dots_over_a_wheel_of_hues():
    points = nobody()
    points[LEFT_HAND] = [(50 + 20 * i, 100 + 15 * (i % 5), 1) for i in range(21)]
    picture = pose_picture(points, 512, 512, ALL)
    a, b = points[LEFT_HAND][4, :2], points[LEFT_HAND][3, :2]
    middle = np.round((a + b) / 2 - 0.5).astype(int)
    assert tuple(picture[middle[1], middle[0]]) == HAND_COLORS[3]
    for x, y, _ in points[LEFT_HAND]:
        assert tuple(picture[int(y), int(x)]) == (0, 0, 255)
    without = pose_picture(points, 512, 512, PoseControlSettings(draw_hands=False))
    assert not without.any()


def test_the_hand_in_front_is_drawn_last():
    points = nobody()
    points[LEFT_HAND] = [(105 + 30 * i, 200, 1) for i in range(21)]
    points[RIGHT_HAND] = [(200, 95 + 30 * i, 1) for i in range(21)]
    right_over = pose_picture(points, 512, 512, ALL, left_hand_first=True)
    left_over = pose_picture(points, 512, 512, ALL, left_hand_first=False)
    assert (right_over != left_over).any()
    alone = points.copy()
    alone[LEFT_HAND] = 0
    drawn = pose_picture(alone, 512, 512, ALL).any(axis=2)
    assert (right_over[drawn] == pose_picture(alone, 512, 512, ALL)[drawn]).all()


def test_face_is_white_dots():
    points = nobody()
    points[FACE] = [(20 + 6 * i, 40, 1) for i in range(70)]
    picture = pose_picture(points, 512, 512, ALL)
    assert set(map(tuple, picture[picture.any(axis=2)])) == {(255, 255, 255)}
    assert not pose_picture(points, 512, 512, PoseControlSettings(draw_face=False)).any()


def test_missing_and_outside_points_draw_nothing():
    assert not pose_picture(nobody(), 64, 48, ALL).any()
    points = nobody()
    put(points, "neck", 30, 20)
    put(points, "right_hip", 30, 400)  # below the picture: no stick to it, as a detector would not have found it
    picture = pose_picture(points, 64, 48, ALL)
    assert set(map(tuple, picture[picture.any(axis=2)])) == {BODY_COLORS[1]}
    assert picture.shape == (48, 64, 3)
    with pytest.raises(ValueError, match="137"):
        pose_picture(np.zeros((25, 3)), 64, 48, ALL)


#: Pixels that controlnet_aux 0.0.10 (open_pose/util.py) draws for :func:`somebody`, by size of the picture and part.
REFERENCE = {
    (512, "body"): 24873,
    (512, "hands"): 4827,
    (512, "face"): 1909,
    (1024, "body"): 59282,
    (1024, "hands"): 5450,
    (1024, "face"): 1926,
}


def somebody(rng, size):
    points = np.ones((COUNT, 3))
    points[:, :2] = rng.uniform(60, size - 60, (COUNT, 2))
    for part, middle in ((LEFT_HAND, (150, 300)), (RIGHT_HAND, (350, 300))):
        points[part, :2] = middle + rng.normal(0, 25, (21, 2))
    points[FACE, :2] = np.array([256, 120]) + rng.normal(0, 30, (70, 2))
    return points


def test_lines_and_dots_are_those_of_the_training():
    rng = np.random.default_rng(7)
    for size in (512, 768, 1024):
        points = somebody(rng, size)
        for part in ("body", "hands", "face"):
            if (size, part) in REFERENCE:
                only = PoseControlSettings(**{f"draw_{other}": other == part for other in ("body", "hands", "face")})
                drawn = int(pose_picture(points, size, size, only).any(axis=2).sum())
                # Its sticks turn by whole degrees, ours do not.
                assert drawn == pytest.approx(REFERENCE[size, part], rel=0.015 if part == "body" else 0)


def test_a_small_picture_has_thin_lines():
    points = nobody()
    points[RIGHT_HAND] = [(40 + 2 * i, 60, 1) for i in range(21)]
    heights = {size: pose_picture(points, size, size, ALL).any(axis=(1, 2)).sum() for size in (128, 256, 512)}
    assert heights == {128: 3, 256: 5, 512: 9}


def test_widths_can_grow_with_the_picture():
    areas = {}
    for size in (256, 1024):
        points = nobody()
        put(points, "neck", size * 0.3, size * 0.5)
        put(points, "nose", size * 0.7, size * 0.5)
        areas[size] = pose_picture(points, size, size, PoseControlSettings(lines="picture")).any(axis=2).mean()
    assert areas[256] == pytest.approx(areas[1024], rel=0.15)


def test_canny_is_opencv_s():
    frame = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    frame = cv2.GaussianBlur(frame, (7, 7), 3)
    edges = canny_picture(frame, 20, 60)
    assert edges.shape == frame.shape and edges.any()
    assert (edges == cv2.Canny(frame, 20, 60)[..., None]).all()
    assert canny_picture(frame, 20, 60).sum() > canny_picture(frame, 60, 120).sum()


def test_depth_near_is_white_far_is_floor_background_black():
    depth = np.array([[1.0, 2.0, np.inf, 0.0, 4 / 3]])
    grey = depth_picture(depth, 1.0, 2.0, floor=0.2)[0, :, 0]
    # In between by inverse depth: (3/4 - 1/2) / (1 - 1/2) = one half of the range above the floor.
    assert grey.tolist() == [255, 51, 0, 0, 153]
    assert depth_range(depth) == (1.0, 2.0)
    assert depth_range(np.full((2, 2), np.inf)) is None


def test_depth_of_a_flat_body_is_white_not_nan():
    assert (depth_picture(np.full((2, 2), 1.5), 1.5, 1.5) == 255).all()


def test_depth_round_trip():
    metres = np.array([0.0, np.inf, np.nan, 0.8512, 3.0, 70.0, 1e-5], np.float32)
    back = decode_depth(encode_depth(metres))
    assert np.isinf(back[[0, 1, 2, 5]]).all()
    assert np.abs(back[[3, 4]] - metres[[3, 4]]).max() <= 0.0005 + 1e-6
    assert back[6] == pytest.approx(0.001)
