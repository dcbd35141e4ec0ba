"""The tables that the page of the experiments gets."""

import csv

import experiments
import pytest

from diffsign.errors import DiffSignError

HEADER = "method metric mean low high n frames best p".split()


def write(path, rows):
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([HEADER, *rows])
    return path


def test_a_table_shows_the_best_the_stars_and_the_intervals(tmp_path):
    path = write(
        tmp_path / "compare.csv",
        [
            ("a", "fid", 100.0, 90.0, 110.0, 8, 32, True, ""),
            ("b", "fid", 150.0, 140.0, 160.0, 8, 32, False, 0.01),
            ("a", "handshape_error_source", 10.0, "", "", 7, 64, False, 0.2),
            ("b", "handshape_error_source", "", "", "", 0, 0, False, ""),
        ],
    )
    head, _, first, second = experiments.table(path, intervals=True)
    assert head == "| | n | frames | handshape error ↓ | FID ↓ |"
    assert first == "| a | 8 | 32 | 10.0°<br>n = 7 | **100**<br>90.0 to 110 |"
    assert second == "| b | 8 | 32 | – | 150*<br>140 to 160 |"
    assert "to" not in "".join(experiments.table(path, intervals=False))


def test_without_a_comparison_there_is_no_table(tmp_path):
    with pytest.raises(DiffSignError, match="comparison"):
        experiments.table(tmp_path / "none.csv", intervals=False)
