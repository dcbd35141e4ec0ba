"""The film that detection looks at has the source's detail, in a multiple of the clip's size."""

from __future__ import annotations

import numpy as np
import pytest

from diffsign.config.ingest import IngestSettings
from diffsign.ingest.stage import Inputs, Outputs, run
from diffsign.ingest.window import Crop, Window
from diffsign.records.clip import probe_clip, read_clip, write_clip


@pytest.mark.parametrize(
    ("size", "settings", "times"),
    [
        ((64, 48), IngestSettings(height=64), 1),
        ((160, 120), IngestSettings(height=64), 2),
        ((100, 136), IngestSettings(height=64, width=96), 2),
        ((640, 480), IngestSettings(height=64), 3),
    ],
)
def test_detail_is_a_multiple_of_the_clip_in_size_and_has_its_frames(tmp_path, size, settings, times):
    source, clip, detail = tmp_path / "source.mkv", tmp_path / "clip.mkv", tmp_path / "detail.mp4"
    width, height = size
    ramp = np.linspace(0, 255, width).astype(np.uint8)[None, :, None]
    write_clip(source, [np.broadcast_to(ramp // (t + 1), (height, width, 3)).copy() for t in range(5)], 25.0)
    run(Inputs(source), Outputs(clip, detail=detail), settings)
    if times == 1:
        assert detail.read_bytes() == b""
        return
    small, large = read_clip(clip)[0].astype(int), read_clip(detail)[0].astype(int)
    assert large.shape == (5, times * small.shape[1], times * small.shape[2], 3)
    middle = large[:, times // 2 :: times, times // 2 :: times]
    inner = slice(times * 8, -times * 8)
    assert np.abs(middle - small)[:, inner, inner].mean() < 4, "the same places show the same"


def test_detail_of_a_crop(tmp_path):
    source, clip, detail = tmp_path / "source.mkv", tmp_path / "clip.mkv", tmp_path / "detail.mp4"
    write_clip(source, np.full((3, 240, 320, 3), 90, np.uint8), 25.0)
    crop = Crop(width=128, height=128, x=16, y=16)
    run(Inputs(source, Window(crop=crop)), Outputs(clip, detail=detail), IngestSettings(height=64))
    assert (probe_clip(detail).width, probe_clip(detail).height) == (128, 128)
