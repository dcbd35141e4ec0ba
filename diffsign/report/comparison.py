"""The comparison as text: CSV, Markdown and LaTeX, and the words of its page."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from diffsign.records.metric_definitions import format_number
from diffsign.report.methods import ALPHA, Cell, Column
from diffsign.report.statistics import FEWEST

ARROWS = {"higher": "↑", "lower": "↓", "": ""}
#: Methods from which on they are the rows of a table: more columns than this nobody reads.
MANY = 6
_CSV = (
    "method metric title network better mean low high n frames best difference difference_low difference_high p pairs"
    " paired"
).split()
_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "°": r"$^\circ$",
    "–": "--",
}


def note(columns: Sequence[Column], units: str = "clips", best: str = "all") -> str:
    """Return how the table was made and how it is read.

    Args:
        columns: of the table.
        units: what the intervals are over.
        best: among whom the best was sought, as :attr:`~diffsign.config.compare.CompareSettings.best` says.
    """
    reach = [column.reach for column in columns if not math.isnan(column.reach)]
    whose = " of its run" if best == "run" else ""
    whose = " of its run" if best == "run" else ""
    parts = [f"Mean over {units}; n is the number of {units}. Bold is best{whose}."]
    if any(math.isfinite(cell.estimate.low) for column in columns for cell in column.cells):
        parts.append(f"In brackets the 95 % interval by the bootstrap over {units}.")
    if reach and min(reach) < ALPHA:
        parts.append(
            f"* is significantly worse than the best (p < {ALPHA}, permutation test, paired where the {units} are the "
            "same, Holm's correction over the methods)."
        )
    elif reach:
        parts.append(f"So few {units} cannot show a difference of so many methods at p < {ALPHA}, however large it is.")
    if any(0 < cell.estimate.n < FEWEST for column in columns for cell in column.cells):
        parts.append(f"Fewer than {FEWEST} {units} have no interval and no test.")
    if any(column.network for column in columns):
        parts.append("Metrics of different networks are kept apart.")
    return " ".join(parts)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def csv_table(names: Sequence[str], columns: Sequence[Column]) -> str:
    """Return one row for each method and metric, with the numbers behind the table."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_CSV)
    for column in columns:
        definition = column.definition
        for name, cell in zip(names, column.cells, strict=True):
            e, d = cell.estimate, cell.from_best
            row: list[Any] = [name, column.metric, definition.title, column.network, definition.better]
            row += [*map(_number, (e.mean, e.low, e.high)), e.n, cell.frames or "", cell.best]
            row += [*map(_number, (d.mean, d.low, d.high, d.p)), d.n, d.paired] if d else [""] * 6
            writer.writerow(row)
    return stream.getvalue()


def _value(column: Column, value: float) -> str:
    unit = column.definition.unit
    text = format_number(unit, None if math.isnan(value) else value)
    return text.removesuffix(f" {unit}") if unit not in ("", "share") else text


def _interval(column: Column, cell: Cell) -> str:
    if math.isnan(cell.estimate.low):
        return ""
    return f"[{_value(column, cell.estimate.low)}, {_value(column, cell.estimate.high)}]"


def _head(column: Column) -> str:
    definition = column.definition
    unit = f" ({definition.unit})" if definition.unit not in ("", "share", "°", "×") else ""
    return f"{definition.title}{unit} {ARROWS[definition.better]}".strip()


def _table(names: Sequence[str], columns: Sequence[Column]) -> list[list[tuple[str, str, bool, bool]]]:
    """Return value, interval with n, best and significantly worse of each cell: a row for each method."""
    rows = []
    for number in range(len(names)):
        row = []
        for column in columns:
            cell = column.cells[number]
            detail = f"{_interval(column, cell)} n = {cell.estimate.n}".strip()
            row.append((_value(column, cell.estimate.mean), detail, cell.best, cell.worse))
        rows.append(row)
    return rows


def markdown_table(
    names: Sequence[str], columns: Sequence[Column], title: str, units: str = "clips", best: str = "all"
) -> str:
    """Return the table in Markdown, best in bold, with a note that says how it was made."""

    def clean(text: str) -> str:
        return text.replace("|", "\\|").replace("\n", " ")

    lines = [f"## {clean(title)}", ""]
    lines.append("| Method | " + " | ".join(clean(_head(column)) for column in columns) + " |")
    lines.append("| --- |" + " ---: |" * len(columns))
    for name, row in zip(names, _table(names, columns), strict=True):
        cells = [
            f"{f'**{value}**' if best_one else value}{'*' if worse else ''}<br>{detail}"
            for value, detail, best_one, worse in row
        ]
        lines.append(f"| {clean(name)} | " + " | ".join(cells) + " |")
    networks = [f"{clean(_head(column))}: {clean(column.network)}." for column in columns if column.network]
    return "\n".join([*lines, "", note(columns, units, best), *(["", *networks] if networks else []), ""])


def _latex(text: str) -> str:
    text = "".join(_LATEX.get(character, character) for character in text)
    return text.replace("↑", r"$\uparrow$").replace("↓", r"$\downarrow$").replace(" \\%", r"\,\%")


def _latex_cell(cell: tuple[str, str, bool, bool]) -> tuple[str, str]:
    """Return value and detail of a cell."""
    value, detail, best, worse = cell
    shown = (f"\\textbf{{{_latex(value)}}}" if best else _latex(value)) + ("$^*$" if worse else "")
    return shown, f"\\footnotesize {_latex(detail)}"


def latex_table(
    names: Sequence[str], columns: Sequence[Column], title: str, units: str = "clips", best: str = "all"
) -> str:
    """Return the table in LaTeX (packages booktabs and graphicx), best in bold.

    Metrics are its rows; with more than :data:`MANY` methods the methods are.
    """
    heads = [_latex(_head(column)) for column in columns]
    cells = [[_latex_cell(cell) for cell in row] for row in _table(names, columns)]
    shown = [_latex(name) for name in names]
    if len(names) > MANY:
        top, rows = ["Method", *(_stacked(_head(column)) for column in columns)], list(zip(shown, cells, strict=True))
    else:
        turned = [[row[number] for row in cells] for number in range(len(columns))]
        top, rows = ["Metric", *shown], list(zip(heads, turned, strict=True))
    lines = [
        "% \\usepackage{booktabs,graphicx}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{_latex(title)}. {_latex(note(columns, units, best))}}}",
        "\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * (len(top) - 1)}}}",
        "\\toprule",
        " & ".join(top) + " \\\\",
        "\\midrule",
    ]
    for head, row in rows:
        lines.append(" & ".join([head, *(value for value, _ in row)]) + " \\\\")
        lines.append(" & ".join(["", *(detail for _, detail in row)]) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}}", "\\end{table}", ""])


def _stacked(head: str) -> str:
    """Return the head of a narrow column, on several lines."""
    return "\\shortstack[r]{" + "\\\\".join(map(_latex, textwrap.wrap(head, 16))) + "}"


def page_rows(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return what the page says of each metric: its head, and a cell for each method."""
    rows = []
    for column in columns:
        definition = column.definition
        cells = []
        for cell in column.cells:
            difference = cell.from_best
            beside: list[str] = []
            if difference is not None and not math.isnan(difference.p):
                kind = "paired" if difference.paired else "unpaired"
                p = f"p = {difference.p:.2g}" if difference.p < 0.995 else "p = 1"
                beside = [f"{_value(column, difference.mean)} from the best".replace("-", "−"), f"{p}, {kind}"]
            cells.append(
                {
                    "value": _value(column, cell.estimate.mean),
                    "interval": _interval(column, cell),
                    "n": cell.estimate.n,
                    "frames": cell.frames,
                    "best": cell.best,
                    "worse": cell.worse,
                    "note": beside,
                }
            )
        rows.append(
            {
                "head": _head(column),
                "better": definition.better,
                "meaning": definition.meaning,
                "network": column.network,
                "cells": cells,
            }
        )
    return rows
