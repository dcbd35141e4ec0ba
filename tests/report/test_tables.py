from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_results import make_metrics
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.errors import DiffSignError
from diffsign.records.metric_definitions import DEFINITIONS, format_value
from diffsign.records.metrics import Figure, load_metrics, save_metrics
from diffsign.report.tables import clip_table, load_all, long_table, paper_table, signer_table

Run = tuple[Path, list[Path]]


def test_results_are_sorted_whatever_the_order_of_the_files(run: Run) -> None:
    _, paths = run
    names = [(m.signer, m.video) for m in load_all(reversed(paths))]
    assert names == [("anna", "bye"), ("anna", "hello"), ("ben", "hello")]


def test_the_same_result_twice_is_refused(run: Run) -> None:
    _, paths = run
    with pytest.raises(DiffSignError, match="both of the video 'hello' by the signer 'anna'"):
        load_all([*paths, paths[0]])


def test_odd_files_are_one_sentence(run: Run, tmp_path: Path) -> None:
    _, paths = run
    odd = tmp_path / "odd.json"
    for text, message in {"": "is empty", "{}": "no format key", "\x00\xff": "is not a metrics file"}.items():
        odd.write_bytes(text.encode("latin-1"))
        with pytest.raises(DiffSignError, match=message):
            load_all([*paths, odd])
    with pytest.raises(DiffSignError, match="does not exist"):
        load_all([tmp_path / "missing.json"])
    with pytest.raises(DiffSignError, match="no metrics were given"):
        load_all([])


def test_signers_have_mean_and_sample_deviation(run: Run) -> None:
    table = signer_table(load_all(run[1])).set_index(["signer", "figure"])
    anna = table.loc[("anna", "fid")]
    assert anna["mean"] == pytest.approx(0.6) and anna["clips"] == 2
    assert anna["sd"] == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert np.isnan(table.loc[("ben", "fid")]["sd"])


def test_figures_of_different_networks_are_not_averaged() -> None:
    other = make_metrics("anna", "bye")
    figures = other.figures | {"fid": Figure(value=9.0, frames=5, network="Inception")}
    results = [make_metrics("anna", "hello"), other.model_copy(update={"figures": figures})]
    table = signer_table(results)
    assert sorted(table[table["figure"] == "fid"]["network"]) == ["Inception", "tiny CLIP"]
    paper = paper_table(results)
    assert paper["FID network"].tolist() == ["Inception", "tiny CLIP"] and paper["FID"].tolist() == [9.0, 0.5]


def test_the_papers_table_has_a_row_for_each_kind(run: Run) -> None:
    table = paper_table(load_all(run[1])).set_index("prompt")
    assert table.index.tolist() == ["image", "text"]
    assert table.loc["text", "SSIM"] == pytest.approx(0.6)
    assert table.loc["image", "directional similarity"] == pytest.approx(0.2)
    assert table.loc["text", "clips"] == 2


def test_every_table_names_networks_frames_and_reasons(run: Run) -> None:
    results = load_all(run[1])
    long = long_table(results)
    assert len(long) == 3 * len(DEFINITIONS)
    missing = long[long["figure"] == "reference_similarity"]
    assert missing["value"].isna().all() and (missing["reason"] != "").all()
    assert (long[long["figure"] == "fid"]["network"] == "tiny CLIP").all()
    wide = clip_table(results)
    assert set(DEFINITIONS) <= set(wide.columns) and (wide["network_fid"] == "tiny CLIP").all()


def test_figures_missing_from_an_older_file_are_empty_cells(run: Run) -> None:
    old = make_metrics("old", "hello")
    old = old.model_copy(update={"figures": {"fid": old.figures["fid"]}, "series": {}})
    wide = clip_table([old])
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


def test_plots_stand_a_lone_result_without_series(tmp_path: Path) -> None:
    bare = make_metrics("a $x_1$ signer", "v").model_copy(update={"series": {}, "figures": {}})
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
