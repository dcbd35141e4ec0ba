"""Black bars are cropped, to the pixel, and what only looks like one is kept."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from diffsign.config.ingest import IngestSettings
from diffsign.ingest.bars import find_bars
from diffsign.ingest.stage import Inputs, Outputs, run
from diffsign.ingest.window import parse_window
from diffsign.records.clip import probe_clip, write_clip
from diffsign.records.placement import load_placement


def film(frames: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(60, 200, (frames, 96, 128), dtype=np.uint8)


def test_a_film_without_bars() -> None:
    assert find_bars(film()) == (0, 0, 0, 0)


def test_bars_on_any_side_are_found_to_the_pixel() -> None:
    barred = film()
    barred[:, :12], barred[:, -23:] = 3, 3
    assert find_bars(barred) == (0, 12, 0, 23)
    barred[..., :31] = 16
    assert find_bars(barred) == (31, 12, 0, 23)


def test_what_is_black_for_a_moment_or_altogether_is_no_bar() -> None:
    fading = film()
    fading[:3] = 0
    assert find_bars(fading) == (0, 0, 0, 0)
    assert find_bars(np.zeros((3, 96, 128), np.uint8)) == (0, 0, 0, 0)
    jacket = film()
    jacket[:, -30:, 20:] = 5
    assert find_bars(jacket) == (0, 0, 0, 0)


def test_a_person_before_a_black_wall_has_no_bars() -> None:
    studio = np.zeros((5, 96, 128), np.uint8)
    studio[:, 20:40, 54:74] = 150  # head
    studio[:, 40:, 40:88] = 120  # trunk
    assert find_bars(studio) == (0, 0, 0, 0)


@pytest.mark.parametrize(("bars", "size"), [("crop", (512, 512)), ("keep", (384, 512))])
def test_the_clip_is_the_picture_without_its_bars(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bars: str, size: tuple[int, int]
) -> None:
    barred = np.repeat(film(6)[..., None], 3, -1)
    barred[:, :, :16], barred[:, :, -16:] = 0, 0
    tall = np.zeros((6, 128, 96, 3), np.uint8)
    tall[:, 16:112] = barred[:, :, 16:112]
    write_clip(tmp_path / "tall.mkv", tall, 24)
    settings = IngestSettings(bars=bars)  # type: ignore[call-arg]
    outputs = Outputs(tmp_path / "clip.mkv", placement=tmp_path / "placement.json")
    with caplog.at_level(logging.WARNING):
        run(Inputs(tmp_path / "tall.mkv", parse_window()), outputs, settings)
    clip = probe_clip(outputs.clip)
    assert (clip.width, clip.height) == size
    cropped = bars == "crop"
    assert ("black bars" in caplog.text) == cropped
    corner = load_placement(tmp_path / "placement.json").points_in_clip(np.array([0.0, 16.0]))
    np.testing.assert_allclose(corner, [0, 0] if cropped else [0, 64], atol=0.6)


def test_a_crop_of_the_users_is_taken_as_it_is(tmp_path: Path) -> None:
    barred = np.repeat(film(3)[..., None], 3, -1)
    barred[:, :12] = 0
    write_clip(tmp_path / "barred.mkv", barred, 24)
    outputs = Outputs(tmp_path / "clip.mkv")
    run(Inputs(tmp_path / "barred.mkv", parse_window(crop="96:96:0:0")), outputs, IngestSettings())  # type: ignore[call-arg]
    assert probe_clip(outputs.clip).width == 512
