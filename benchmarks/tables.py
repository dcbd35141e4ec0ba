"""Figures on the screen, and in the documentation: between two marks of a page stands what a command wrote."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from diffsign.errors import DiffSignError
from diffsign.files import atomic

#: Columns of a table that goes into a file or a pipe, where a terminal's width is not known.
WIDTH = 200


def show(table: Table) -> None:
    """Print a table; where there is no terminal, as wide as it is."""
    console = Console()
    (console if console.is_terminal else Console(width=WIDTH)).print(table)


def replace_between(page: Path, begin: str, end: str, lines: list[str]) -> None:
    """Put lines between two marks of a page.

    Raises:
        DiffSignError: if the page lacks the marks, or has one of them twice.
    """
    text = page.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise DiffSignError(f"'{page}' must have the lines '{begin}' and '{end}' once each; figures go between them.")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    with atomic(page) as temporary:
        temporary.write_text(f"{before}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}{after}", encoding="utf-8")
