"""The comparison as text: CSV, Markdown and LaTeX, and the words of its page."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from diffsign.records.metric_definitions import format_number
from diffsign.report.methods import Cell, Column

ARROWS = {"higher": "↑", "lower": "↓", "": ""}
NOTE = (
    "Mean over {units} and its 95 % interval by the bootstrap over {units}; n is the number of {units}. Bold is best. "
    "* is significantly worse than the best (p < 0.05, permutation test, paired where the {units} are the same, Holm's "
    "correction over the methods). Metrics of different networks are kept apart."
)
_CSV = (
    "method metric title network better mean low high n best difference difference_low difference_high p pairs paired"
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
            row += [*map(_number, (e.mean, e.low, e.high)), e.n, cell.best]
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


def markdown_table(names: Sequence[str], columns: Sequence[Column], title: str, units: str = "clips") -> str:
    """Return the table in Markdown, best in bold, with a note that says how it was made."""

    def clean(text: str) -> str:
        return text.replace("|", "\\|").replace("\n", " ")

    lines = [f"## {clean(title)}", ""]
    lines.append("| Method | " + " | ".join(clean(_head(column)) for column in columns) + " |")
    lines.append("| --- |" + " ---: |" * len(columns))
    for name, row in zip(names, _table(names, columns), strict=True):
        cells = [
            f"{f'**{value}**' if best else value}{'*' if worse else ''}<br>{detail}"
            for value, detail, best, worse in row
        ]
        lines.append(f"| {clean(name)} | " + " | ".join(cells) + " |")
    networks = [f"{clean(_head(column))}: {clean(column.network)}." for column in columns if column.network]
    return "\n".join([*lines, "", NOTE.format(units=units), *(["", *networks] if networks else []), ""])


def _latex(text: str) -> str:
    text = "".join(_LATEX.get(character, character) for character in text)
    return text.replace("↑", r"$\uparrow$").replace("↓", r"$\downarrow$").replace(" \\%", r"\,\%")


def latex_table(names: Sequence[str], columns: Sequence[Column], title: str, units: str = "clips") -> str:
    """Return the table in LaTeX (package booktabs), metrics as rows, best in bold."""
    lines = [
        "% \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{_latex(title)}. {_latex(NOTE.format(units=units))}}}",
        f"\\begin{{tabular}}{{l{'r' * len(names)}}}",
        "\\toprule",
        "Metric & " + " & ".join(_latex(name) for name in names) + " \\\\",
        "\\midrule",
    ]
    rows = _table(names, columns)
    for number, column in enumerate(columns):
        values, details = [], []
        for row in rows:
            value, detail, best, worse = row[number]
            values.append((f"\\textbf{{{_latex(value)}}}" if best else _latex(value)) + ("$^*$" if worse else ""))
            details.append(f"\\footnotesize {_latex(detail)}")
        lines.append(f"{_latex(_head(column))} & " + " & ".join(values) + " \\\\")
        lines.append(" & " + " & ".join(details) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}", ""])


def page_rows(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return the rows of the page: one for each metric."""
    rows = []
    for column in columns:
        definition = column.definition
        cells = []
        for cell in column.cells:
            difference = cell.from_best
            note = ""
            if difference is not None and not math.isnan(difference.p):
                kind = "paired" if difference.paired else "unpaired"
                note = f"{_value(column, difference.mean)} from the best, p = {difference.p:.3g} ({kind})"
            cells.append(
                {
                    "value": _value(column, cell.estimate.mean),
                    "interval": _interval(column, cell),
                    "n": cell.estimate.n,
                    "best": cell.best,
                    "worse": cell.worse,
                    "note": note,
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
