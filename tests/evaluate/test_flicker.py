import cv2
import numpy as np
import pytest

from diffsign.evaluate.flicker import FLOW_SIZE, Warp, estimate_warp, shrink, warping_error

EVERYWHERE = np.ones((64, 96), bool)


def still(height: int = 64, width: int = 96) -> Warp:
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    return Warp(np.stack([columns, rows], -1).astype(np.float32), np.ones((height, width), bool))


def grey(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def test_equal_frames_have_no_error(make_picture) -> None:
    frame = make_picture(0)
    assert warping_error(frame, frame, estimate_warp(grey(frame), grey(frame)), EVERYWHERE) == pytest.approx(
        0, abs=1e-6
    )


def test_a_step_of_brightness_costs_its_square(make_picture) -> None:
    frame = make_picture(0)
    assert warping_error(frame, frame + 5, still(), EVERYWHERE) == pytest.approx((5 / 255) ** 2, rel=1e-5)


def test_movement_that_the_flow_follows_costs_nothing() -> None:
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 255, (80, 130, 3), dtype=np.uint8), (0, 0), 3)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    before, after = scene[8:72, 10:106], scene[8:72, 13:109]
    middle = np.zeros((64, 96), bool)
    middle[12:-12, 12:-12] = True
    warp = estimate_warp(grey(before), grey(after))
    assert np.median((warp.map - still().map)[middle], axis=0) == pytest.approx([3, 0], abs=0.2)
    assert warping_error(before, after, warp, middle) < 0.05 * warping_error(before, after, still(), middle)


def test_pixels_without_a_counterpart_do_not_count(make_picture) -> None:
    warp = Warp(still().map, np.zeros((64, 96), bool))
    frame = make_picture(0)
    assert np.isnan(warping_error(frame, frame, warp, EVERYWHERE))


def test_what_leaves_the_picture_is_not_reliable() -> None:
    rng = np.random.default_rng(1)
    scene = cv2.GaussianBlur(rng.integers(0, 255, (64, 120), dtype=np.uint8), (0, 0), 3)
    warp = estimate_warp(scene[:, 20:116], scene[:, 14:110])
    assert not warp.reliable[:, 0].any()


def test_large_pictures_are_shrunk_and_small_ones_left(shape) -> None:
    assert shrink(np.zeros((600, 1200, 3), np.uint8)).shape == (FLOW_SIZE // 2, FLOW_SIZE, 3)
    assert shrink(np.zeros((20, 30, 3), np.uint8)).shape == (20, 30, 3)
