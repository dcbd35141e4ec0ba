"""The commands fit and smooth on files that are not what they should be."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.records.keypoints import Keypoints, save_keypoints
from diffsign.records.motion import Motion, save_motion


@pytest.fixture
def files(tmp_path):
    save_keypoints(tmp_path / "keypoints.npz", Keypoints(np.zeros((3, 137, 3), np.float32), 24.0, 64, 64))
    save_motion(tmp_path / "motion.npz", Motion.rest(3, Camera.facing(64, 64, 80), 24.0, 10, 10, "other"))
    (tmp_path / "text.npz").write_text("no archive")
    return tmp_path


def refuse(*arguments: object) -> str:
    """Return the sentence that a command ends in."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, DiffSignError), result.output
    return str(result.exception)


def test_fit_names_what_is_no_keypoints(files):
    out = files / "out.npz"
    assert "does not exist" in refuse("fit", files / "none.npz", out, "--body", files / "text.npz")
    assert "cannot be read" in refuse("fit", files / "text.npz", out, "--body", files / "text.npz")
    message = refuse("fit", files / "motion.npz", out, "--body", files / "text.npz")
    assert "diffsign-motion" in message and "diffsign-keypoints" in message
    assert not out.exists()


def test_fit_names_a_wrong_body(files):
    message = refuse("fit", files / "keypoints.npz", files / "out.npz", "--body", files / "motion.npz")
    assert "body file" in message and "motion.npz" in message


def test_smooth_names_a_wrong_body(files):
    message = refuse("smooth", files / "motion.npz", files / "out.npz", "--body", files / "text.npz")
    assert "body file" in message


def test_smooth_names_a_wrong_motion(files):
    message = refuse("smooth", files / "keypoints.npz", files / "out.npz", "--body", files / "text.npz")
    assert "diffsign-motion" in message


def test_flags_out_of_range_are_named(files):
    message = refuse("fit", files / "keypoints.npz", files / "o.npz", "--body", files / "text.npz", "--focal-length=-3")
    assert "focal_length" in message or "focal-length" in message
    message = refuse(
        "fit", files / "keypoints.npz", files / "o.npz", "--body", files / "t", '--stages=[{"name": "a", "x": 1}]'
    )
    assert "x" in message


def test_stages_by_name_or_as_a_list():
    from diffsign.config.fit import DEFAULT, PUBLISHED, FitSettings
    from diffsign.config.settings import parse_flags, to_flags

    assert FitSettings().schedule() == DEFAULT
    assert parse_flags(FitSettings, {"stages": "published"}, "fit").schedule() == PUBLISHED
    own = parse_flags(FitSettings, {"stages": '[{"name": "one", "jaw": 5}]'}, "fit")
    assert own.schedule()[0].jaw == 5
    flags = {f.split("=")[0].removeprefix("--").replace("-", "_"): f.split("=", 1)[1] for f in to_flags(own)}
    assert parse_flags(FitSettings, flags, "fit") == own
    with pytest.raises(DiffSignError):
        parse_flags(FitSettings, {"stages": "publshed"}, "fit")
