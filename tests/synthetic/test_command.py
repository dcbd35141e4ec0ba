"""The command as a person types it: two frames, a portrait, and what is said about a wrong name."""

import cv2
import numpy as np
import pytest
from truth import load_truth
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.errors import DiffSignError
from diffsign.records.clip import read_clip

runner = CliRunner()
SMALL = ["--seed", "4", "--height", "96", "--width", "80", "--samples", "1", "--threads", "1"]


def test_two_frames(tmp_path, body_file):
    clip = tmp_path / "a signer.mkv"
    flags = [*SMALL, "--seconds", "1", "--fps", "2", "--body", str(body_file)]
    result = runner.invoke(app, ["synthetic-signer", str(clip), *flags], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    frames, info = read_clip(clip)
    assert frames.shape == (2, 96, 80, 3) and info.fps == 2
    truth = load_truth(tmp_path / "a signer.npz")
    assert len(truth) == 2 and truth.seed == 4 and "shirt" in truth.caption
    # The person is where the truth says: the nose is not the wall, the corners are.
    wall = frames[0, :4, :4].reshape(-1, 3).mean(axis=0)
    x, y = truth.camera.project(truth.vertices[0, 9120]).astype(int)
    assert np.abs(frames[0, y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1)) - wall).max() > 20
    assert np.abs(frames[0, :4, -4:].reshape(-1, 3).mean(axis=0) - wall).max() < 40


def test_portrait(tmp_path, body_file):
    picture = tmp_path / "reference.png"
    result = runner.invoke(
        app, ["synthetic-signer", str(picture), "--portrait", *SMALL, "--body", str(body_file)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert cv2.imread(str(picture)).shape == (96, 80, 3)
    assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["clip.avi"], "a clip is written as .mp4 or .mkv"),
        (["face.gif", "--portrait"], "a portrait is written as .jpg or .png"),
        (["clip.mkv", "--sound"], "sound goes into .mp4 only"),
        (["clip.mp4", "--seconds", "0"], "'seconds' is '0'"),
        (["clip.mp4", "--body", "no/body.npz"], "no/body.npz"),
    ],
)
def test_mistakes_are_explained_before_anything_is_computed(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DiffSignError) as error:
        runner.invoke(app, ["synthetic-signer", *arguments], catch_exceptions=False)
    assert words in str(error.value)
    assert not list(tmp_path.iterdir())
