"""Figures in the documentation: between two marks of a page stands what a command wrote."""

from __future__ import annotations

from pathlib import Path

from diffsign.errors import DiffSignError
from diffsign.files import atomic


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
