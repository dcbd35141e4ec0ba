"""Files that went wrong once (``shared/inputs`` beside the repository, with its README), each with what is right.

Tests with files that they make themselves are beside this one, in ``tests/records/test_picture.py`` and in
``tests/config/test_sheets.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from diffsign.config.detect import DetectSettings
from diffsign.config.ingest import IngestSettings
from diffsign.config.sheets import SignerRow, VideoRow, read_sheet
from diffsign.detect.stage import detect_clip
from diffsign.errors import DiffSignError
from diffsign.ingest.stage import Inputs, Outputs, run
from diffsign.ingest.window import Trim, Window
from diffsign.records.clip import read_clip
from diffsign.records.ffmpeg import ffmpeg_version
from diffsign.records.picture import read_picture
from tests.ingest.test_inputs import PATCHES, SMALL, Made, number_of, patches_of

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "inputs"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"there is no folder of inputs beside the repository ({FOLDER})"
)


def made(path: Path, folder: Path, settings: IngestSettings = SMALL, start: float = 0.0) -> Made:
    clip, audio = folder / "clip.mkv", folder / "clip.mka"
    run(Inputs(path, Window(Trim(start))), Outputs(clip, audio), settings)
    return Made(read_clip(clip)[0], audio)


def card_is_whole(path: Path, folder: Path, said: Callable[[], str], frames: int = 48) -> None:
    pictures = made(path, folder, IngestSettings(fps=24, height=240)).pictures
    assert np.abs(patches_of(pictures[4]) - PATCHES).max() <= 4
    assert [number_of(picture) for picture in pictures[:frames]] == list(range(frames))


def sound_is_late(path: Path, folder: Path, said: Callable[[], str]) -> None:
    assert made(path, folder).sound()[1] == pytest.approx(1.5, abs=0.02)
    assert made(path, folder, start=0.25).sound()[1] == pytest.approx(1.25, abs=0.02)


def keeps_its_shape(path: Path, folder: Path, said: Callable[[], str]) -> None:
    if ffmpeg_version().endswith("-static"):
        pytest.skip("this build of ffmpeg crashes on every MPEG transport stream")
    last = made(path, folder).pictures[-3]
    assert last[:8].max() < 40 and np.abs(patches_of(last[12:-12]) - PATCHES).max() <= 12


def is_called_interlaced(path: Path, folder: Path, said: Callable[[], str]) -> None:
    made(path, folder)
    assert "interlaced" in said()


def is_called_sideways(path: Path, folder: Path, said: Callable[[], str]) -> None:
    run(Inputs(path, Window(Trim(0, 0.5))), Outputs(folder / "clip.mkv"), IngestSettings(height=256))
    detect_clip(folder / "clip.mkv", DetectSettings())
    assert "in the column 'rotate'" in said()


def is_seen(path: Path, folder: Path, said: Callable[[], str]) -> None:
    picture = np.asarray(read_picture(path)).astype(float)
    assert picture.shape == (256, 256, 3) and 20 < picture.mean() < 235 and picture.std() > 20


def is_over_white(path: Path, folder: Path, said: Callable[[], str]) -> None:
    assert np.asarray(read_picture(path))[0, 0].tolist() == [255, 255, 255]


def is_refused(path: Path, folder: Path, said: Callable[[], str]) -> None:
    with pytest.raises(DiffSignError, match=path.name):
        read_picture(path)


def reads(path: Path, folder: Path, said: Callable[[], str], **texts: str) -> None:
    rows = read_sheet(path, SignerRow)
    assert {name: row.text for name, row in rows.items()} == texts


def names_row_3(path: Path, folder: Path, said: Callable[[], str]) -> None:
    with pytest.raises(DiffSignError, match=r"row 3: a quote .* is opened"):
        read_sheet(path, SignerRow)


def is_one_video(path: Path, folder: Path, said: Callable[[], str]) -> None:
    assert {name: row.caption for name, row in read_sheet(path, VideoRow).items()} == {"a": "x"}


RIGHT: dict[str, Callable[[Path, Path, Callable[[], str]], None]] = {
    "01_sound_hangs_join.mp4": card_is_whole,
    "03_audio_starts_late.mp4": sound_is_late,
    "04_hdr_pq.mp4": partial(card_is_whole, frames=24),
    "05_hd_untagged.mp4": card_is_whole,
    "06_two_video.mkv": card_is_whole,
    "07_size_changes.ts": keeps_its_shape,
    "08_interlaced_unflagged.mp4": is_called_interlaced,
    "10_sound_not_muxable.flv": card_is_whole,
    "pic_exif6.jpg": is_seen,
    "pic_gray16.png": is_seen,
    "pic_int32.tif": is_seen,
    "pic_p3.jpg": is_seen,
    "pic_pal_transp.gif": is_over_white,
    "pic_rgba_black.png": is_over_white,
    "pic_trunc.jpg": is_refused,
    "sheet_background_first.tsv": partial(reads, a="a woman", b="a man"),
    "sheet_excel_newline.tsv": partial(reads, a="a woman with a red shirt", b="a man"),
    "sheet_nel_ls.tsv": partial(reads, a="a woman red shirt", b="x y"),
    "sheet_open_quote_last.tsv": names_row_3,
    "sheet_utf16_excel.tsv": is_one_video,
    "sideways.mp4": is_called_sideways,
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right(tmp_path, caplog, name):
    RIGHT[name](FOLDER / name, tmp_path, lambda: caplog.text)


def test_every_file_is_looked_at():
    assert {path.name for path in FOLDER.iterdir()} - {"README.md"} == set(RIGHT)
