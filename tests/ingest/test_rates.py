"""The rate of a clip is its source's own unless a rate is asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from diffsign.config.ingest import IngestSettings
from diffsign.ingest.source import probe_source
from diffsign.ingest.stage import Inputs, Outputs, run
from diffsign.records.clip import probe_clip, read_clip, write_clip


def pictures(count: int) -> list[np.ndarray]:
    """Return pictures of a number each, so that none is like another."""
    out = []
    for number in range(count):
        picture = np.zeros((64, 64, 3), np.uint8)
        cv2.putText(picture, str(number), (8, 44), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 3)
        out.append(picture)
    return out


@pytest.mark.parametrize(
    ("rate", "expected"), [(25.0, 25.0), (30000 / 1001, 30000 / 1001), (12.0, 12.0), (120.0, 60.0)]
)
def test_a_clip_has_the_rate_of_its_source(tmp_path, rate, expected):
    source, clip = tmp_path / "source.mp4", tmp_path / "clip.mkv"
    write_clip(source, pictures(24), rate)
    run(Inputs(source), Outputs(clip), IngestSettings(height=64, bars="keep"))
    info = probe_clip(clip)
    assert info.fps == pytest.approx(expected, rel=1e-4)
    assert info.frames == round(24 * expected / rate)


def test_a_rate_that_is_asked_for_is_taken(tmp_path):
    source, clip = tmp_path / "source.mp4", tmp_path / "clip.mkv"
    write_clip(source, pictures(24), 24.0)
    run(Inputs(source), Outputs(clip), IngestSettings(height=64, fps=12, bars="keep"))
    assert probe_clip(clip).frames == 12


def test_a_gif_at_30_loses_and_repeats_no_frame(tmp_path):
    """GIFs count in hundredths of a second, so that their frames last 30, 30 and 40 ms by turns."""
    source, clip = tmp_path / "source.gif", tmp_path / "clip.mkv"
    shown = pictures(18)
    durations = [30 if t % 3 < 2 else 40 for t in range(18)]
    first, *rest = [Image.fromarray(picture) for picture in shown]
    first.save(source, save_all=True, append_images=rest, duration=durations)
    assert float(probe_source(source).fps or 0) == pytest.approx(30, rel=0.01)
    run(Inputs(source), Outputs(clip), IngestSettings(height=64, bars="keep"))
    frames, _ = read_clip(clip)
    nearest = [int(np.abs(np.stack(shown).astype(int) - frame).mean((1, 2, 3)).argmin()) for frame in frames]
    assert nearest[:18] == list(range(18))
