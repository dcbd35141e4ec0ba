import os
import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from diffsign.errors import DiffSignError
from diffsign.records.clip import ClipWriter, probe_clip, read_clip, write_clip
from diffsign.records.ffmpeg import ffmpeg_binary, ffmpeg_command, ffmpeg_version


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


def beep(path: Path, seconds: float) -> Path:
    subprocess.run(
        ffmpeg_command("-f", "lavfi", "-i", f"sine=440:duration={seconds}", "-c:a", "flac", path), check=True
    )
    return path


def lengths(path: Path) -> dict[str, float]:
    with av.open(str(path)) as container:
        return {
            stream.type: float(sum(frame.samples / frame.sample_rate for frame in container.decode(stream)))
            if stream.type == "audio"
            else float(stream.frames)
            for stream in (container.streams.video[0], container.streams.audio[0])
            if not container.seek(0)
        }


@pytest.mark.parametrize("seconds", [0.1, 1.0, 5.0])
def test_sound_is_cut_or_padded_to_the_pictures(tmp_path, seconds):
    """Three quarters of a second of pictures, whatever the sound's length (and the writer ends)."""
    frames = np.zeros((18, 32, 48, 3), np.uint8)
    write_clip(tmp_path / "a.mp4", frames, 24, audio=beep(tmp_path / "s.mka", seconds))
    found = lengths(tmp_path / "a.mp4")
    assert found["video"] == 18
    assert found["audio"] == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("fps", [24, 30000 / 1001])
def test_every_bit_of_a_clip_is_checked(tmp_path, frames, fps):
    """Whatever bit is flipped, the clip is refused or its frames are what they were."""
    write_clip(tmp_path / "a.mkv", frames, fps)
    data = (tmp_path / "a.mkv").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for position in [*range(60), *rng.integers(0, len(data), 60)]:
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(rng.integers(8))
        (tmp_path / "b.mkv").write_bytes(damaged)
        try:
            read, info = read_clip(tmp_path / "b.mkv")
        except DiffSignError as error:
            refused += 1
            assert "b.mkv" in str(error)
        else:
            assert np.array_equal(read, frames) and info.fps == pytest.approx(fps)
    assert refused > 60


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_clip_cut_short_is_noticed_before_it_is_decoded(tmp_path, frames, share):
    write_clip(tmp_path / "a.mkv", frames, 24)
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DiffSignError, match=r"a\.mkv"):
        probe_clip(tmp_path / "a.mkv")


def test_a_clip_without_checksums_is_checked_by_its_slices(tmp_path, frames):
    """FFV1 from elsewhere: the frames' own checksums and their number are all there is."""
    write_clip(tmp_path / "a.mkv", frames, 24)
    bare = ffmpeg_command("-i", tmp_path / "a.mkv", "-c", "copy", "-write_crc32", "0", tmp_path / "b.mkv")
    subprocess.run(bare, check=True)
    data = bytearray((tmp_path / "b.mkv").read_bytes())
    assert np.array_equal(read_clip(tmp_path / "b.mkv")[0], frames)
    data[len(data) // 2] ^= 255
    (tmp_path / "b.mkv").write_bytes(data)
    with pytest.raises(DiffSignError, match="damaged"):
        read_clip(tmp_path / "b.mkv")


def test_colour_is_no_depth_and_depth_no_colour(tmp_path, frames):
    write_clip(tmp_path / "c.mkv", frames, 24)
    write_clip(tmp_path / "d.mkv", frames[..., 0].astype(np.uint16), 24, depth=True)
    for name, depth in (("c.mkv", True), ("d.mkv", False)):
        with pytest.raises(DiffSignError, match=name):
            read_clip(tmp_path / name, depth=depth)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_clip_says_what_it_is_and_which_ffmpeg_made_it(tmp_path, frames, suffix):
    write_clip(tmp_path / f"a{suffix}", frames, 24)
    with av.open(str(tmp_path / f"a{suffix}")) as container:
        words = {key.lower(): value for key, value in container.metadata.items()}["comment"]
    assert "color" in words and ffmpeg_version() in words


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_same_frames_same_bytes_on_any_number_of_processors(tmp_path, suffix):
    frames = np.random.default_rng(1).integers(0, 256, (12, 96, 128, 3), dtype=np.uint8)
    sound = beep(tmp_path / "s.mka", 1)
    processors = os.sched_getaffinity(0)
    try:
        for name, allowed in (("one", {min(processors)}), ("all", processors)):
            os.sched_setaffinity(0, allowed)
            write_clip(tmp_path / f"{name}{suffix}", frames, 24, audio=sound)
    finally:
        os.sched_setaffinity(0, processors)
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"all{suffix}").read_bytes()


def test_the_ffmpeg_is_the_one_of_the_lock_unless_the_user_names_another(monkeypatch):
    monkeypatch.delenv("DIFFSIGN_FFMPEG", raising=False)
    assert ffmpeg_binary() == imageio_ffmpeg.get_ffmpeg_exe()
    monkeypatch.setenv("DIFFSIGN_FFMPEG", "/bin/true")
    assert ffmpeg_binary() == "/bin/true"
    monkeypatch.setenv("DIFFSIGN_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(DiffSignError, match="/nowhere/ffmpeg"):
        ffmpeg_binary()
