import html as html_module
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from made_up_results import FRAMES, make_metrics, write_videos
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.config.report import ReportSettings
from diffsign.errors import DiffSignError
from diffsign.records.metrics import Metrics
from diffsign.report.charts import make_charts, make_timeline
from diffsign.report.page import render_page
from diffsign.report.stage import report
from diffsign.report.tables import load_all

Run = tuple[Path, list[Path]]
VOID = {"meta", "br", "img", "input", "link", "hr", "polyline"}


class Page(HTMLParser):
    """Collects tags, and fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes {self._open}"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(run: Run, **settings) -> str:
    folder, paths = run
    return render_page(folder / "report.html", load_all(paths), folder, ReportSettings(**settings))


def test_the_page_needs_no_network(run: Run) -> None:
    text = page_of(run)
    assert not re.search(r"https?://|//cdn|@import|url\(", text)
    page = Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
    assert page.all("meta")[-1]["content"].startswith("default-src 'none'")  # type: ignore[union-attr]


def test_every_result_has_its_videos_and_a_player(run: Run) -> None:
    page = Page(page_of(run))
    sections = [a for a in page.all("section") if a.get("class") == "result"]
    assert [a["id"] for a in sections] == ["result-1", "result-2", "result-3"]
    videos = page.all("video")
    assert len(videos) == 3 * 4
    assert all(video["aria-label"] for video in videos)
    assert sum("data-leads" in video for video in videos) == 3
    assert sum(a.get("class") == "player" for a in page.all("div")) == 3


def test_a_shared_source_is_carried_once(run: Run) -> None:
    videos = Page(page_of(run)).all("video")
    ids = {video["id"] for video in videos if "id" in video}
    copies = [video for video in videos if "data-same" in video]
    assert len(copies) == 3, "source, overlay and pose of the video 'hello'"
    assert {video["data-same"] for video in copies} <= ids


def test_large_videos_are_linked_relative_to_the_page(run: Run) -> None:
    folder, paths = run
    page = Page(render_page(folder / "sub" / "r.html", load_all(paths), folder, ReportSettings(embed_mb=0)))
    for video in page.all("video"):
        source = video["src"]
        assert source and not source.startswith(("data:", "/"))
        assert (folder / "sub" / unquote(source)).resolve().is_file()
    assert "must move with it" in render_page(folder / "r.html", load_all(paths), folder, ReportSettings(embed_mb=0))


def test_a_missing_video_is_left_out_and_none_is_said(run: Run) -> None:
    folder, paths = run
    for path in folder.rglob("*.mp4"):
        path.unlink()
    text = render_page(folder / "report.html", load_all(paths), folder, ReportSettings())
    assert not Page(text).all("video") and "No videos were found" in text


def test_hostile_names_are_text(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    metrics = make_metrics(
        signer="a'\"><img src=x onerror=alert(1)>", video="v", signer_text=evil, family="</style><b>", source_text=evil
    )
    text = render_page(tmp_path / "r.html", [metrics], tmp_path, ReportSettings(title=evil), config="</pre>" + evil)
    page = Page(text)
    assert len(page.all("script")) == 1 and not page.all("img") and not page.all("b")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert html_module.escape(evil, quote=True).replace("&quot;", "&#34;") in text


def test_stand_ins_are_warned_of_and_only_they(run: Run) -> None:
    assert "Stand-in." not in page_of(run)
    folder, _ = run
    metrics = make_metrics(stand_in=True)
    text = render_page(folder / "r.html", [metrics], folder, ReportSettings())
    assert "Stand-in." in text and "family demo is not trained far enough to be judged" in " ".join(text.split())


def test_networks_reasons_and_meanings_are_on_the_page(run: Run) -> None:
    text = page_of(run)
    assert "tiny CLIP" in text and "No value: no reference picture describes the signer." in text
    assert "Biased upwards over few frames" in text and "torch 2.0" in text
    assert text.count("<summary>As the released code computes it</summary>") == 3


def test_charts_break_where_there_is_no_value() -> None:
    charts = make_charts(make_metrics())
    assert [chart.title for chart in charts] == ["SSIM with the frame before"]
    stretches = charts[0].lines[0].stretches
    assert [len(points.split()) for points in stretches] == [3, FRAMES - 4]
    heights = [float(point.split(",")[1]) for points in stretches for point in points.split()]
    assert min(heights) >= 0 and max(heights) <= 100


def test_a_chart_of_constant_values_stays_inside() -> None:
    metrics = make_metrics(series={"ssim_successive_result": [None] + [1.0] * (FRAMES - 1)})
    (chart,) = make_charts(metrics)
    assert all(0 <= float(p.split(",")[1]) <= 100 for p in chart.lines[0].stretches[0].split())


def test_the_timeline_shows_the_gap() -> None:
    rows = {(row.part, row.who): row for row in make_timeline(make_metrics())}
    assert rows["left hand", "source"].spans == [(0.0, 100.0)]
    lost = rows["left hand", "result"]
    assert lost.spans == [pytest.approx((0, 100 * 4 / 12)), pytest.approx((100 * 7 / 12, 100 * 5 / 12))]
    assert lost.share == "75 %"


def test_the_command_writes_the_page(run: Run, tmp_path: Path) -> None:
    folder, paths = run
    config = tmp_path / "config.yaml"
    config.write_text("chunks: 3  # <here>\n")
    out = tmp_path / "report.html"
    arguments = ["report", str(out), *map(str, paths), "--results", str(folder), "--config", str(config)]
    result = CliRunner().invoke(app, [*arguments, "--title", "A run"])
    assert result.exit_code == 0, result.output
    text = out.read_text()
    assert "<title>A run</title>" in text and "chunks: 3  # &lt;here&gt;" in text
    first = out.read_bytes()
    CliRunner().invoke(app, [*arguments, "--title", "A run"])
    assert out.read_bytes() == first


def test_mistakes_are_one_sentence(run: Run, tmp_path: Path) -> None:
    folder, paths = run
    with pytest.raises(DiffSignError, match=r"folder of results .* does not exist"):
        report(tmp_path / "r.html", paths, tmp_path / "none", ReportSettings())
    binary = tmp_path / "config.yaml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(DiffSignError, match="is not UTF-8 text"):
        report(tmp_path / "r.html", paths, folder, ReportSettings(), binary)
    assert not (tmp_path / "r.html").exists()


def test_a_result_without_figures_has_a_page(tmp_path: Path) -> None:
    bare: Metrics = make_metrics(figures={}, series={}, kind="unknown", signer_text=None)
    write_videos(tmp_path, bare)
    Page(render_page(tmp_path / "r.html", [bare], tmp_path, ReportSettings()))
