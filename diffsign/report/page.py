"""The report: an index of all results, and each result with its videos side by side, its metrics and what they mean.

Up to ``single_page`` results are one HTML file that carries its videos. More have a page each in a folder beside the
index, and link their videos, so that neither a browser nor this program holds more than one of them.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import jinja2

from diffsign import __version__
from diffsign.config.report import ReportSettings
from diffsign.files import atomic
from diffsign.records.failures import Failure
from diffsign.records.metric_definitions import HEADLINES, METRIC_DEFINITIONS, format_value
from diffsign.records.metrics import Evaluation
from diffsign.report.results import Results
from diffsign.report.sections import ESCAPED, index_row, result_section
from diffsign.report.tables import PAPER, PaperTable
from diffsign.report.videos import Videos

#: Rows that the index shows before its script runs, and at a time.
ROWS = 100


def templates() -> jinja2.Environment:
    """Return the templates of all pages; whatever they print is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("diffsign.report", "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def write_template(template: jinja2.Template, out: Path, **context: Any) -> None:
    """Write a page piece by piece, whole or not at all."""
    with atomic(out) as temporary:
        template.stream(**context).dump(str(temporary), encoding="utf-8")


def _paper(table: PaperTable) -> list[dict[str, Any]]:
    rows = []
    for record in table.rows():
        cells = []
        for name, title in PAPER.items():
            mean, sd = record[title], record[f"{title} sd"]
            text = format_value(name, None if math.isnan(mean) else mean)
            text = text if math.isnan(sd) else f"{text} ± {format_value(name, sd)}"
            cells.append({"text": text, "n": record[f"{title} n"]})
        networks = {"fid": record["FID network"] or "–", "clip": record["CLIP network"] or "–"}
        rows.append({"prompt": record["prompt"], "clips": record["clips"], "cells": cells} | networks)
    return rows


def page_names(names: tuple[tuple[str, str], ...]) -> list[str]:
    """Return a file name for each signer and video: readable, unique, and without any character that means something.

    >>> page_names((("anna", "hello"), ("a/b", "../../x")))
    ['anna--hello.html', 'a-b--x-2.html']
    """
    files, taken = [], set()
    for number, pair in enumerate(names, 1):
        plain = [re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:60] for name in pair]
        stem = "--".join(plain)
        if list(pair) != plain or stem.lower() in taken:
            stem = f"{stem}-{number}"
        taken.add(stem.lower())
        files.append(f"{stem}.html")
    return files


@dataclass
class _Index:
    """What the index collects while the results go by; the rows wait in a file."""

    rows: IO[str]
    count: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)
    sections: list[dict[str, Any]] = field(default_factory=list)
    untrained: set[str] = field(default_factory=set)
    versions: dict[str, str] = field(default_factory=dict)
    paper: PaperTable = field(default_factory=PaperTable)

    def add(self, result: Evaluation, row: dict[str, Any]) -> None:
        self.rows.write(json.dumps(row, ensure_ascii=False, allow_nan=False).translate(ESCAPED) + "\n")
        self.count += 1
        if len(self.first) < ROWS:
            self.first.append(row)
        self.versions |= result.versions
        self.paper.add(result)
        if result.untrained:
            self.untrained.add(result.family)

    def json(self) -> Iterator[str]:
        """Yield the rows as pieces of a JSON list."""
        self.rows.seek(0)
        for number, row in enumerate(self.rows):
            yield f"{',' if number else ''}\n{row.rstrip()}"


class Report:
    """Writes the report of a run.

    Args:
        page: the index; pages of single results go into a folder of its name without suffix.
        folder: folder of results, in which videos are found by the names of video and signer.
        settings: title, how much video a page carries, how many results are one page.
    """

    def __init__(self, page: Path, folder: Path, settings: ReportSettings) -> None:
        self._page, self._folder, self._settings = page, folder, settings
        self._pages = page.with_suffix("")
        self._templates = templates()

    def write(self, results: Results, config: str | None = None, failures: Sequence[Failure] = ()) -> int:
        """Write all pages; return how many pages of single results there are.

        Args:
            results: the results, in the report's order.
            config: text of the run's config, to show.
            failures: results that are not there, to list.
        """
        single = len(results) <= self._settings.single_page
        videos = Videos(self._folder, self._page, self._settings.embed_mb * 1e6 if single else 0)
        names = page_names(results.names)
        with tempfile.TemporaryFile("w+", encoding="utf-8") as rows:
            index = _Index(rows)
            self._collect(index, results, single, videos, names)
            self._remove_others(set() if single else set(names))
            self._write_index(index, videos.linked if single else None, config, failures)
        return 0 if single else len(names)

    def _collect(self, index: _Index, results: Results, single: bool, videos: Videos, names: list[str]) -> None:
        for number, result in enumerate(results):
            if single:
                identity = f"result-{number + 1}"
                section = result_section(result, identity, videos)
                index.sections.append(section)
                row = index_row(result, f"#{identity}", section["videos"], self._page, carried=True)
            else:
                section = self._write_result(result, number, names)
                href = f"{self._pages.name}/{names[number]}"
                row = index_row(result, href, section["videos"], self._page, carried=False)
            index.add(result, row)

    def _write_result(self, result: Evaluation, number: int, names: list[str]) -> dict[str, Any]:
        out = self._pages / names[number]
        section = result_section(result, "result", Videos(self._folder, out, 0))
        write_template(
            self._templates.get_template("result.html.j2"),
            out,
            title=f"{result.signer}, {result.video}",
            section=section,
            index=f"../{self._page.name}",
            before=names[number - 1] if number else None,
            after=names[number + 1] if number + 1 < len(names) else None,
            version=__version__,
        )
        return section

    def _remove_others(self, kept: set[str]) -> None:
        """Remove pages that an earlier report left in the folder; anything else in it stays."""
        for path in self._pages.glob("*--*.html"):
            if path.name not in kept:
                path.unlink()
        if self._pages.is_dir() and not any(self._pages.iterdir()):
            self._pages.rmdir()

    def _write_index(self, index: _Index, linked: int | None, config: str | None, failures: Sequence[Failure]) -> None:
        write_template(
            self._templates.get_template("index.html.j2"),
            self._page,
            title=self._settings.title,
            version=__version__,
            count=index.count,
            rows=index.first,
            json=index.json(),
            page_rows=ROWS,
            sections=index.sections,
            headlines=[
                {"title": title, "better": METRIC_DEFINITIONS[name].better} for name, title in HEADLINES.items()
            ],
            paper=_paper(index.paper),
            paper_titles=list(PAPER.values()),
            untrained=sorted(index.untrained),
            linked=linked,
            versions=index.versions,
            config=config,
            failures=failures,
        )
