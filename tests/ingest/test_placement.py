"""Where a pixel of the source is in the clip: told, and looked for."""

import json

import numpy as np
import pytest

from diffsign.config.ingest import IngestSettings
from diffsign.errors import DiffSignError
from diffsign.ingest.stage import Inputs, Outputs, run
from diffsign.ingest.window import parse_window
from diffsign.records.clip import iter_clip, write_clip
from diffsign.records.placement import load_placement

DOT = np.array([101.0, 43.0])


@pytest.fixture(scope="module")
def dotted(tmp_path_factory):
    """A film of 128×96 pixels with a white dot."""
    y, x = np.mgrid[:96, :128] + 0.5
    dot = 255 * np.exp(-((x - DOT[0]) ** 2 + (y - DOT[1]) ** 2) / 18)
    path = tmp_path_factory.mktemp("dotted") / "dotted.mp4"
    write_clip(path, (np.repeat(dot.astype(np.uint8)[..., None], 3, 2) for _ in range(30)), 30.0)
    return path


@pytest.mark.parametrize(
    "window",
    [
        {},
        {"rotate": 90},
        {"rotate": 180},
        {"rotate": 270, "mirror": True},
        {"mirror": True},
        {"crop": "64:64:60:20"},
        {"rotate": 90, "crop": "50:60:20:66"},
        {"start": "0.5"},
    ],
    ids=str,
)
def test_the_dot_is_where_the_placement_says(dotted, tmp_path, window):
    out = Outputs(tmp_path / "clip.mkv", placement=tmp_path / "placement.json")
    run(Inputs(dotted, parse_window(**window)), out, IngestSettings(height=192, fps=24))
    placement = load_placement(tmp_path / "placement.json")
    frame = next(iter_clip(out.clip)).astype(float).mean(-1)
    frame[frame < 60] = 0
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]] + 0.5
    found = [(frame * x).sum() / frame.sum(), (frame * y).sum() / frame.sum()]
    assert placement.points_in_clip(DOT) == pytest.approx(found, abs=0.6)
    assert (placement.fps, placement.frames) == (30.0, 30)
    assert placement.source_frames(3, 24.0) == pytest.approx(np.arange(3) * 1.25 + 30 * float(window.get("start", 0)))


@pytest.mark.parametrize("change", [{"fps": 0}, {"to_clip": [1, 2]}, {"format": "x"}, {"width": None}, {"fps": None}])
def test_other_files_are_refused(dotted, tmp_path, change):
    path = tmp_path / "placement.json"
    run(Inputs(dotted), Outputs(tmp_path / "clip.mkv", placement=path), IngestSettings(height=64))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DiffSignError, match=r"placement\.json"):
        load_placement(path)
