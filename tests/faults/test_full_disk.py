"""A full disk is called a full disk, and leaves nothing half written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from diffsign.config.ingest import IngestSettings
from diffsign.errors import DiffSignError, DiskFullError
from diffsign.files import atomic, scratch
from diffsign.ingest.stage import Inputs, Outputs, run
from diffsign.records.archive import save_archive
from diffsign.records.clip import write_clip
from diffsign.records.ffmpeg import ffmpeg_command
from diffsign.records.json_record import save_record
from diffsign.records.tensors import save_tensors


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KB with 64 KB of it left."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    (folder / "filler").write_bytes(bytes(192 * 1024))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def only_the_filler(folder: Path) -> bool:
    return [path.name for path in folder.iterdir()] == ["filler"]


NOISE = np.random.default_rng(0).integers(0, 256, (24, 96, 128, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_clip(path.with_suffix(".mkv"), NOISE, 24),
        lambda path: write_clip(path.with_suffix(".mp4"), NOISE, 24),
        lambda path: save_archive(path.with_suffix(".npz"), "apple", 1, {"x": NOISE}),
        lambda path: save_record(path.with_suffix(".json"), "apple", 1, {"x": "x" * 200_000}),
        lambda path: save_tensors(path.with_suffix(".safetensors"), {"x": torch.rand(200_000)}, {}),
    ],
    ids=["mkv", "mp4", "npz", "json", "safetensors"],
)
def test_what_cannot_be_written_is_not_there(full: Path, write) -> None:
    with pytest.raises(DiskFullError, match="full"):
        write(full / "a")
    assert only_the_filler(full)


def test_ingest_blames_the_disk_and_not_the_video(full: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    graph = "testsrc=size=320x240:rate=24:duration=2,noise=alls=60:allf=t"
    subprocess.run(ffmpeg_command("-f", "lavfi", "-i", graph, "-pix_fmt", "yuv420p", source), check=True)
    outputs = Outputs(full / "clip.mkv", full / "clip.mka", full / "clip.mp4")
    with pytest.raises(DiskFullError) as error:
        run(Inputs(source), outputs, IngestSettings(height=240))
    assert "clip." in str(error.value) and "copy or export" not in str(error.value)
    assert only_the_filler(full)


def test_a_full_folder_of_temporary_files(full: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(full))
    with pytest.raises(DiskFullError, match="TMPDIR"), scratch("test") as folder:
        (folder / "a").write_bytes(bytes(200_000))
    assert only_the_filler(full)


def test_an_older_file_stays(full: Path) -> None:
    (full / "a.npz").write_bytes(b"older")
    with pytest.raises(DiskFullError):
        save_archive(full / "a.npz", "apple", 1, {"x": NOISE})
    assert (full / "a.npz").read_bytes() == b"older"


def test_other_errors_keep_their_own_words(tmp_path: Path) -> None:
    with pytest.raises(DiffSignError, match="wrong") as error, atomic(tmp_path / "a"):
        raise DiffSignError("wrong")
    assert not isinstance(error.value, DiskFullError)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_runs_left_goes_and_what_others_write_stays(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / ".clip.diffsign-0123abcd.mkv").write_bytes(b"half")
    (tmp_path / "diffsign-test-dead").mkdir()
    with atomic(tmp_path / "clip.mkv") as first, scratch("test") as folder:
        first.write_bytes(b"first")
        with atomic(tmp_path / "clip.mkv") as second, scratch("test") as other:
            second.write_bytes(b"second")
            names = {path.name for path in tmp_path.iterdir()}
            assert names == {first.name, second.name, folder.name, other.name}
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]


def test_a_place_where_nothing_may_be_written_is_not_called_full(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "a.npz", tmp_path / "file" / "b" / "a.npz", Path("/proc/a.npz")):
        with pytest.raises(DiffSignError, match="cannot be written") as error, atomic(path):
            raise AssertionError
        assert not isinstance(error.value, DiskFullError)
