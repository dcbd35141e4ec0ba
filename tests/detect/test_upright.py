"""Pixels that lie on their side are noticed, and the column that turns them is named."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from diffsign.config.detect import DetectSettings
from diffsign.detect.stage import detect_clip
from diffsign.detect.upright import turn_of, turn_with_a_person
from diffsign.errors import DiffSignError
from diffsign.records.clip import iter_clip, write_clip
from diffsign.records.keypoints import BODY_NAMES, COUNT, Keypoints

DEMO = Path(__file__).parents[2] / "config/demo/source.mp4"


def standing(turned: int, frames: int = 10) -> Keypoints:
    """Keypoints of a head over a neck, in a picture whose pixels were turned clockwise by that many degrees."""
    points = np.zeros((frames, COUNT, 3), np.float32)
    angle = np.radians(turned + np.linspace(-25, 25, frames))
    points[:, BODY_NAMES.index("neck")] = (100, 100, 1)
    points[:, BODY_NAMES.index("nose"), 0] = 100 + 30 * np.sin(angle)
    points[:, BODY_NAMES.index("nose"), 1] = 100 - 30 * np.cos(angle)
    points[:, BODY_NAMES.index("nose"), 2] = 1
    return Keypoints(points, 24.0, 200, 200)


@pytest.mark.parametrize(("turned", "back"), [(0, 0), (90, 270), (180, 180), (270, 90), (20, 0)])
def test_heads_are_above_necks(turned, back):
    assert turn_of(standing(turned)) == back


def test_a_head_that_moves_or_is_not_seen_says_nothing():
    keypoints = standing(0)
    keypoints.points[:4] = standing(90).points[:4]
    assert turn_of(keypoints) == 0
    keypoints.points[..., 2] = 0
    assert turn_of(keypoints) == 0


def test_the_turn_that_shows_somebody_is_found():
    up = np.zeros((4, 6, 3), np.uint8)
    up[0] = 255
    for turns in (1, 2, 3):
        lying = [np.rot90(up, turns)] * 5
        turn = turn_with_a_person(lying, lambda frames: all(frame[0].min() == 255 for frame in frames))
        assert turn == 90 * turns
    assert turn_with_a_person([up], lambda frames: False) == 0


def test_a_signer_on_the_side_is_named_with_what_to_do(tmp_path, caplog):
    frames = [cv2.resize(frame, (256, 256)) for frame in islice(iter_clip(DEMO), 6)]
    write_clip(tmp_path / "side.mkv", [np.ascontiguousarray(np.rot90(frame, -1)) for frame in frames], 24.0)
    detect_clip(tmp_path / "side.mkv", DetectSettings())
    assert "side.mkv" in caplog.text and "write 270 in the column 'rotate'" in caplog.text
    caplog.clear()
    write_clip(tmp_path / "upright.mkv", frames, 24.0)
    detect_clip(tmp_path / "upright.mkv", DetectSettings())
    assert "rotate" not in caplog.text


def test_nobody_at_all_is_still_nobody(tmp_path):
    write_clip(tmp_path / "wall.mkv", [np.full((128, 128, 3), 120, np.uint8)] * 3, 24.0)
    with pytest.raises(DiffSignError, match="nobody was found in any"):
        detect_clip(tmp_path / "wall.mkv", DetectSettings())
