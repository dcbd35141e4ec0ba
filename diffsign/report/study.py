"""A comprehension study: a page for viewers, blind to the method, and their answers in the tables of the comparison."""

from __future__ import annotations

import base64
import csv
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffsign.config.study import StudySettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file
from diffsign.records.metric_definitions import MetricDefinition
from diffsign.report.agreement import krippendorff
from diffsign.report.comparison import csv_table, latex_table, markdown_table
from diffsign.report.methods import Column, column
from diffsign.report.page import templates, write_template
from diffsign.report.sections import ESCAPED
from diffsign.report.study_sheet import Question, load_study, method_order

KEY_COLUMNS = "code question_number item method question kind options right".split()
ANSWER_COLUMNS = "study viewer order code question_number answer seconds plays".split()


@dataclass(frozen=True)
class MakeInputs:
    """What a study is made of.

    Attributes:
        sheet: tab-separated, see ``docs/report.md``.
    """

    sheet: Path


@dataclass(frozen=True)
class MakeOutputs:
    """What is written.

    Attributes:
        page: the page for viewers (.html), with every video in it.
        key: what the codes on the page stand for (.csv); it stays with the researcher.
    """

    page: Path
    key: Path


def _data(path: Path) -> str:
    kind = {".webm": "webm"}.get(path.suffix.lower(), "mp4")
    return f"data:video/{kind};base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _shown(question: Question, videos: dict[Path, int]) -> dict[str, Any]:
    number = None if question.video is None else videos.setdefault(question.video, len(videos))
    return {"text": question.text, "kind": question.kind, "options": question.options, "video": number}


def make(inputs: MakeInputs, outputs: MakeOutputs, settings: StudySettings) -> str:
    """Write the page and its key.

    Returns:
        What was written.

    Raises:
        DiffSignError: if the sheet is wrong or a video is missing.
    """
    trials = load_study(inputs.sheet)
    videos: dict[Path, int] = {}
    shown: dict[str, list[dict[str, Any]]] = defaultdict(list)
    # Methods stand in one order in every item, so that viewers can take turns over them; which is which is not said.
    for trial in sorted(trials, key=lambda trial: method_order(trial.method, settings.seed)):
        number = videos.setdefault(trial.video, len(videos))
        questions = [_shown(question, videos) for question in trial.questions]
        shown[trial.item].append({"code": trial.code(settings.seed), "video": number, "questions": questions})
    introduction = None
    if settings.introduction_video is not None:
        path = require_file(settings.introduction_video, "video of the introduction")
        introduction = videos.setdefault(path, len(videos))
    plan = {
        "study": settings.title,
        "one_method_per_item": settings.one_method_per_item,
        "items": sorted(shown.values(), key=lambda item: item[0]["code"]),
        "columns": ANSWER_COLUMNS,
    }
    with atomic(outputs.key) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(KEY_COLUMNS)
        for trial in trials:
            for number, q in enumerate(trial.questions, 1):
                code = trial.code(settings.seed)
                writer.writerow([code, number, trial.item, trial.method, q.text, q.kind, ";".join(q.options), q.answer])
    write_template(
        templates().get_template("study.html.j2"),
        outputs.page,
        title=settings.title,
        introduction=settings.introduction,
        introduction_video=introduction,
        videos=(_data(path) for path in videos),
        plan=json.dumps(plan, ensure_ascii=False).translate(ESCAPED),
    )
    methods = len({trial.method for trial in trials})
    return (
        f"{len(shown)} items by {methods} methods in '{outputs.page}', which names neither. Keep '{outputs.key}': it "
        "says what the codes in the answers stand for."
    )


@dataclass(frozen=True)
class ReadInputs:
    """What the answers are read from.

    Attributes:
        key: as :func:`make` wrote it.
        answers: the files that viewers sent (.csv).
    """

    key: Path
    answers: tuple[Path, ...]


@dataclass(frozen=True)
class ReadOutputs:
    """What is written.

    Attributes:
        folder: ``answers.csv`` and ``study.{csv,md,tex}`` in it.
    """

    folder: Path


def _table(path: Path, columns: Sequence[str], what: str) -> list[dict[str, str]]:
    try:
        text = require_file(path, what).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DiffSignError(f"{what} '{path}' is not UTF-8 text.") from error
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in columns if name not in (reader.fieldnames or [])]
    if missing:
        columns_here = ", ".join(reader.fieldnames or ["none"])
        raise DiffSignError(f"{what} '{path}' lacks the column '{missing[0]}'; it has {columns_here}.")
    return list(reader)


def _answers(inputs: ReadInputs) -> list[dict[str, str]]:
    """Return every answer with what it was about; the last one counts where a viewer answered twice."""
    key = {(row["code"], row["question_number"]): row for row in _table(inputs.key, KEY_COLUMNS, "key of the study")}
    answers: dict[tuple[str, str, str], dict[str, str]] = {}
    for path in inputs.answers:
        for number, row in enumerate(_table(path, ANSWER_COLUMNS, "answers"), 2):
            about = key.get((row["code"], row["question_number"]))
            if about is None:
                raise DiffSignError(
                    f"answers '{path}', row {number}: the code '{row['code']}' is not in the key '{inputs.key}'; "
                    "take the key that was made with the page."
                )
            if about["kind"] != "text" and row["answer"] not in about["options"].split(";"):
                raise DiffSignError(
                    f"answers '{path}', row {number}: '{row['answer']}' is none of the options ({about['options']})."
                )
            answers[row["viewer"], row["code"], row["question_number"]] = about | row
    return list(answers.values())


def _scores(row: Mapping[str, str]) -> tuple[str, float] | None:
    """Return the measure that an answer belongs to and its value: right or wrong, or the step of a rating from 1."""
    if row["kind"] == "choice" and row["answer"] and row["right"]:
        return "comprehension", float(row["answer"] == row["right"])
    if row["kind"] == "rating":
        return row["question"], float(row["options"].split(";").index(row["answer"]) + 1)
    return None


def _definition(measure: str) -> MetricDefinition:
    if measure == "comprehension":
        meaning = "Share of the questions with a right answer that viewers answered right."
        return MetricDefinition("Comprehension", "share", "higher", meaning, "comprehension study", "signing")
    meaning = "Mean step of the scale, from 1."
    return MetricDefinition(measure, "", "higher", meaning, "rating by viewers", "signing")


def _columns(rows: Sequence[Mapping[str, str]], methods: Sequence[str]) -> tuple[list[Column], list[str]]:
    """Return a column for each measure, with viewers as units, and what they agree on in words."""
    values: dict[str, dict[str, dict[str, list[float]]]] = {}
    units: dict[str, dict[tuple[str, str], dict[str, float]]] = {}
    for row in rows:
        scored = _scores(row)
        if scored is None:
            continue
        measure, value = scored
        viewers = values.setdefault(measure, {}).setdefault(row["method"], {})
        viewers.setdefault(row["viewer"], []).append(value)
        choice = row["options"].split(";").index(row["answer"])
        unit = units.setdefault(measure, {}).setdefault((row["code"], row["question_number"]), {})
        unit[row["viewer"]] = float(choice)
    columns, agreements = [], []
    for measure, by_method in values.items():
        means = [{viewer: sum(v) / len(v) for viewer, v in by_method.get(method, {}).items()} for method in methods]
        columns.append(column(measure, _definition(measure), "", means))
        nominal = measure == "comprehension"
        alpha = krippendorff(list(units[measure].values()), nominal=nominal)
        title = _definition(measure).title
        agreements.append(
            f"{title}: Krippendorff's alpha {alpha:.2f} ({'nominal' if nominal else 'interval'})."
            if math.isfinite(alpha)
            else f"{title}: no agreement to give; no clip was answered by two viewers, or all answers are the same."
        )
    return columns, agreements


def read(inputs: ReadInputs, outputs: ReadOutputs) -> str:
    """Put the answers of all viewers into tables: accuracy, ratings, intervals over viewers, and their agreement.

    Returns:
        The table, in Markdown.

    Raises:
        DiffSignError: if a file is no answers, or of another study.
    """
    rows = _answers(inputs)
    methods = sorted({row["method"] for row in rows})
    columns, agreements = _columns(rows, methods)
    title = rows[0]["study"] if rows else "Study"
    texts = {
        "csv": csv_table(methods, columns),
        "md": markdown_table(methods, columns, title, "viewers") + "\n" + "\n".join(agreements) + "\n",
        "tex": latex_table(methods, columns, title, "viewers"),
    }
    for suffix, text in texts.items():
        with atomic(outputs.folder / f"study.{suffix}") as temporary:
            temporary.write_text(text, encoding="utf-8")
    names: list[str] = [*("viewer item method question kind answer right order seconds plays".split())]
    with atomic(outputs.folder / "answers.csv") as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer: csv.DictWriter[str] = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return texts["md"]
