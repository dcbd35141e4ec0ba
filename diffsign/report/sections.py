"""What the report shows of one result, in the words and numbers that its templates print."""

from __future__ import annotations

from typing import Any

from diffsign.records.metric_definitions import GROUPS, HEADLINES, METRIC_DEFINITIONS, format_value
from diffsign.records.metrics import Break, Evaluation
from diffsign.report.charts import make_charts, make_timeline
from diffsign.report.videos import Video, Videos, link

KINDS = {"image": "picture", "text": "words", "multimodal": "both", "unknown": "–"}
AGAINST = {"source": "the source", "avatar": "the motion it was asked to show"}
#: Characters that must not stand in the JSON of a page.
ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def _rows(result: Evaluation, group: str) -> list[dict[str, Any]]:
    rows = []
    for name, definition in METRIC_DEFINITIONS.items():
        metric = result.metrics.get(name)
        if definition.group != group or metric is None:
            continue
        rows.append(
            {
                "title": definition.title,
                "value": format_value(name, metric.value),
                "better": definition.better,
                "frames": metric.frames,
                "network": metric.network,
                "settings": ", ".join(f"{key} {value}" for key, value in metric.settings.items()),
                "reason": metric.reason,
                "meaning": definition.meaning,
                "source": definition.source,
                "headline": name in HEADLINES or group in ("anonymity", "earlier") or name.startswith("signing_"),
            }
        )
    return rows


def _headlines(result: Evaluation) -> list[dict[str, Any]]:
    cells = []
    for name, title in HEADLINES.items():
        metric = result.metrics.get(name)
        cells.append(
            {
                "title": title,
                "value": format_value(name, result.value(name)),
                "better": METRIC_DEFINITIONS[name].better,
                "note": (metric.reason or metric.network or "") if metric else "not measured",
            }
        )
    return cells


def break_mark(broken: Break, result: Evaluation) -> dict[str, Any]:
    """Return where a parameter of the signing broke: its words, its frames, its place on the timeline in per cent."""
    seconds = f"{broken.start / result.fps:.1f}–{broken.end / result.fps:.1f} s"
    return {
        "parameter": broken.parameter,
        "frame": broken.worst,
        "time": seconds,
        "left": 100 * broken.start / result.frames,
        "width": 100 * (broken.end - broken.start) / result.frames,
        "against": AGAINST[broken.against],
        "what": broken.what,
    }


def result_section(result: Evaluation, identity: str, videos: Videos) -> dict[str, Any]:
    """Return what the section of a result shows.

    Args:
        result: the result.
        identity: its id on the page.
        videos: finds its videos.
    """
    return {
        "id": identity,
        "result": result,
        "kind": KINDS[result.kind],
        "videos": videos.of(result),
        "moments": videos.moments(result),
        "headlines": _headlines(result),
        "breaks": [break_mark(broken, result) for broken in result.breaks],
        "charts": make_charts(result),
        "timeline": make_timeline(result),
        "groups": [{"title": title, "rows": rows} for key, title in GROUPS.items() if (rows := _rows(result, key))],
    }


def index_row(result: Evaluation, href: str, videos: list[Video], page: Any, *, carried: bool) -> dict[str, Any]:
    """Return a result's row of the index: names, the headlines, and what its player needs.

    Args:
        result: the result.
        href: where its section is.
        videos: its videos.
        page: path of the index, to which links are relative.
        carried: the index carries the videos itself; then they are named by number.
    """
    player = [
        [video.caption, f"#video-{video.number}" if carried else link(video.path, page)]
        for video in videos
        if video.place != "control"
    ]
    return {
        "href": href,
        "signer": result.signer,
        "video": result.video,
        "kind": KINDS[result.kind],
        "values": [result.value(name) for name in HEADLINES],
        "texts": [format_value(name, result.value(name)) for name in HEADLINES],
        "fps": result.fps,
        "frames": result.frames,
        "videos": player,
        "breaks": [
            [b.start, b.end, b.worst, f"{b.parameter}: {b.what}, against {AGAINST[b.against]}", b.parameter]
            for b in result.breaks
        ],
    }
