"""The sheet of a study: which clips are shown, by which method, and what is asked about them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from diffsign.errors import DiffSignError, nearest
from diffsign.files import require_file

COLUMNS = "item method video question kind options answer question_video".split()
REQUIRED = ("item", "method", "video", "question", "kind")
KINDS = ("choice", "rating", "text")


@dataclass(frozen=True)
class Question:
    """One question about a clip.

    Attributes:
        text: as the viewer reads it.
        kind: ``choice`` of one option, ``rating`` on a scale, or free ``text``.
        options: of a choice; of a rating the words for its steps, from worst to best.
        answer: the right option of a choice, "" if there is no right one.
        video: the question signed, None if it is only written.
    """

    text: str
    kind: str
    options: tuple[str, ...]
    answer: str
    video: Path | None


@dataclass(frozen=True)
class Trial:
    """One clip that a viewer sees, with its questions.

    Attributes:
        item: what is signed; the same for all methods.
        method: who signs it; viewers never read this.
        video: the clip.
        questions: what is asked about it.
    """

    item: str
    method: str
    video: Path
    questions: list[Question] = field(default_factory=list)

    def code(self, seed: int) -> str:
        """Return what stands for the trial on the page: neither item nor method can be read from it."""
        return hashlib.sha256(f"{seed}\0{self.item}\0{self.method}".encode()).hexdigest()[:10]


def method_order(method: str, seed: int) -> str:
    """Return what methods are sorted by on the page: an order that says nothing of their names."""
    return hashlib.sha256(f"{seed}\0method\0{method}".encode()).hexdigest()


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = require_file(path, "sheet of the study").read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DiffSignError(f"sheet '{path}' is not UTF-8 text; save it as tab-separated UTF-8.") from error
    reader = csv.DictReader(text.splitlines(), delimiter="\t", restkey="")
    header = [name.strip() for name in reader.fieldnames or []]
    for name in header:
        if name not in COLUMNS:
            near = nearest(name, COLUMNS)
            raise DiffSignError(f"sheet '{path}': unknown column '{name}'{near}; known: {', '.join(COLUMNS)}.")
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise DiffSignError(f"sheet '{path}': the column '{missing[0]}' is missing; needed: {', '.join(REQUIRED)}.")
    for number, row in enumerate(reader, 2):
        if "" in row:
            raise DiffSignError(f"sheet '{path}', row {number}: more cells than columns.")
        cells = {name.strip(): (value or "").strip() for name, value in row.items()}
        if any(cells.values()):
            yield number, cells


def _file(cell: str, sheet: Path, number: int) -> Path:
    path = Path(cell) if Path(cell).is_absolute() else sheet.parent / cell
    return require_file(path, f"sheet '{sheet}', row {number}: video")


def _question(cells: dict[str, str], sheet: Path, number: int) -> Question:
    where = f"sheet '{sheet}', row {number}"
    kind = cells["kind"]
    if kind not in KINDS:
        raise DiffSignError(f"{where}: 'kind' is '{kind}'{nearest(kind, KINDS)}; it is one of {', '.join(KINDS)}.")
    options = tuple(option.strip() for option in cells.get("options", "").split(";") if option.strip())
    if kind in ("choice", "rating") and len(options) < 2:
        raise DiffSignError(f"{where}: a {kind} needs two or more 'options', separated by ';'.")
    answer = cells.get("answer", "")
    if answer and (kind != "choice" or answer not in options):
        raise DiffSignError(f"{where}: 'answer' is '{answer}', which is none of the options ({'; '.join(options)}).")
    video = cells.get("question_video", "")
    return Question(cells["question"], kind, options, answer, _file(video, sheet, number) if video else None)


def load_study(path: Path) -> list[Trial]:
    """Read the sheet: one row for each question; rows of one item and method are one clip.

    Raises:
        DiffSignError: naming row and column of what is wrong.
    """
    trials: dict[tuple[str, str], Trial] = {}
    for number, cells in _rows(path):
        empty = [name for name in REQUIRED if not cells[name]]
        if empty:
            raise DiffSignError(f"sheet '{path}', row {number}: '{empty[0]}' is empty.")
        video = _file(cells["video"], path, number)
        key = (cells["item"], cells["method"])
        trial = trials.setdefault(key, Trial(*key, video))
        if trial.video != video:
            raise DiffSignError(
                f"sheet '{path}', row {number}: item '{key[0]}' by method '{key[1]}' has two videos, '{trial.video}' "
                f"and '{video}'; give one of them another item or method."
            )
        trial.questions.append(_question(cells, path, number))
    if not trials:
        raise DiffSignError(f"sheet '{path}' has no rows; write one for each question.")
    return list(trials.values())
