"""The report in a real browser: it plays, scrubs, filters, fits a telephone, and axe-core finds nothing serious."""

from __future__ import annotations

import csv
import importlib.util
import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from diffsign.config.compare import CompareSettings
from diffsign.config.report import ReportSettings
from diffsign.config.study import StudySettings
from diffsign.records.metrics import Break, save_metrics
from diffsign.report.compare import Inputs as CompareInputs
from diffsign.report.compare import Outputs as CompareOutputs
from diffsign.report.compare import run as compare
from diffsign.report.page import Report
from diffsign.report.results import find_results
from diffsign.report.study import MakeInputs, MakeOutputs, ReadInputs, ReadOutputs, make, read

selenium = pytest.importorskip("selenium", reason="the package selenium drives the browser (pip install '.[dev]')")
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver import Chrome, ChromeOptions  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402


def _programs() -> tuple[str, str]:
    """Return Chromium and its driver, from Debian's packages if they are not here yet and can be had."""
    for attempt in range(2):
        browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        driver = shutil.which("chromedriver")
        if browser and driver:
            return browser, driver
        if attempt == 0 and shutil.which("apt-get"):
            for command in (
                ["apt-get", "update"],
                ["apt-get", "install", "-y", "--no-install-recommends", "chromium-driver", "chromium"],
            ):
                subprocess.run(command, capture_output=True, timeout=300, check=False)
    pytest.skip("no chromium and chromedriver here, and apt-get could not install them")


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    program, driver = _programs()
    options = ChromeOptions()
    options.binary_location = program
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1200,900",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    try:
        chrome = Chrome(options=options, service=Service(driver))
    except WebDriverException as error:
        pytest.skip(f"chromium does not start here: {str(error).splitlines()[0]}")
    chrome.set_script_timeout(120)
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, make_metrics, write_videos) -> dict[str, Path]:
    """The report of four results as one page, and the same with a page for each."""
    folder = tmp_path_factory.mktemp("site") / "my results"
    broken = [
        Break(parameter="location", against="source", start=3, end=6, worst=4, what="12 cm too low"),
        Break(parameter="handshape", against="avatar", start=8, end=10, worst=9, what="40° off"),
    ]
    paths = []
    for number, (signer, video) in enumerate((("anna", "hello"), ("anna", "bye"), ("ben", "hello"), ("ben", "bye"))):
        result = make_metrics(signer, video, -0.1 * number, kind="text" if signer == "anna" else "image")
        result = result.model_copy(update={"breaks": broken if signer == "ben" else []})
        paths.append(folder / "signers" / signer / video / "metrics.json")
        save_metrics(paths[-1], result)
        write_videos(folder, result)
    pages = {"single": folder / "report.html", "many": folder / "many.html"}
    for name, page in pages.items():
        Report(page, folder, ReportSettings(single_page=12 if name == "single" else 0)).write(find_results(paths))
    return pages


@pytest.fixture
def opened(browser: Chrome) -> Iterator[Callable[[Path], Chrome]]:
    """Open a page; in the end its console must be empty."""

    def go(page: Path) -> Chrome:
        browser.set_window_size(1200, 900)
        browser.get(page.as_uri())
        return browser

    browser.get_log("browser")
    yield go
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def wait(browser: Chrome, script: str) -> Any:
    return WebDriverWait(browser, 15).until(lambda chrome: chrome.execute_script(f"return {script}"))


def show(browser: Chrome, selector: str) -> WebElement:
    element = browser.find_element(By.CSS_SELECTOR, selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    return element


def click(browser: Chrome, selector: str) -> None:
    browser.execute_script(
        "document.querySelector(arguments[0]).scrollIntoView({block: 'center', behavior: 'instant'})", selector
    )
    browser.find_element(By.CSS_SELECTOR, selector).click()


def times(browser: Chrome, selector: str) -> list[float]:
    script = f"return [...document.querySelectorAll('{selector} video')].map((video) => video.currentTime)"
    return browser.execute_script(script)


def wait_for_time(browser: Chrome, selector: str, time: float) -> None:
    videos = f"[...document.querySelectorAll('{selector} video')]"
    wait(browser, f"{videos}.every((video) => Math.abs(video.currentTime - {time}) < 0.01)")


def test_it_plays_and_all_videos_together(site: dict[str, Path], opened: Callable[[Path], Chrome]) -> None:
    browser = opened(site["single"])
    click(browser, "#result-1 [data-do=loop]")
    Select(browser.find_element(By.CSS_SELECTOR, "#result-1 [data-do=speed]")).select_by_value("0.5")
    click(browser, "#result-1 [data-do=play]")
    wait(browser, "document.querySelector('#result-1 [data-leads]').currentTime > 0.15")
    assert max(times(browser, "#result-1")) - min(times(browser, "#result-1")) < 0.1
    assert browser.execute_script("return document.querySelector('#result-1 [data-leads]').playbackRate") == 0.5
    wait(browser, "document.querySelector('#result-1 [data-do=play]').textContent === 'Play'")
    assert browser.execute_script("return document.querySelector('#result-1 [data-leads]').paused"), "it does not loop"


def test_it_loops(site: dict[str, Path], opened: Callable[[Path], Chrome]) -> None:
    browser = opened(site["single"])
    browser.execute_script(
        "window.again = 0;"
        "document.querySelector('#result-1 [data-leads]').addEventListener('ended', () => { again += 1; })"
    )
    click(browser, "#result-1 [data-do=play]")
    wait(browser, "window.again >= 2")
    click(browser, "#result-1 [data-do=play]")


def test_it_scrubs_and_steps(site: dict[str, Path], opened: Callable[[Path], Chrome], frame_count: int) -> None:
    browser = opened(site["single"])
    slider = show(browser, "#result-2 input[type=range]")
    browser.execute_script(
        "arguments[0].value = 7; arguments[0].dispatchEvent(new Event('input'))",
        slider,
    )
    wait(
        browser,
        "[...document.querySelectorAll('#result-2 video')].every((v) => Math.abs(v.currentTime - 7.5 / 24) < 0.01)",
    )
    click(browser, "#result-2 [data-do=on]")
    assert "frame 9 of 12" in browser.find_element(By.CSS_SELECTOR, "#result-2 output").text
    slider.send_keys(Keys.ARROW_LEFT)
    wait(browser, "document.querySelector('#result-2 input[type=range]').value === '7'")


def test_a_mark_goes_to_its_worst_frame(site: dict[str, Path], opened: Callable[[Path], Chrome]) -> None:
    browser = opened(site["single"])
    click(browser, "#result-3 [data-frame='4']")
    wait(
        browser,
        "[...document.querySelectorAll('#result-3 video')].every((v) => Math.abs(v.currentTime - 4.5 / 24) < 0.01)",
    )


def test_keys(site: dict[str, Path], opened: Callable[[Path], Chrome]) -> None:
    browser = opened(site["single"])
    body = browser.find_element(By.TAG_NAME, "body")
    browser.execute_script(
        "document.querySelector('#result-4 .videos').scrollIntoView({block: 'center', behavior: 'instant'})"
    )
    body.send_keys(Keys.ARROW_RIGHT)
    body.send_keys(Keys.SHIFT, Keys.ARROW_RIGHT)
    wait(browser, "document.querySelector('#result-4 input[type=range]').value === '11'")
    body.send_keys(" ")
    wait(browser, "document.querySelector('#result-4 [data-do=play]').textContent === 'Pause'")
    body.send_keys(" ")
    wait(browser, "document.querySelector('#result-4 [data-do=play]').textContent === 'Play'")


def names(browser: Chrome) -> list[str]:
    return [link.text for link in browser.find_elements(By.CSS_SELECTOR, "#results tbody th a")]


def test_filters_and_sorts_with_mouse_and_keyboard(site: dict[str, Path], opened: Callable[[Path], Chrome]) -> None:
    browser = opened(site["many"])
    assert names(browser) == ["anna, bye", "anna, hello", "ben, bye", "ben, hello"]
    click(browser, "th[data-key='0'] button")
    assert names(browser) == ["ben, bye", "ben, hello", "anna, bye", "anna, hello"], "lowest first"
    browser.find_element(By.CSS_SELECTOR, "th[data-key='0'] button").send_keys(Keys.ENTER)
    assert names(browser) == ["anna, hello", "anna, bye", "ben, hello", "ben, bye"]
    assert browser.find_element(By.CSS_SELECTOR, "th[data-key='0']").get_attribute("aria-sort") == "descending"
    browser.find_element(By.NAME, "find").send_keys("bye")
    assert names(browser) == ["anna, bye", "ben, bye"]
    Select(browser.find_element(By.NAME, "signer")).select_by_value("ben")
    assert names(browser) == ["ben, bye"]
    browser.find_element(By.NAME, "find").clear()
    Select(browser.find_element(By.NAME, "signer")).select_by_value("")
    click(browser, "[name=broken]")
    assert names(browser) == ["ben, hello", "ben, bye"]


@pytest.mark.parametrize("which", ["single", "many"])
def test_two_results_in_one_player(site: dict[str, Path], opened: Callable[[Path], Chrome], which: str) -> None:
    browser = opened(site[which])
    for name in ("anna, hello", "ben, hello"):
        click(browser, f"[aria-label='Show {name} side by side']")
    captions = [caption.text for caption in browser.find_elements(By.CSS_SELECTOR, "#pair figcaption")]
    assert captions == ["Source, hello", "anna, hello", "ben, hello"]
    click(browser, "#pair [data-frame='9']")
    wait(
        browser, "[...document.querySelectorAll('#pair video')].every((v) => Math.abs(v.currentTime - 9.5 / 24) < 0.01)"
    )
    click(browser, "[aria-label='Show ben, bye side by side']")
    captions = [caption.text for caption in browser.find_elements(By.CSS_SELECTOR, "#pair figcaption")]
    assert captions == ["Source, hello", "Source, bye", "ben, hello", "ben, bye"], "the latest two"
    click(browser, "#pair [data-do=play]")
    wait(browser, "document.querySelector('#pair [data-leads]').currentTime > 0")
    click(browser, "#pair [data-do=play]")


@pytest.fixture(scope="module")
def comparison(site: dict[str, Path], make_metrics, write_videos) -> Path:
    """The comparison of the site's run with another one, whose clip is longer."""
    first, second = site["single"].parent, site["single"].parents[1] / "other run"
    for signer, video in (("anna", "hello"), ("cleo", "hello")):
        result = make_metrics(signer, video)
        path = second / "signers" / signer / video / "metrics.json"
        save_metrics(path, result)
        write_videos(second, result)
    out = site["single"].parents[1] / "comparison"
    compare(CompareInputs((str(first), str(second))), CompareOutputs(out), CompareSettings(metrics=["fid"]))
    return out / "compare.html"


def test_two_runs_in_one_player(comparison: Path, opened: Callable[[Path], Chrome], axe: str) -> None:
    browser = opened(comparison)
    captions = [caption.text for caption in browser.find_elements(By.CSS_SELECTOR, "#watch figcaption")]
    assert captions == ["Source, bye", "my results, anna", "my results, ben"], "the clip has no other run"
    Select(browser.find_element(By.NAME, "clip")).select_by_value("hello")
    captions = [caption.text for caption in browser.find_elements(By.CSS_SELECTOR, "#watch figcaption")]
    assert captions == ["Source, hello", "my results, anna", "my results, ben"], "what was chosen stays"
    Select(browser.find_element(By.NAME, "first")).select_by_value("other run, cleo")
    browser.find_element(By.NAME, "second").send_keys("my results, ben")
    captions = [caption.text for caption in browser.find_elements(By.CSS_SELECTOR, "#watch figcaption")]
    assert captions == ["Source, hello", "other run, cleo", "my results, ben"]
    wait(browser, "[...document.querySelectorAll('#watch video')].every((video) => video.readyState > 0)")
    bar = show(browser, "#watch .timeline .bar")
    ActionChains(browser).move_to_element_with_offset(
        bar, round(bar.size["width"] * (7.5 / 12 - 0.5)), 0
    ).click().perform()
    wait_for_time(browser, "#watch", 7.5 / 24)
    click(browser, "#watch [data-do=play]")
    wait(browser, "document.querySelector('#watch [data-leads]').currentTime > 0")
    click(browser, "#watch [data-do=play]")
    assert serious(browser, axe) == []
    Select(browser.find_element(By.NAME, "second")).select_by_value("other run, cleo")
    assert browser.find_element(By.CSS_SELECTOR, "[data-same]").is_displayed()


def test_videos_load_when_looked_at(site: dict[str, Path], opened: Callable[[Path], Chrome]) -> None:
    browser = opened(site["many"])
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    browser.find_element(By.LINK_TEXT, "ben, hello").click()
    wait(browser, "[...document.querySelectorAll('video')].every((video) => video.readyState > 0)")
    assert browser.find_element(By.LINK_TEXT, "All results").get_attribute("href") == site["many"].as_uri()


@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_the_window(
    site: dict[str, Path], comparison: Path, opened: Callable[[Path], Chrome], width: int
) -> None:
    for page in (site["single"], site["many"], site["many"].with_suffix("") / "ben--hello.html", comparison):
        browser = opened(page)
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
        )
        try:
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width, page.name
        finally:
            browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="module")
def axe() -> str:
    package = importlib.util.find_spec("axe_core_python")
    if package is None or package.origin is None:
        pytest.skip("the package axe-core-python has axe-core (pip install '.[dev]')")
    return (Path(package.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def serious(browser: Chrome, axe: str) -> list[dict[str, Any]]:
    """Return what axe-core finds serious or critical on the page as it is."""
    browser.execute_script(axe)
    # Rows of a table of metrics are all alike: three of each are looked at.
    found = browser.execute_async_script(
        "axe.run({exclude: [['.metrics tbody tr:nth-child(n+4)']]}, {preload: false, resultTypes: ['violations']})"
        ".then(arguments[arguments.length - 1])"
    )
    assert len(found["passes"]) > 10
    return [
        {"rule": problem["id"], "where": [node["target"] for node in problem["nodes"]][:3]}
        for problem in found["violations"]
        if problem["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    site: dict[str, Path], opened: Callable[[Path], Chrome], axe: str, scheme: str
) -> None:
    for page in (site["single"], site["many"], site["many"].with_suffix("") / "ben--hello.html"):
        browser = opened(page)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        if page == site["single"]:
            for name in ("anna, hello", "ben, hello"):
                click(browser, f"[aria-label='Show {name} side by side']")
        assert serious(browser, axe) == [], page.name


@pytest.fixture
def study(tmp_path: Path, make_metrics, write_videos) -> tuple[Path, Path]:
    """A study of two items by two methods, and its key."""
    rows = ["item\tmethod\tvideo\tquestion\tkind\toptions\tanswer\tquestion_video"]
    write_videos(tmp_path, make_metrics())
    clip = tmp_path / "signers" / "anna" / "hello" / "clip.mp4"
    for item, method in itertools.product("12", "ab"):
        video = tmp_path / f"{item}{method}.mp4"
        video.write_bytes(clip.read_bytes())
        rows.append(f"{item}\t{method}\t{video.name}\tWhat was signed?\tchoice\tcat;dog\tcat\t{clip}")
        rows.append(f"{item}\t{method}\t{video.name}\tHow natural?\trating\tnot;fairly;very\t\t")
        rows.append(f"{item}\t{method}\t{video.name}\tAnything else?\ttext\t\t\t")
    sheet = tmp_path / "study.tsv"
    sheet.write_text("\n".join(rows) + "\n")
    page, key = tmp_path / "study.html", tmp_path / "key.csv"
    make(MakeInputs(sheet), MakeOutputs(page, key), StudySettings())
    return page, key


def test_a_study_is_gone_through_by_keyboard_and_its_answers_are_read(
    study: tuple[Path, Path], opened: Callable[[Path], Chrome], tmp_path: Path, axe: str
) -> None:
    page, key = study
    browser = opened(page)
    browser.find_element(By.ID, "viewer").send_keys("v1", Keys.ENTER)
    for number in range(2):
        title = wait(browser, "document.activeElement.textContent")
        assert title == f"Clip {number + 1} of 2"
        wait(browser, "document.querySelector('#clip').readyState > 0")
        assert serious(browser, axe) == []
        browser.find_element(By.CSS_SELECTOR, "#trial [type=submit]").send_keys(Keys.ENTER)
        assert "What was signed?" in browser.find_element(By.ID, "missing").text
        browser.switch_to.active_element.send_keys(" ")
        browser.find_element(By.CSS_SELECTOR, "[value=fairly]").send_keys(" ")
        browser.find_element(By.TAG_NAME, "textarea").send_keys('a "quoted", thought')
        browser.find_element(By.CSS_SELECTOR, "#trial [type=submit]").send_keys(Keys.ENTER)
    assert wait(browser, "document.activeElement.textContent") == "Thank you"
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.find_element(By.ID, "save").click()
    answers = tmp_path / "answers-v1.csv"
    WebDriverWait(browser, 15).until(lambda _: answers.exists())
    read(ReadInputs(key, (answers,)), ReadOutputs(tmp_path / "out"))
    with (tmp_path / "out" / "answers.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6 and {row["viewer"] for row in rows} == {"v1"} and {row["item"] for row in rows} == {"1", "2"}
    assert {row["answer"] for row in rows if row["kind"] == "text"} == {'a "quoted", thought'}
    assert {row["method"] for row in rows} == {"a", "b"}, "methods take turns"
    browser.get(page.as_uri())
    browser.find_element(By.ID, "viewer").send_keys("v1", Keys.ENTER)
    assert wait(browser, "document.activeElement.textContent") == "Thank you", "it goes on where it was left"
