from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.errors import DiffSignError
from diffsign.records.metric_definitions import METRIC_DEFINITIONS, format_value
from diffsign.records.metrics import Break, Evaluation, Metric, load_metrics, save_metrics
from diffsign.report.results import find_results
from diffsign.report.tables import Spread, write_tables

Run = tuple[Path, list[Path]]


def tables_of(folder: Path, evaluations: list[Evaluation]) -> dict[str, pd.DataFrame]:
    """Write results as files, and read the tables that are made of them."""
    paths = []
    for number, evaluation in enumerate(evaluations):
        paths.append(folder / f"{number}.json")
        save_metrics(paths[-1], evaluation)
    written = write_tables(folder / "tables", find_results(paths))
    return {path.stem: pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in written}


@pytest.fixture
def tables(run: Run, tmp_path: Path) -> dict[str, pd.DataFrame]:
    return tables_of(tmp_path / "of the run", list(find_results(run[1])))


def test_results_are_sorted_whatever_the_order_of_the_files(run: Run) -> None:
    _, paths = run
    names = [(m.signer, m.video) for m in find_results(reversed(paths))]
    assert names == [("anna", "bye"), ("anna", "hello"), ("ben", "hello")]


def test_the_same_result_twice_is_refused(run: Run) -> None:
    _, paths = run
    with pytest.raises(DiffSignError, match=r"metrics\.json.*metrics\.json.*hello.*anna"):
        find_results([*paths, paths[0]])


def test_odd_files_are_named(run: Run, tmp_path: Path) -> None:
    _, paths = run
    odd = tmp_path / "odd.json"
    for text in ("", "{}", "\x00\xff", '{"format": "diffsign-metrics", "version": 2}'):
        odd.write_bytes(text.encode("latin-1"))
        with pytest.raises(DiffSignError, match=r"odd\.json"):
            find_results([*paths, odd])
    with pytest.raises(DiffSignError, match=r"missing\.json"):
        find_results([tmp_path / "missing.json"])
    with pytest.raises(DiffSignError):
        find_results([])


def test_signers_have_mean_and_sample_deviation(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["signers"].set_index(["signer", "metric"])
    anna = table.loc[("anna", "fid")]
    assert anna["mean"] == pytest.approx(0.6) and anna["clips"] == 2
    assert anna["sd"] == pytest.approx(np.std([0.5, 0.7], ddof=1), rel=1e-5)
    assert np.isnan(table.loc[("ben", "fid")]["sd"])


def test_running_mean_and_deviation_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(1e6, 1, 200)
    spread = Spread()
    for value in values:
        spread.add(value)
    assert spread.mean == pytest.approx(values.mean()) and spread.sd == pytest.approx(values.std(ddof=1), rel=1e-6)
    assert np.isnan(Spread().mean) and np.isnan(Spread().sd)


def test_metrics_of_different_networks_are_not_averaged(make_metrics, tmp_path: Path) -> None:
    other = make_metrics("anna", "bye")
    changed = other.metrics | {"fid": Metric(value=9.0, frames=5, network="Inception")}
    results = [make_metrics("anna", "hello"), other.model_copy(update={"metrics": changed})]
    tables = tables_of(tmp_path, results)
    table = tables["signers"]
    assert sorted(table[table["metric"] == "fid"]["network"]) == ["Inception", "tiny CLIP"]
    paper = tables["paper"]
    assert paper["FID network"].tolist() == ["Inception", "tiny CLIP"] and paper["FID"].tolist() == [9.0, 0.5]


def test_the_papers_table_has_a_row_for_each_kind(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["paper"].set_index("prompt")
    assert table.index.tolist() == ["image", "text"]
    assert table.loc["text", "SSIM"] == pytest.approx(0.6)
    assert table.loc["image", "directional similarity"] == pytest.approx(0.2)
    assert table.loc["text", "clips"] == 2 and table.loc["text", "SSIM n"] == 2


def test_every_table_names_networks_frames_and_reasons(tables: dict[str, pd.DataFrame]) -> None:
    long = tables["metrics"]
    assert len(long) == 3 * len(METRIC_DEFINITIONS)
    missing = long[long["metric"] == "reference_similarity"]
    assert missing["value"].isna().all() and missing["reason"].notna().all()
    assert (long[long["metric"] == "fid"]["network"] == "tiny CLIP").all()
    wide = tables["clips"]
    assert set(METRIC_DEFINITIONS) <= set(wide.columns) and (wide["network_fid"] == "tiny CLIP").all()


def test_every_break_has_a_row(make_metrics, tmp_path: Path) -> None:
    broken = Break(parameter="mouth", against="source", start=0, end=12, worst=5, what="closed")
    table = tables_of(tmp_path, [make_metrics(breaks=[broken]), make_metrics("ben")])["breaks"]
    (row,) = table.to_dict("records")
    assert (row["signer"], row["parameter"], row["end_seconds"], row["worst_frame"]) == ("anna", "mouth", 0.5, 5)


def test_metrics_missing_from_an_older_file_are_empty_cells(make_metrics, tmp_path: Path) -> None:
    old = make_metrics("old", "hello")
    old = old.model_copy(update={"metrics": {"fid": old.metrics["fid"]}, "series": {}})
    wide = tables_of(tmp_path, [old])["clips"]
    assert wide["fid"].item() == 0.5 and wide["flicker"].isna().all()


def test_the_command_writes_tables_and_plots(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out put"
    result = CliRunner().invoke(app, ["aggregate", str(out), *map(str, run[1])])
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(out / "tables" / "clips.csv")) == 3
    assert pd.read_csv(out / "tables" / "paper.csv").shape[0] == 2
    for plot in ("legibility", "ssim", "detection"):
        assert (out / "figures" / f"{plot}.png").read_bytes().startswith(b"\x89PNG")
        assert (out / "figures" / f"{plot}.pdf").read_bytes().startswith(b"%PDF")
        assert "<svg" in (out / "figures" / f"{plot}.svg").read_text()
    before = {path: path.read_bytes() for path in sorted(out.rglob("*.*"))}
    assert CliRunner().invoke(app, ["aggregate", str(out), *map(str, run[1])]).exit_code == 0
    assert before == {path: path.read_bytes() for path in sorted(out.rglob("*.*"))}, "the same bytes every time"


def test_plots_stand_a_lone_result_without_series(tmp_path: Path, make_metrics) -> None:
    bare = make_metrics("a $x_1$ signer", "v").model_copy(update={"series": {}, "metrics": {}})
    path = tmp_path / "m.json"
    save_metrics(path, bare)
    result = CliRunner().invoke(app, ["aggregate", str(tmp_path / "out"), str(path)])
    assert result.exit_code == 0, result.output
    assert load_metrics(path) == bare


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("hands_pck_source", 0.912, "91 %"),
        ("hands_pck_source", 0.9996, "100.0 %"),
        ("hands_pck_source", 1.0, "100 %"),
        ("handshape_error_source", 12.345, "12.3°"),
        ("flicker", 1.2, "1.20×"),
        ("fid", 123.456, "123"),
        ("warping_error", 0.00012, "1.2e-04"),
        ("warping_error", 0.0, "0.000"),
        ("hands_error_source", 0.0712, "0.071 hand sizes"),
        ("fid", None, "–"),
    ],
)
def test_values_are_shown_with_their_unit(name: str, value: float | None, text: str) -> None:
    assert format_value(name, value) == text
