import csv
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.config.compare import CompareSettings
from diffsign.errors import DiffSignError
from diffsign.records.clip import write_clip
from diffsign.records.metrics import Metric, save_metrics
from diffsign.report.compare import Inputs, Outputs, run
from diffsign.report.methods import find_run
from diffsign.report.sheet import pictures_of
from diffsign.report.statistics import difference, estimate, holm

METRICS = ["fid", "hands_recall_source"]


@pytest.fixture
def write_run(tmp_path: Path, make_metrics) -> Callable[..., Path]:
    """Write a run whose clips have given FIDs, all by one signer."""

    def write(name: str, fids: list[float], network: str = "tiny CLIP", signer: str = "anna", first: int = 0) -> Path:
        for number, fid in enumerate(fids, first):
            result = make_metrics(signer, f"clip{number:02}")
            metrics = result.metrics | {"fid": Metric(value=fid, frames=12, network=network)}
            result = result.model_copy(update={"metrics": metrics, "series": {}})
            save_metrics(tmp_path / name / "signers" / signer / result.video / "metrics.json", result)
        return tmp_path / name

    return write


def compared(out: Path, *runs: str, **settings) -> dict[tuple[str, str], dict[str, str]]:
    run(Inputs(runs), Outputs(out), CompareSettings(**({"metrics": METRICS} | settings)))
    with (out / "compare.csv").open(encoding="utf-8") as stream:
        return {(row["method"], row["metric"]): row for row in csv.DictReader(stream)}


def test_means_intervals_and_the_best(write_run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clips = rng.normal(50, 20, 12)
    write_run("a", list(clips))
    write_run("b", list(clips + rng.normal(5, 1, 12)))
    rows = compared(
        tmp_path / "out", str(tmp_path / "a"), f"better=name={tmp_path / 'b'}".replace("better=name", "second")
    )
    a, b = rows["a", "fid"], rows["second", "fid"]
    assert (a["best"], b["best"], a["n"]) == ("True", "False", "12")
    assert float(a["mean"]) == pytest.approx(clips.mean(), rel=1e-5)
    assert float(a["low"]) < clips.mean() < float(a["high"])
    assert b["paired"] == "True" and float(b["p"]) < 0.01 and float(b["difference"]) == pytest.approx(5, abs=1)
    texts = {suffix: (tmp_path / "out" / f"compare.{suffix}").read_text() for suffix in ("md", "tex", "html")}
    best = f"{clips.mean():.1f}"
    assert (
        f"**{best}**" in texts["md"]
        and f"\\textbf{{{best}}}" in texts["tex"]
        and f"<strong>{best}</strong>" in texts["html"]
    )
    assert "n = 12" in texts["md"] and "\\toprule" in texts["tex"] and "<svg" in texts["html"]
    for suffix, start in {"png": b"\x89PNG", "pdf": b"%PDF"}.items():
        assert (tmp_path / "out" / f"compare.{suffix}").read_bytes().startswith(start)


def test_the_same_clips_are_paired_and_other_clips_are_not(write_run, tmp_path: Path) -> None:
    fids = [float(f) for f in range(10, 22)]
    write_run("a", fids)
    write_run("same", [f + 1 for f in fids])
    write_run("other", [f + 1 for f in fids], first=50)
    rows = compared(tmp_path / "out", *(str(tmp_path / name) for name in ("a", "same", "other")))
    assert rows["same", "fid"]["paired"] == "True" and float(rows["same", "fid"]["p"]) < 0.01
    assert rows["other", "fid"]["paired"] == "False" and float(rows["other", "fid"]["p"]) > 0.2


def test_networks_are_not_compared_with_each_other(write_run, tmp_path: Path) -> None:
    write_run("a", [1.0] * 6)
    write_run("b", [2.0] * 6, network="Inception")
    run(Inputs((str(tmp_path / "a"), str(tmp_path / "b"))), Outputs(tmp_path / "out"), CompareSettings(metrics=["fid"]))
    with (tmp_path / "out" / "compare.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["method"], row["network"], row["n"], row["best"]) for row in rows] == [
        ("a", "Inception", "0", "False"),
        ("b", "Inception", "6", "False"),
        ("a", "tiny CLIP", "6", "False"),
        ("b", "tiny CLIP", "0", "False"),
    ]


def test_signers_of_a_run_are_methods_or_are_averaged_clip_by_clip(write_run, tmp_path: Path) -> None:
    folder = write_run("a", [1.0, 2.0, 3.0])
    write_run("a", [3.0, 4.0, 5.0], signer="ben")
    averaged = compared(tmp_path / "out", str(folder), by="run")
    assert averaged["a", "fid"]["mean"] == "3" and averaged["a", "fid"]["n"] == "3", "three clips, not six"
    apart = compared(tmp_path / "out", str(folder))
    assert (apart["anna", "fid"]["mean"], apart["ben", "fid"]["mean"]) == ("2", "4")
    assert apart["anna", "fid"]["best"] == "True" and apart["anna", "fid"]["low"] == "", "three clips have no interval"


def test_names_are_text_in_every_format(write_run, tmp_path: Path) -> None:
    folder = write_run("a", [1.0, 2.0])
    evil = "<b>a_1 & 50% | $x$</b>"
    run(
        Inputs((f"{evil}={folder}",)), Outputs(tmp_path / "out"), CompareSettings(metrics=["fid"], title=evil, by="run")
    )
    assert "<b>" not in (tmp_path / "out" / "compare.html").read_text()
    tex = (tmp_path / "out" / "compare.tex").read_text()
    assert "a\\_1 \\& 50\\% | \\$x\\$" in tex
    assert "50% \\| $x$" in (tmp_path / "out" / "compare.md").read_text()


def test_mistakes_are_named(write_run, tmp_path: Path) -> None:
    folder = str(write_run("a", [1.0]))
    for runs, settings, fact in (
        ((str(tmp_path / "nowhere"),), {}, "nowhere"),
        ((folder, folder), {}, "'a'"),
        ((folder,), {"metrics": ["fidd"]}, "fidd.*'fid'"),
    ):
        with pytest.raises(DiffSignError, match=fact):
            compared(tmp_path / "out", *runs, **settings)
    assert not (tmp_path / "out").exists()


def test_the_command_prints_the_table(write_run, tmp_path: Path) -> None:
    folder = write_run("a", [1.0, 3.0])
    arguments = ["compare", f"mine={folder}", "--out", str(tmp_path / "out"), "--metrics", '["fid"]', "--by", "run"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "| mine |" in result.output and "2.00" in result.output


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(60):
        e = estimate(rng.normal(2, 1, 40))
        covered.append(e.low <= 2 <= e.high)
    assert 0.85 <= np.mean(covered) <= 1


def test_the_interval_is_near_that_of_scipy() -> None:
    values = np.random.default_rng(1).exponential(1, 50)
    expected = stats.bootstrap((values,), np.mean, method="percentile", rng=5).confidence_interval
    e = estimate(values)
    assert (e.low, e.high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_a_paired_difference_of_six_clips_has_the_exact_p() -> None:
    values = [0.1, 0.4, 0.2, 0.3, -0.05, 0.6]
    first = {str(k): 1 + v for k, v in enumerate(values)}
    d = difference(first, dict.fromkeys(first, 1.0))
    means = [
        np.mean([s * v for s, v in zip(signs, values, strict=True)]) for signs in itertools.product((1, -1), repeat=6)
    ]
    expected = np.mean([abs(mean) >= np.mean(values) - 1e-12 for mean in means])
    assert d.p == pytest.approx(expected) and d.paired and d.n == 6
    same = difference(first, first)
    assert same.p == 1 and same.mean == 0


def test_holm_leaves_out_what_has_no_p() -> None:
    adjusted = holm([float("nan"), 0.01, 0.5, 0.02])
    assert np.isnan(adjusted[0]) and adjusted[1:] == pytest.approx([0.03, 0.5, 0.04])


def test_where_all_are_alike_none_is_best(write_run, tmp_path: Path) -> None:
    for name in "ab":
        write_run(name, [1.0] * 6)
    rows = compared(tmp_path / "out", str(tmp_path / "a"), str(tmp_path / "b"))
    assert {(row["best"], row["p"]) for row in rows.values()} == {("False", "")}


def test_the_best_may_be_sought_within_each_run(write_run, tmp_path: Path) -> None:
    for run_name, first, second in (("a", 1.0, 2.0), ("b", 3.0, 4.0)):
        write_run(run_name, [first] * 5, signer="anna")
        write_run(run_name, [second + 0.01 * k for k in range(5)], signer="ben")
    runs = [str(tmp_path / name) for name in ("a", "b")]
    among_all = compared(tmp_path / "out", *runs, by="signer", metrics=["fid"])
    within = compared(tmp_path / "out", *runs, by="signer", best="run", metrics=["fid"])
    assert [name for (name, _), row in among_all.items() if row["best"] == "True"] == ["a, anna"]
    assert [name for (name, _), row in within.items() if row["best"] == "True"] == ["a, anna", "b, anna"]
    assert float(within["b, ben", "fid"]["difference"]) == pytest.approx(1.02)
    assert within["a, anna", "fid"]["frames"] == "60", "five clips of twelve frames"
    page = (tmp_path / "out" / "compare.md").read_text()
    assert "Bold is best of its run." in page


@pytest.mark.parametrize(
    ("clips", "said"),
    [(4, "no interval and no test"), (5, "cannot show a difference"), (7, "is significantly worse than the best")],
)
def test_the_note_says_what_so_many_clips_can_show(write_run, tmp_path: Path, clips: int, said: str) -> None:
    for number, name in enumerate("abc"):
        write_run(name, [number + 0.01 * clip for clip in range(clips)])
    rows = compared(tmp_path / "out", *(str(tmp_path / name) for name in "abc"), metrics=["fid"])
    note = (tmp_path / "out" / "compare.md").read_text()
    assert said in note
    starred = note.count("*<br>") - note.count("**<br>")
    assert starred == (2 if clips == 7 else 0), "p is 2 / 2^7 twice, and 2 / 2^5 is too much"
    assert (rows["b", "fid"]["p"] == "") == (clips == 4)


def test_many_methods_are_rows(write_run, tmp_path: Path) -> None:
    for number in range(8):
        write_run("a", [1.0 + number], signer=f"s{number}")
    compared(tmp_path / "out", str(tmp_path / "a"))
    page, tex = ((tmp_path / "out" / f"compare.{suffix}").read_text() for suffix in ("html", "tex"))
    assert page.count('<th scope="row" class="who">s') == 8
    assert "\\begin{tabular}{lrr}" in tex and "Method & \\shortstack" in tex


def test_the_sheet_shows_the_middle_of_each_runs_first_video(write_run, tmp_path: Path) -> None:
    folder = write_run("a", [1.0, 2.0])
    write_run("a", [1.0], signer="ben")
    write_run("without clips", [1.0])
    for clip, shade in (("videos/clip00", 0), ("signers/anna/clip00", 80), ("signers/ben/clip00", 160)):
        write_clip(folder / clip / "clip.mkv", np.full((12, 32, 48, 3), shade, np.uint8), 24)
    (folder / "signers" / "ben" / "clip01").mkdir()
    pictures = pictures_of(find_run(str(folder)))
    assert [(name, int(frame.mean())) for name, frame in pictures] == [("source", 0), ("anna", 80), ("ben", 160)]
    compared(tmp_path / "out", str(folder), str(tmp_path / "without clips"))
    with Image.open(tmp_path / "out" / "pictures.jpg") as sheet:
        middles = [sheet.getpixel((8 + 308 * number + 150, 8 + 20 + 100)) for number in range(3)]
    assert [round(pixel[0] / 80) for pixel in middles] == [0, 1, 2]
    assert "pictures.jpg" in (tmp_path / "out" / "compare.html").read_text()


def test_without_clips_there_is_no_sheet(write_run, tmp_path: Path) -> None:
    compared(tmp_path / "out", str(write_run("a", [1.0])))
    assert not (tmp_path / "out" / "pictures.jpg").exists()
    assert "pictures.jpg" not in (tmp_path / "out" / "compare.html").read_text()
