"""The invisible mark: found again in what people do to films, and in nothing else."""

import subprocess

import cv2
import numpy as np
import pytest

from diffsign.credentials.inspect import frames_of
from diffsign.credentials.invisible import look_for, marked
from diffsign.records.clip import write_clip
from diffsign.records.ffmpeg import ffmpeg_command


def scene(count: int = 16, height: int = 256, width: int = 320) -> list[np.ndarray]:
    """A textured figure that moves before a plain wall."""
    random = np.random.default_rng(5)
    cloth = cv2.GaussianBlur(random.integers(0, 256, (160, 120, 3)).astype(np.uint8), (0, 0), 2)
    frames = []
    for number in range(count):
        frame = np.full((height, width, 3), (150, 165, 170), np.uint8)
        left = 60 + 3 * number
        frame[height - 160 :, left : left + 120] = cloth
        cv2.circle(frame, (left + 60, 60), 30, (200, 150, 120), -1)
        frames.append(frame)
    return frames


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_clip(path, marked(scene()), 24.0)
    return path


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        (["-crf", "28"], 1),
        (["-vf", "scale=iw/2:ih/2", "-crf", "20"], 0.5),
        (["-vf", "scale=iw*1.25:ih*1.25", "-crf", "20"], 1.25),
        (["-vf", "crop=iw*0.8:ih*0.7:21:35", "-crf", "23"], 1),
        (["-vf", "hflip", "-crf", "23"], 1),
        (["-vf", "eq=brightness=0.08:contrast=1.2:saturation=0.5", "-crf", "23"], 1),
    ],
    ids=["encoded", "halved", "enlarged", "cropped", "mirrored", "graded"],
)
def test_the_mark_stays(film, tmp_path, options, scale):
    again = tmp_path / "again.mp4"
    subprocess.run(ffmpeg_command("-i", film, *options, "-pix_fmt", "yuv420p", again), check=True)
    trace = look_for(frames_of(again))
    assert trace.there and trace.scale == pytest.approx(scale, rel=0.01)


def test_other_films_have_none():
    random = np.random.default_rng(1)
    noise = [random.integers(0, 256, (128, 128, 3)).astype(np.uint8) for _ in range(4)]
    stripes = [np.tile(np.where(np.arange(64) % 16 < 8, 60, 190).astype(np.uint8)[None, :, None], (128, 2, 3))] * 4
    for frames in (scene(), noise, stripes, [np.zeros((96, 96, 3), np.uint8)] * 2):
        trace = look_for(frames)
        assert not trace.there, trace


def test_the_mark_is_not_seen():
    plain = scene(2)
    changed = np.stack(list(marked(plain))).astype(float) - np.stack(plain)
    assert 10 * np.log10(255**2 / (changed**2).mean()) > 44
    assert np.abs(changed).max() <= 9 and np.abs(changed[:, :20]).max() <= 4, "less on plain walls"


def test_opacity_is_left_alone():
    frame = np.full((64, 64, 4), 90, np.uint8)
    assert (next(iter(marked([frame])))[..., 3] == 90).all()
