"""The cells of a sheet, whatever program wrote it: tab-separated text, ``.csv``, or a workbook (``.xlsx``)."""

# pandas comes without types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffsign.errors import DiffSignError
from diffsign.files import require_file

#: Suffixes of workbooks; everything else is text.
WORKBOOKS = (".xlsx", ".xlsm")
#: How workbooks begin, and how files begin or end that are sheets of no kind that is read.
_ZIP, _OLD = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
OTHERS = (".ods", ".xls", ".xlsb", ".numbers", ".gsheet")

#: Line breaks inside a cell, those of Unicode included: they are spaces to us.
_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")


@dataclass(frozen=True)
class Line:
    """One line of a sheet: its number as a spreadsheet shows it, from 1, and its cells without blanks around them."""

    number: int
    cells: tuple[str, ...]


def _decode(path: Path) -> str:
    """Return the text of a sheet: UTF-8, or UTF-16 as spreadsheets write "Unicode text"."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif data[1:2] == b"\0":
        encoding = "utf-16-le"
    elif data[:1] == b"\0":
        encoding = "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DiffSignError(
            f"sheet '{path}' is not UTF-8 text ({error.reason} at byte {error.start}); save it as 'CSV UTF-8', as "
            "'Unicode text', or as .xlsx."
        ) from error


def _delimiter(path: Path, text: str) -> tuple[str, str]:
    """Return what separates the cells, by suffix and header, and the text without a spreadsheet's hint on it."""
    first, _, rest = text.partition("\n")
    if hint := re.fullmatch(r"sep=(.)\r?", first):
        return hint[1], "\n" + rest  # its line stays, so that the numbers of the others are right
    lines = (line for line in re.split(r"[\r\n]+", text) if line.strip() and not line.startswith("#"))
    header = next(lines, first)
    if "\t" in header or not {",", ";"} & set(header):
        return "," if path.suffix.lower() == ".csv" and "\t" not in header else "\t", text
    return (";" if header.count(";") > header.count(",") else ","), text


def _rows(path: Path, text: str, delimiter: str) -> list[list[str]]:
    """Return the cells of every row."""
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "end of data" not in str(error):  # a quote in a cell that is not quoted as a whole: taken as it stands
            with suppress(csv.Error):
                return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        raise DiffSignError(
            f"sheet '{path}', row {len(rows) + 1}: a quote (\") is opened and never closed, or a cell is endless "
            f'({error}); close it, or write " twice where it belongs to the text.'
        ) from error
    return rows


def _read_text(path: Path) -> Iterator[tuple[int, list[str]]]:
    delimiter, text = _delimiter(path, _decode(path))
    for number, cells in enumerate(_rows(path, text, delimiter), 1):
        if delimiter == "\t" and any("\t" in cell and "\n" in cell for cell in cells):
            raise DiffSignError(
                f"sheet '{path}', row {number}: a quote (\") is opened and not closed on its row; close it."
            )
        yield number, cells


def _read_workbook(path: Path) -> Iterator[tuple[int, list[str]]]:
    import openpyxl
    import pandas as pd

    try:
        with path.open("rb") as stream:
            frame = pd.read_excel(
                stream, sheet_name=0, header=None, dtype=str, keep_default_na=False, na_filter=False, engine="openpyxl"
            )
            sheet = openpyxl.load_workbook(stream).worksheets[0]
    # A damaged workbook ends in BadZipFile, KeyError, XML errors, ….
    except Exception as error:
        raise DiffSignError(
            f"sheet '{path}' cannot be read as a workbook ({str(error) or type(error).__name__}); save it again as "
            ".xlsx, or as tab-separated text."
        ) from error
    rows = [[str(cell) for cell in row] for row in frame.itertuples(index=False)]
    for row, line in zip(rows, sheet.iter_rows(max_row=len(rows)), strict=False):
        for place, cell in enumerate(line[: len(row)]):
            row[place] = _as_shown(path, cell, row[place])
    for area in sheet.merged_cells.ranges:  # what is written once beside several rows is said of each
        if area.min_col == area.max_col <= len(rows[0]):
            for number in range(area.min_row, min(area.max_row, len(rows))):
                rows[number][area.min_col - 1] = rows[area.min_row - 1][area.min_col - 1]
    yield from enumerate(rows, 1)


def _as_shown(path: Path, cell: Any, text: str) -> str:
    """Return a workbook's cell as the spreadsheet shows it: dates without midnight, numbers with leading zeros."""
    if cell.data_type == "f" and not text:
        raise DiffSignError(
            f"sheet '{path}', row {cell.row}: cell {cell.coordinate} holds a formula that was never computed; open the "
            "file in a spreadsheet and save it there, or write the value."
        )
    if getattr(cell, "is_date", False):
        return text.removesuffix(" 00:00:00")
    zeros = str(cell.number_format)
    return text.zfill(len(zeros)) if re.fullmatch("0+", zeros) and text.isdigit() else text


def read_table(path: str | Path) -> list[Line]:
    """Return the lines of a sheet that are not empty; comments are still among them.

    Text is UTF-8 or UTF-16; cells are separated by tabs, commas or semicolons, whatever the header has; a quoted cell
    may hold separators and line breaks. Of a workbook the first sheet is read, as it is shown: values of formulas, and
    what is merged down beside each of its rows. Everything is text: ``001`` and ``NA`` stay so.

    Raises:
        DiffSignError: if the file is missing, in another encoding, damaged, or has a quote that is never closed.
    """
    path = require_file(path, "sheet")
    with path.open("rb") as stream:
        begins = stream.read(4)
    if path.suffix.lower() in OTHERS or begins == _OLD:
        raise DiffSignError(f"sheet '{path}' is of a kind that is not read; save it as .xlsx, or as .csv in UTF-8.")
    rows = _read_workbook(path) if path.suffix.lower() in WORKBOOKS or begins == _ZIP else _read_text(path)
    lines: list[Line] = []
    for number, cells in rows:
        stripped = tuple(_BREAKS.sub(" ", cell).strip() for cell in cells)
        if any("\0" in cell for cell in stripped):
            raise DiffSignError(
                f"sheet '{path}', row {number}: a cell holds a zero byte; save the sheet again as text."
            )
        if any(stripped):
            lines.append(Line(number, stripped))
    return lines
