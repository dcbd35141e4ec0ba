import base64
import html as html_module
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.config.report import ReportSettings
from diffsign.errors import DiffSignError
from diffsign.records.metrics import NO_FILM, Break, Evaluation, Metric, save_metrics
from diffsign.report.charts import make_charts, make_timeline
from diffsign.report.page import Report
from diffsign.report.report import Inputs, Outputs
from diffsign.report.report import run as report
from diffsign.report.results import find_results
from diffsign.report.videos import Videos

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


def write(run: Run, page: Path | None = None, config: str | None = None, **settings) -> Path:
    folder, paths = run
    page = page or folder / "report.html"
    Report(page, folder, ReportSettings(**settings)).write(find_results(paths), config)
    return page


def save(folder: Path, *results: Evaluation) -> Run:
    paths = []
    for number, result in enumerate(results):
        paths.append(folder / f"{number}.json")
        save_metrics(paths[-1], result)
    return folder, paths


def test_the_page_needs_no_network(run: Run) -> None:
    text = write(run).read_text()
    assert not re.search(r"https?://|//cdn|@import|url\(", text)
    page = Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
    assert page.all("meta")[-1]["content"].startswith("default-src 'none'")  # type: ignore[union-attr]


def test_every_result_has_its_videos_and_a_player(run: Run) -> None:
    page = Page(write(run).read_text())
    sections = [a for a in page.all("section") if a.get("class") == "result"]
    assert [a["id"] for a in sections] == ["result-1", "result-2", "result-3"]
    videos = page.all("video")
    assert len(videos) == 3 * 4
    assert all(video["aria-label"] and video["preload"] == "none" for video in videos)
    assert sum("data-leads" in video for video in videos) == 3
    assert sum(a.get("class") == "player" for a in page.all("div")) == 3 + 1, "one for two results side by side"


def test_a_shared_source_is_carried_once(run: Run) -> None:
    videos = Page(write(run).read_text()).all("video")
    ids = {video["id"] for video in videos if "id" in video}
    copies = [video for video in videos if "data-same" in video]
    assert len(copies) == 3, "source, overlay and pose of the video 'hello'"
    assert {video["data-same"] for video in copies} <= ids


def test_large_videos_are_linked_relative_to_the_page(run: Run) -> None:
    folder, _ = run
    page = Page(write(run, folder / "sub" / "r.html", embed_mb=0).read_text())
    for video in page.all("video"):
        source = video["src"]
        assert source and not source.startswith(("data:", "/"))
        assert (folder / "sub" / unquote(source)).resolve().is_file()


def test_many_results_have_a_page_each_that_loads_its_videos_when_looked_at(run: Run) -> None:
    folder, _ = run
    index = write(run, single_page=2)
    assert not Page(index.read_text()).all("video"), "the index loads none"
    pages = sorted((folder / "report").iterdir())
    assert [page.name for page in pages] == ["anna--bye.html", "anna--hello.html", "ben--hello.html"]
    links = {link["href"] for link in Page(index.read_text()).all("a")}
    assert {f"report/{page.name}" for page in pages} <= links
    for page in pages:
        videos = Page(page.read_text()).all("video")
        assert len(videos) == 4
        for video in videos:
            assert video["preload"] == "none"
            assert (page.parent / unquote(video["src"] or "")).resolve().is_file()
    rows = json.loads(re.search(r'id="rows">(.*?)</script>', index.read_text(), re.S)[1])  # type: ignore[index]
    for row in rows:
        assert all((folder / unquote(url)).is_file() for _, url in row["videos"])


def test_pages_of_results_that_are_gone_are_removed_and_nothing_else(run: Run) -> None:
    folder, paths = run
    write(run, single_page=0)
    (folder / "report" / "notes.txt").write_text("mine")
    write((folder, paths[:1]), single_page=0)
    assert sorted(path.name for path in (folder / "report").iterdir()) == ["anna--hello.html", "notes.txt"]


@pytest.mark.parametrize("name", ["../secret", "..", "/etc", "a/../../secret"])
def test_no_path_out_of_the_folder_is_followed(tmp_path: Path, make_metrics, write_videos, name: str) -> None:
    folder = tmp_path / "results"
    (folder / "videos").mkdir(parents=True)
    (folder / "signers").mkdir()
    secret = make_metrics(signer="anna", video="secret")
    write_videos(tmp_path, secret)
    run = save(folder, make_metrics(signer="anna", video=name))
    assert not Page(write(run).read_text()).all("video")
    write(run, single_page=0)
    assert {path.parent for path in tmp_path.rglob("*.html")} <= {folder, folder / "report"}


def test_a_link_out_of_the_folder_is_not_followed(run: Run, tmp_path: Path) -> None:
    folder, _ = run
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"secret")
    clip = folder / "signers" / "anna" / "hello" / "clip.mp4"
    clip.unlink()
    clip.symlink_to(secret)
    assert base64.b64encode(b"secret").decode() not in write(run).read_text()


def test_a_missing_video_is_left_out_and_none_is_said(run: Run) -> None:
    folder, _ = run
    for path in folder.rglob("*.mp4"):
        path.unlink()
    text = write(run).read_text()
    assert not Page(text).all("video") and "No videos were found" in text


def test_hostile_names_are_text(tmp_path: Path, make_metrics) -> None:
    evil = '<script>alert("x")</script>'
    metrics = make_metrics(
        signer="a'\"><img src=x onerror=alert(1)>", video="v", signer_text=evil, family="</style><b>", source_text=evil
    )
    run = save(tmp_path, metrics)
    for single_page in (1, 0):
        write(run, title=evil, config="</pre>" + evil, single_page=single_page)
        for path in tmp_path.rglob("*.html"):
            text = path.read_text()
            page = Page(text)
            assert len(page.all("script")) <= 4 and not page.all("img") and not page.all("b")
            assert "alert" not in "".join(re.findall(r"<script>(.*?)</script>", text, re.S))
            assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
            assert html_module.escape(evil, quote=True).replace("&quot;", "&#34;") in text


def test_untrained_families_are_warned_of_and_only_they(run: Run, tmp_path: Path, make_metrics) -> None:
    assert "Untrained." not in write(run).read_text()
    text = write(save(tmp_path, make_metrics(untrained=True))).read_text()
    assert "Untrained." in text and "demo" in text


def test_networks_reasons_and_meanings_are_on_the_page(run: Run) -> None:
    text = write(run).read_text()
    assert "tiny CLIP" in text and "no reference picture describes the signer" in text
    assert "Biased upwards over few frames" in text and "torch 2.0" in text


def test_where_the_signing_breaks_is_marked_and_can_be_gone_to(tmp_path: Path, make_metrics, write_videos) -> None:
    broken = Break(parameter="location", against="source", start=3, end=6, worst=4, what="12 cm too low")
    result = make_metrics(breaks=[broken])
    write_videos(tmp_path, result)
    page = Page(write(save(tmp_path, result)).read_text())
    assert [button["data-frame"] for button in page.all("button") if "data-frame" in button] == ["4"]
    marks = [mark for mark in page.all("i") if mark.get("class") == "fill broken"]
    assert [mark["style"] for mark in marks] == ["left:25.00%;width:25.00%"]


def test_charts_break_where_there_is_no_value(make_metrics, frame_count) -> None:
    charts = make_charts(make_metrics())
    assert [chart.title for chart in charts] == ["SSIM with the frame before"]
    stretches = charts[0].lines[0].stretches
    assert [len(points.split()) for points in stretches] == [3, frame_count - 4]
    heights = [float(point.split(",")[1]) for points in stretches for point in points.split()]
    assert min(heights) >= 0 and max(heights) <= 100


def test_a_chart_of_constant_values_stays_inside(make_metrics, frame_count) -> None:
    metrics = make_metrics(series={"ssim_successive_result": [None] + [1.0] * (frame_count - 1)})
    (chart,) = make_charts(metrics)
    assert all(0 <= float(p.split(",")[1]) <= 100 for p in chart.lines[0].stretches[0].split())


def test_the_timeline_shows_the_gap(make_metrics) -> None:
    rows = {(row.part, row.role): row for row in make_timeline(make_metrics())}
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


def test_mistakes_are_named(run: Run, tmp_path: Path) -> None:
    folder, paths = run
    out = tmp_path / "r.html"
    with pytest.raises(DiffSignError, match="none"):
        report(Inputs(tuple(paths), tmp_path / "none"), Outputs(out), ReportSettings())
    binary = tmp_path / "config.yaml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(DiffSignError, match=r"config\.yaml"):
        report(Inputs(tuple(paths), folder, binary), Outputs(out), ReportSettings())
    assert not out.exists()


def test_a_result_without_metrics_has_a_page(tmp_path: Path, make_metrics, write_videos) -> None:
    bare = make_metrics(metrics={}, series={}, kind="unknown", signer_text=None)
    write_videos(tmp_path, bare)
    Page(write(save(tmp_path, bare)).read_text())


def test_the_skeleton_of_a_source_without_a_film_is_called_one(make_metrics, write_videos, tmp_path: Path) -> None:
    filmed = make_metrics()
    posed = filmed.model_copy(update={"metrics": filmed.metrics | {"fid": Metric(reason=NO_FILM)}})
    write_videos(tmp_path, filmed)
    captions = [Videos(tmp_path, tmp_path / "page.html", 1e9).of(result)[0].caption for result in (filmed, posed)]
    assert captions == ["Source", "Source: its skeleton"]
