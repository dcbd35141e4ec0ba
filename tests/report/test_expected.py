"""Which results count, and the table of those that failed."""

import csv

import pytest

from diffsign.errors import DiffSignError
from diffsign.records.failures import Failure, is_mistake, last_line, load_failures, save_failures
from diffsign.report.expected import COLUMNS, expected_results, write_failures

FAILED = Failure(video="b", signer="s", stage="fit", log="b.log", message='Error: no, "really"\tno')


@pytest.fixture
def run(tmp_path):
    """A folder with a sheet of three videos, and what an earlier run left of two of them."""
    (tmp_path / "videos.tsv").write_text("video\tpath\na\ta.mp4\nb\tb.mp4\nc\tc.mp4\n")
    for video, signer in (("a", "s"), ("a", "t"), ("b", "s"), ("b", "t"), ("gone", "s")):
        file = tmp_path / "signers" / signer / video / "metrics.json"
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    save_failures(tmp_path / "failures.json", [FAILED])
    return tmp_path


def test_results_are_those_of_the_sheets_without_what_failed(run):
    expected = expected_results(run, [], run / "videos.tsv", ["s", "t"], [run / "failures.json"])
    assert [(path.parent.parent.name, path.parent.name) for path in expected.metrics] == [
        ("s", "a"),
        ("t", "a"),
        ("t", "b"),  # what an earlier run left of b by s is not a result of this one
    ]
    assert [(f.video, f.signer, f.stage) for f in expected.failures] == [
        ("b", "s", "fit"),
        ("c", "s", ""),
        ("c", "t", ""),
    ]


def test_metrics_by_name_are_taken_as_they_are(run):
    named = [run / "x.json"]
    assert expected_results(run, named, None, []).metrics == tuple(named)
    with pytest.raises(DiffSignError, match="--signer"):
        expected_results(run, named, run / "videos.tsv", [])


def test_the_table_of_failures(tmp_path):
    write_failures(tmp_path / "failed.csv", [FAILED])
    with (tmp_path / "failed.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row == {column: getattr(FAILED, column) for column in COLUMNS}
    write_failures(tmp_path / "failed.csv", [])
    assert (tmp_path / "failed.csv").read_text().split() == [",".join(COLUMNS)]


def test_a_list_of_failures_that_is_none(tmp_path):
    path = tmp_path / "failures.json"
    for text in ("", "{}", "[]", '{"format": "diffsign-failures", "version": 2, "failures": []}', "\x00"):
        path.write_text(text)
        with pytest.raises(DiffSignError, match=r"failures\.json"):
            load_failures(path)


def test_what_a_log_says_last(tmp_path):
    log = tmp_path / "a.log"
    assert last_line(log) == "" and not is_mistake(log)
    log.write_text("reading\nError: the video is empty.\n\n")
    assert last_line(log) == "Error: the video is empty." and is_mistake(log)
    log.write_text("reading\nFailed: the disk is full.\n")
    assert not is_mistake(log)
    log.write_bytes(b"reading\xff\nKilled\n")
    assert last_line(log) == "Killed" and not is_mistake(log)
    log.write_text("Error: the video is empty.\nFailed: 1 failed; it was killed.\n")
    assert last_line(log).startswith("Failed: ") and not is_mistake(log)
    log.write_text("Error: the video is empty.\n")
    assert is_mistake(log, log.stat().st_mtime) and not is_mistake(log, log.stat().st_mtime + 1)
