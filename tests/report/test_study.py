import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.config.study import StudySettings
from diffsign.errors import DiffSignError
from diffsign.report.agreement import krippendorff
from diffsign.report.study import MakeInputs, MakeOutputs, ReadInputs, ReadOutputs, make, read

HEADER = "item\tmethod\tvideo\tquestion\tkind\toptions\tanswer\tquestion_video"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, write_videos, make_metrics) -> Path:
    folder = tmp_path_factory.mktemp("clip of a study")
    write_videos(folder, make_metrics())
    return folder / "signers" / "anna" / "hello" / "clip.mp4"


@pytest.fixture
def sheet(tmp_path: Path, clip: Path) -> Path:
    """Six items by two methods, each with a right answer and a rating; one question is signed as well."""
    rows = [HEADER]
    for item in range(6):
        for method in ("secret-a", "secret-b"):
            video = tmp_path / f"{item}-{method}.mp4"
            video.write_bytes(clip.read_bytes() + bytes([item, len(method)]))
            right = ("cat", "dog")[item % 2]
            question_video = video.name if item == 0 else ""
            rows.append(
                f"item{item}\t{method}\t{video.name}\tWhat was signed?\tchoice\tcat;dog\t{right}\t{question_video}"
            )
            rows.append(f"item{item}\t{method}\t{video.name}\tHow natural?\trating\tnot at all;fairly;very\t\t")
    path = tmp_path / "study.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def made(sheet: Path) -> tuple[Path, list[dict[str, str]]]:
    page, key = sheet.with_name("study.html"), sheet.with_name("key.csv")
    make(MakeInputs(sheet), MakeOutputs(page, key), StudySettings())
    with key.open(encoding="utf-8") as stream:
        return page, list(csv.DictReader(stream))


Answer = Callable[[str, dict[str, str]], str]


@pytest.fixture
def write_answers(tmp_path: Path) -> Callable[[str, list[dict[str, str]], Answer], Path]:
    def write(viewer: str, key: list[dict[str, str]], answer: Answer) -> Path:
        path = tmp_path / f"answers-{viewer}.csv"
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow("study viewer order code question_number answer seconds plays".split())
            for order, row in enumerate(key, 1):
                writer.writerow(
                    ["Study", viewer, order, row["code"], row["question_number"], answer(viewer, row), 9, 1]
                )
        return path

    return write


def test_the_page_is_blind_and_needs_no_network(made: tuple[Path, list[dict[str, str]]]) -> None:
    page, key = made
    text = page.read_text()
    assert "secret" not in text and "item0" not in text and not re.search(r"https?://", text)
    plan = json.loads(re.search(r'id="plan">(.*?)</script>', text, re.S)[1])  # type: ignore[index]
    assert len(plan["items"]) == 6 and all(len(item) == 2 for item in plan["items"])
    assert {trial["code"] for item in plan["items"] for trial in item} == {row["code"] for row in key}
    assert len(json.loads(re.search(r'id="videos">(.*?)</script>', text, re.S)[1])) == 12  # type: ignore[index]


def test_answers_become_accuracy_ratings_and_agreement(made, write_answers, tmp_path: Path) -> None:
    _, key = made

    def answer(viewer: str, row: dict[str, str]) -> str:
        good = row["method"] == "secret-a"
        if row["kind"] == "rating":
            return "very" if good else "fairly"
        wrong = "dog" if row["right"] == "cat" else "cat"
        return row["right"] if good or row["item"] == "item0" else wrong

    paths = [write_answers(f"v{number}", key, answer) for number in range(6)]
    text = read(ReadInputs(tmp_path / "key.csv", tuple(paths)), ReadOutputs(tmp_path / "out"))
    with (tmp_path / "out" / "study.csv").open() as stream:
        rows = {(row["method"], row["metric"]): row for row in csv.DictReader(stream)}
    a, b = rows["secret-a", "comprehension"], rows["secret-b", "comprehension"]
    assert (a["mean"], a["n"], a["best"]) == ("1", "6", "True")
    assert float(b["mean"]) == pytest.approx(1 / 6, rel=1e-5) and float(b["p"]) < 0.05 and b["paired"] == "True"
    assert (rows["secret-a", "How natural?"]["mean"], rows["secret-b", "How natural?"]["mean"]) == ("3", "2")
    assert "alpha 1.00" in text and "over viewers" in text
    with (tmp_path / "out" / "answers.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 6 * len(key)


def test_the_last_answer_of_a_viewer_counts(made, write_answers, tmp_path: Path) -> None:
    _, key = made
    first = write_answers("v", key[:1], lambda viewer, row: "dog")
    first = first.rename(first.with_name("first.csv"))
    second = write_answers("v", key[:1], lambda viewer, row: row["right"])
    read(ReadInputs(tmp_path / "key.csv", (first, second)), ReadOutputs(tmp_path))
    with (tmp_path / "study.csv").open() as stream:
        assert next(csv.DictReader(stream))["mean"] == "1"


@pytest.mark.parametrize(
    ("row", "fact"),
    [
        ("a\tm\tnone.mp4\tQ\ttext\t\t\t", "row 2.*none.mp4"),
        ("a\tm\t{clip}\tQ\tchioce\tx;y\t\t", "row 2.*choice"),
        ("a\tm\t{clip}\tQ\tchoice\tx\t\t", "row 2.*options"),
        ("a\tm\t{clip}\tQ\tchoice\tx;y\tz\t", "row 2.*'z'"),
        ("\tm\t{clip}\tQ\ttext\t\t\t", "row 2.*item"),
        ("a\tm\t{clip}\tQ\ttext\t\t\t\textra", "row 2"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, clip: Path, row: str, fact: str) -> None:
    sheet = tmp_path / "s.tsv"
    sheet.write_text(f"{HEADER}\n{row.format(clip=clip)}\n")
    with pytest.raises(DiffSignError, match=rf"s\.tsv.*{fact}"):
        make(MakeInputs(sheet), MakeOutputs(tmp_path / "p.html", tmp_path / "k.csv"), StudySettings())
    assert not (tmp_path / "p.html").exists() and not (tmp_path / "k.csv").exists()


def test_a_wrong_header_is_named(tmp_path: Path) -> None:
    for header, fact in (
        (HEADER.replace("method", "methd"), "methd.*method"),
        ("item\tvideo", "method"),
        (HEADER, "rows"),
    ):
        sheet = tmp_path / "s.tsv"
        sheet.write_text(header + "\n")
        with pytest.raises(DiffSignError, match=fact):
            make(MakeInputs(sheet), MakeOutputs(tmp_path / "p.html", tmp_path / "k.csv"), StudySettings())


def test_answers_of_another_study_are_refused(made, write_answers, tmp_path: Path) -> None:
    _, key = made
    other = write_answers("v", [key[0] | {"code": "0123456789"}], lambda viewer, row: "cat")
    with pytest.raises(DiffSignError, match=r"answers-v\.csv.*row 2.*0123456789"):
        read(ReadInputs(tmp_path / "key.csv", (other,)), ReadOutputs(tmp_path))
    odd = write_answers("w", key[:1], lambda viewer, row: "horse")
    with pytest.raises(DiffSignError, match=r"answers-w\.csv.*row 2.*horse"):
        read(ReadInputs(tmp_path / "key.csv", (odd,)), ReadOutputs(tmp_path))
    with pytest.raises(DiffSignError, match=r"key\.csv.*study"):
        read(ReadInputs(tmp_path / "key.csv", (tmp_path / "key.csv",)), ReadOutputs(tmp_path))


def test_the_commands(sheet: Path, made, write_answers, tmp_path: Path) -> None:
    page = tmp_path / "other.html"
    result = CliRunner().invoke(app, ["study", "make", str(sheet), str(page), "--key", str(tmp_path / "key.csv")])
    assert result.exit_code == 0 and page.exists(), result.output
    answers = write_answers("v", made[1], lambda viewer, row: row["right"] or "very")
    result = CliRunner().invoke(app, ["study", "read", str(tmp_path / "key.csv"), str(answers), "--out", str(tmp_path)])
    assert result.exit_code == 0 and "Comprehension" in result.output, result.output


def test_alpha_is_that_of_krippendorffs_example() -> None:
    """The data of Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", part C."""
    nothing = None
    viewers = {
        "a": [1, 2, 3, 3, 2, 1, 4, 1, 2, nothing, nothing, nothing],
        "b": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nothing, 3],
        "c": [nothing, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nothing],
        "d": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nothing],
    }
    units = [{v: row[k] for v, row in viewers.items() if row[k] is not None} for k in range(12)]
    assert krippendorff(units, nominal=True) == pytest.approx(0.743, abs=1e-3)
    assert krippendorff(units, nominal=False) == pytest.approx(0.849, abs=1e-3)
