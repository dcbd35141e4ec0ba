"""The page: one HTML file with every result, its videos side by side, its figures and what they mean."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd

from diffsign import __version__
from diffsign.config.report import ReportSettings
from diffsign.files import atomic
from diffsign.records.metric_definitions import DEFINITIONS, GROUPS, HEADLINES, format_value
from diffsign.records.metrics import Metrics
from diffsign.report.charts import make_charts, make_timeline
from diffsign.report.tables import PAPER, paper_table

#: Videos of a result under the folder of results, in the page's order: caption, path, place on the page.
VIDEOS = (
    ("Source", "videos/{video}/clip.mp4", "before"),
    ("Avatar over source", "videos/{video}/avatar/overlay.mp4", "before"),
    ("Pose", "videos/{video}/control/pose.mp4", "control"),
    ("Edges", "videos/{video}/control/canny.mp4", "control"),
    ("Depth", "videos/{video}/control/depth.mp4", "control"),
    ("Result", "signers/{signer}/{video}/clip.mp4", "result"),
)


@dataclass(frozen=True)
class Video:
    """One video of the page: its caption, its bytes or a link, its place, and its number.

    A file that the page carries already has no url but the number of the video that has it.
    """

    caption: str
    url: str | None
    place: str
    number: int


class _Videos:
    """Finds videos and puts them into the page until it weighs enough; a file is carried once."""

    def __init__(self, folder: Path, page: Path, budget: float) -> None:
        self._folder, self._page, self._left = folder, page, budget
        self._carried: dict[Path, int] = {}
        self._count = 0
        self.linked = 0

    def _video(self, path: Path, caption: str, place: str) -> Video:
        if path in self._carried:
            return Video(caption, None, place, self._carried[path])
        self._count += 1
        size = path.stat().st_size * 4 / 3
        if size <= self._left:
            self._left -= size
            self._carried[path] = self._count
            url = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        else:
            self.linked += 1
            relative = os.path.relpath(path.resolve(), self._page.resolve().parent)
            url = quote(Path(relative).as_posix())
        return Video(caption, url, place, self._count)

    def of(self, metrics: Metrics) -> list[Video]:
        found = []
        for caption, template, place in VIDEOS:
            path = self._folder / template.format(video=metrics.video, signer=metrics.signer)
            if path.is_file() and path.stat().st_size:
                found.append(self._video(path, caption, place))
        return found


def _rows(metrics: Metrics, group: str) -> list[dict[str, Any]]:
    rows = []
    for name, definition in DEFINITIONS.items():
        figure = metrics.figures.get(name)
        if definition.group != group or figure is None:
            continue
        rows.append(
            {
                "title": definition.title,
                "value": format_value(name, figure.value),
                "better": definition.better,
                "frames": figure.frames,
                "network": figure.network,
                "settings": ", ".join(f"{key} {value}" for key, value in figure.settings.items()),
                "reason": figure.reason,
                "meaning": definition.meaning,
                "source": definition.source,
                "headline": name in HEADLINES or group == "released",
            }
        )
    return rows


def _headlines(metrics: Metrics) -> list[dict[str, Any]]:
    cells = []
    for name, title in HEADLINES.items():
        figure = metrics.figures.get(name)
        cells.append(
            {
                "title": title,
                "value": format_value(name, metrics.value(name)),
                "better": DEFINITIONS[name].better,
                "note": (figure.reason or figure.network or "") if figure else "not measured",
            }
        )
    return cells


def _result(metrics: Metrics, index: int, videos: _Videos) -> dict[str, Any]:
    return {
        "id": f"result-{index}",
        "metrics": metrics,
        "videos": videos.of(metrics),
        "headlines": _headlines(metrics),
        "charts": make_charts(metrics),
        "timeline": make_timeline(metrics),
        "groups": [{"title": title, "rows": rows} for key, title in GROUPS.items() if (rows := _rows(metrics, key))],
    }


def _paper(results: Sequence[Metrics]) -> list[dict[str, Any]]:
    rows = []
    for record in paper_table(results).to_dict("records"):
        cells = []
        for name, title in PAPER.items():
            mean, sd = record[title], record[f"{title} sd"]
            text = format_value(name, None if pd.isna(mean) else float(mean))
            cells.append(text if pd.isna(sd) else f"{text} ± {format_value(name, float(sd))}")
        rows.append(
            {
                "prompt": record["prompt"],
                "clips": record["clips"],
                "cells": cells,
                "fid": record["FID network"] or "–",
                "clip": record["CLIP network"] or "–",
            }
        )
    return rows


def render_page(
    out: Path, results: Sequence[Metrics], folder: Path, settings: ReportSettings, config: str | None = None
) -> str:
    """Return the page as HTML.

    Args:
        out: where it will lie; links to videos are relative to it.
        results: the results, in the page's order.
        folder: folder of results, in which the videos are found by the names of video and signer.
        settings: title, and how much video the page carries.
        config: text of the run's config, to show.
    """
    loader = jinja2.PackageLoader("diffsign.report", "page")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    videos = _Videos(folder, out, settings.embed_mb * 1e6)
    shown = [_result(metrics, index, videos) for index, metrics in enumerate(results, 1)]
    versions = {name: text for metrics in results for name, text in metrics.versions.items()}
    return environment.get_template("page.html.j2").render(
        title=settings.title,
        version=__version__,
        results=shown,
        headlines=HEADLINES,
        paper=_paper(results),
        paper_titles=list(PAPER.values()),
        stand_ins=sorted({metrics.family for metrics in results if metrics.stand_in}),
        linked=videos.linked,
        versions=versions,
        config=config,
    )


def write_page(
    out: Path, results: Sequence[Metrics], folder: Path, settings: ReportSettings, config: str | None = None
) -> None:
    """Write the page; see :func:`render_page`."""
    html = render_page(out, results, folder, settings, config)
    with atomic(out) as temporary:
        temporary.write_text(html, encoding="utf-8")
