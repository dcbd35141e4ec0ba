import numpy as np
import pytest

from diffsign.errors import DiffSignError
from diffsign.records.clip import ClipWriter, probe_clip, read_clip, write_clip


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (5, 33, 47, 3), dtype=np.uint8)


@pytest.mark.parametrize("fps", [24.0, 25.0, 30000 / 1001, 12.5])
def test_colour_round_trip_is_exact(tmp_path, frames, fps):
    write_clip(tmp_path / "a.mkv", frames, fps)
    read, info = read_clip(tmp_path / "a.mkv")
    assert np.array_equal(read, frames)
    assert (info.width, info.height, info.frames) == (47, 33, 5)
    assert info.fps == pytest.approx(fps)
    assert probe_clip(tmp_path / "a.mkv") == info


def test_depth_round_trip_is_exact(tmp_path):
    depth = np.random.default_rng(0).integers(0, 65536, (3, 33, 47), dtype=np.uint16)
    write_clip(tmp_path / "d.mkv", depth, 24, depth=True)
    assert np.array_equal(read_clip(tmp_path / "d.mkv", depth=True)[0], depth)


def test_names_with_spaces_and_quotes(tmp_path, frames):
    path = tmp_path / 'it\'s a "clip" é.mkv'
    write_clip(path, frames, 24)
    assert np.array_equal(read_clip(path)[0], frames)


def test_preview_of_odd_size_is_padded_to_even(tmp_path, frames):
    write_clip(tmp_path / "a.mp4", frames, 24)
    info = probe_clip(tmp_path / "a.mp4")
    assert (info.width, info.height, info.frames) == (48, 34, 5)


def test_a_failed_writer_leaves_nothing_behind(tmp_path, frames):
    with pytest.raises(RuntimeError), ClipWriter(tmp_path / "a.mkv", 47, 33, 24) as writer:
        writer.write(frames[0])
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_a_clip_without_frames_is_not_written(tmp_path):
    with pytest.raises(DiffSignError, match="no frames"), ClipWriter(tmp_path / "a.mkv", 47, 33, 24):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_shape_is_refused(tmp_path, frames):
    with pytest.raises(ValueError, match="the clip takes"), ClipWriter(tmp_path / "a.mkv", 47, 33, 24) as writer:
        writer.write(frames[0, :, :40])


@pytest.mark.parametrize("content", [b"not a video", b""])
def test_files_that_are_no_clip(tmp_path, content):
    path = tmp_path / "a.mkv"
    path.write_bytes(content)
    with pytest.raises(DiffSignError, match=r"a\.mkv"):
        read_clip(path)
