"""A selection of frames."""

import numpy as np
import pytest

from diffsign.config.select import SelectSettings
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.records.clip import read_clip, write_clip
from diffsign.records.keypoints import COUNT, Keypoints, load_keypoints, save_keypoints
from diffsign.records.motion import Motion, load_motion, save_motion
from diffsign.records.shots import shot_starts
from diffsign.select.stage import Inputs, Outputs, run


@pytest.fixture
def folder(tmp_path):
    """A video's results: 8 frames whose brightness is ten times their number."""
    pictures = np.repeat(10 * np.arange(8, dtype=np.uint8), 16 * 16 * 3).reshape(8, 16, 16, 3)
    for name in ("clip", "avatar/color", "avatar/mask", "control/pose"):
        write_clip(tmp_path / f"{name}.mkv", pictures, 24)
    points = np.zeros((8, COUNT, 3), np.float32)
    points[:, :, 0] = np.arange(8)[:, None]
    for name in ("keypoints.npz", "avatar/keypoints.npz"):
        save_keypoints(tmp_path / name, Keypoints(points, 24, 16, 16))
    motion = Motion.rest(8, Camera.facing(16, 16, 16.0), 24, 10, 10)
    motion.transl[:, 0] = np.arange(8)
    save_motion(tmp_path / "motion.npz", motion)
    return tmp_path


def test_frames_are_taken_with_all_that_was_made_of_them(folder, tmp_path):
    out = tmp_path / "selected"
    run(Inputs(folder, ("pose",)), Outputs(out), SelectSettings(frames=[1, 2, 6]))
    for name in ("clip", "avatar/color", "avatar/mask", "control/pose"):
        assert [int(frame.mean()) for frame in read_clip(out / f"{name}.mkv")[0]] == [10, 20, 60]
    assert (out / "clip.mp4").exists() and (out / "control/pose.mp4").exists()
    assert (out / "audio.mka").stat().st_size == 0
    for name in ("keypoints.npz", "avatar/keypoints.npz"):
        keypoints = load_keypoints(out / name)
        assert keypoints.points[:, 0, 0].tolist() == [1, 2, 6]
        assert shot_starts(keypoints).tolist() == [True, False, True]
    motion = load_motion(out / "motion.npz")
    assert motion.transl[:, 0].tolist() == [1, 2, 6] and motion.starts.tolist() == [True, False, True]


def test_all_frames_keep_their_sound_and_shots(folder, tmp_path):
    (folder / "audio.mka").write_bytes(b"sound")
    (folder / "subtitles.mks").write_bytes(b"words")
    out = tmp_path / "selected"
    run(Inputs(folder, ("pose",)), Outputs(out), SelectSettings())
    assert read_clip(out / "clip.mkv")[0].shape[0] == 8
    assert (out / "audio.mka").read_bytes() == b"sound" and (out / "subtitles.mks").read_bytes() == b"words"
    assert load_motion(out / "motion.npz").starts.tolist() == [True] + 7 * [False]


def test_a_frame_that_is_not_there_is_named_before_anything_is_written(folder, tmp_path):
    out = tmp_path / "selected"
    with pytest.raises(DiffSignError, match=r"no frame 8; '.*clip\.mkv' has 8, counted from 0"):
        run(Inputs(folder, ("pose",)), Outputs(out), SelectSettings(frames=[1, 8]))
    assert not out.exists()


@pytest.mark.parametrize("frames", [[3, 1], [1, 1], [-1]])
def test_frames_are_in_order(frames):
    with pytest.raises(ValueError, match="frames"):
        SelectSettings(frames=frames)
