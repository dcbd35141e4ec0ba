"""MediaPipe on pictures of the demo signer: one person, two, and one whose hands are never seen."""

import numpy as np
import pytest

from diffsign.config.detect import DetectSettings
from diffsign.detect.stage import detect_clip, frames_with
from diffsign.errors import DiffSignError
from diffsign.records.clip import iter_clip, write_clip
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND
from tests.workflow.conftest import ROOT


@pytest.fixture(scope="module")
def pictures():
    """Return six pictures with both hands raised, (6, 512, 512, 3) uint8."""
    return np.stack([f for i, f in enumerate(iter_clip(ROOT / "config/demo/source.mp4")) if 14 <= i < 20])


@pytest.fixture(scope="module")
def alone(pictures, tmp_path_factory):
    """Return the keypoints of the signer alone."""
    clip = tmp_path_factory.mktemp("people") / "one.mkv"
    write_clip(clip, pictures, 24)
    return detect_clip(clip, DetectSettings())


def test_every_part_of_a_signer_is_found(alone):
    assert frames_with(alone) == {"body": 6, "left hand": 6, "right hand": 6, "face": 6}
    assert (alone.xy[:, 2, 0] < alone.xy[:, 5, 0]).all(), "the signer's right shoulder is on the picture's left"


def test_of_two_people_one_is_followed_and_the_other_told(pictures, alone, tmp_path, caplog):
    small = pictures[:, ::2, ::2]
    second = np.pad(small, ((0, 0), (256, 0), (0, 0), (0, 0)), mode="edge")
    clip = tmp_path / "two.mkv"
    write_clip(clip, np.concatenate([pictures, second], axis=2), 24)
    found = detect_clip(clip, DetectSettings())
    followed = found.xy[:, [2, 5]]
    assert np.abs(followed - alone.xy[:, [2, 5]]).max() < 25, "the larger signer is the one that is followed"
    assert "more than one person" in caplog.text


def test_hands_that_are_never_seen_are_a_warning(pictures, tmp_path, caplog):
    clip = tmp_path / "head.mkv"
    write_clip(clip, pictures[:, :240, 130:380], 24)
    found = detect_clip(clip, DetectSettings())
    assert frames_with(found)["body"] == 6
    assert not found.confidence[:, LEFT_HAND].any() and not found.confidence[:, RIGHT_HAND].any()
    assert "left hand was never found" in caplog.text and "right hand was never found" in caplog.text


def test_points_found_in_detail_are_in_pixels_of_the_clip(pictures, alone, tmp_path):
    clip, detail, empty, other = (tmp_path / name for name in ("clip.mkv", "detail.mp4", "empty.mp4", "other.mp4"))
    write_clip(clip, pictures[:, ::2, ::2].copy(), 24)
    write_clip(detail, pictures, 24)
    write_clip(other, pictures[:4], 24)
    empty.touch()
    found = detect_clip(clip, DetectSettings(), detail=detail)
    assert (found.width, found.height) == (256, 256)
    both = (found.confidence > 0.5) & (alone.confidence > 0.5)
    assert np.median(np.linalg.norm(2 * found.xy - alone.xy, axis=-1)[both]) < 1.5
    np.testing.assert_array_equal(
        detect_clip(clip, DetectSettings(), detail=empty).points, detect_clip(clip, DetectSettings()).points
    )
    with pytest.raises(DiffSignError, match="4 frames"):
        detect_clip(clip, DetectSettings(), detail=other)
