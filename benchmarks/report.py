"""What the report of many results costs: to write, and to open in a browser.

    python benchmarks/report.py --results 300 --keep many

Results are made up (three signers, 72 frames each, one small clip for all), the pages are the real ones. Chromium opens
the index and the page of one result without a window; without Chromium only the writing is measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from diffsign.config.report import ReportSettings
from diffsign.records.clip import write_clip
from diffsign.records.metric_definitions import DETECTED_PARTS, METRIC_DEFINITIONS
from diffsign.records.metrics import Break, Evaluation, metric, save_metrics, to_series
from diffsign.report.page import Report
from diffsign.report.results import find_results

FRAMES, FPS, SIDE = 72, 24.0, 256
SIGNERS = {"picture": "image", "words": "text", "both": "multimodal"}
PARAMETERS = ("handshape", "location", "orientation", "movement")
#: What a parameter's break reads like.
WHAT = "{:.0f} units from what it should be"


def made_up(signer: str, video: str, rng: np.random.Generator) -> Evaluation:
    """Return a result with every figure and series of the page, drawn at random."""
    metrics = {
        name: metric(float(rng.uniform(0.2, 1.0)), FRAMES, network="CLIP" if one.group == "likeness" else None)
        for name, one in METRIC_DEFINITIONS.items()
    }
    roles = ("source", "avatar", "result")
    series = {f"ssim_successive_{who}": to_series(rng.uniform(0.9, 1.0, FRAMES)) for who in roles}
    series |= {f"{part}_found_{who}": to_series(rng.random(FRAMES) < 0.9) for part in DETECTED_PARTS for who in roles}
    breaks = []
    for start in range(0, FRAMES, 24):
        for parameter in rng.choice(PARAMETERS, rng.integers(0, 3), replace=False):
            worst = start + int(rng.integers(0, 24))
            what = WHAT.format(rng.uniform(20, 60))
            breaks.append(
                Break(parameter=parameter, against="source", start=start, end=start + 24, worst=worst, what=what)
            )
    return Evaluation(
        video=video,
        signer=signer,
        kind=SIGNERS[signer],
        family="demo",
        frames=FRAMES,
        fps=FPS,
        width=SIDE,
        height=SIDE,
        signer_text=None if signer == "picture" else "a woman with red hair",
        metrics=metrics,
        series=series,
        breaks=breaks,
        versions={"torch": "2.13.0"},
    )


def make_results(folder: Path, count: int) -> list[Path]:
    """Write so many results with their videos; return the paths of their metrics."""
    rng = np.random.default_rng(0)
    film = folder / "film.mp4"
    rows, columns = np.mgrid[:SIDE, :SIDE]
    shades = [((rows + columns + 6 * t) % SIDE).astype(np.uint8) for t in range(FRAMES)]
    write_clip(film, (np.repeat(shade[..., None], 3, axis=2) for shade in shades), FPS)
    paths = []
    for number in range(count):
        signer, video = [*SIGNERS][number % len(SIGNERS)], f"clip{number // len(SIGNERS):04d}"
        paths.append(folder / "signers" / signer / video / "metrics.json")
        save_metrics(paths[-1], made_up(signer, video, rng))
        source = folder / "videos" / video
        for path in (
            source / "clip.mp4",
            source / "avatar/overlay.mp4",
            source / "control/pose.mp4",
            paths[-1].with_name("clip.mp4"),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                os.link(film, path)
    return paths


def browse(pages: dict[str, Path]) -> list[str]:
    """Open pages in Chromium; return what each took: to load, to sort, and the memory of its scripts."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    lines = []
    chrome = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        chrome.execute_cdp_cmd("Performance.enable", {})
        for name, page in pages.items():
            chrome.get(page.as_uri())
            loaded = chrome.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
            line = f"{name}: loaded after {loaded:.0f} ms"
            if chrome.execute_script("return document.querySelector('button.sort') !== null"):
                sort = (
                    "const t = performance.now(); document.querySelectorAll('button.sort')[2].click();"
                    "document.body.offsetHeight; return performance.now() - t"
                )
                line += f", sorted in {chrome.execute_script(sort):.0f} ms"
            measured = {m["name"]: m["value"] for m in chrome.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]}
            lines.append(f"{line}, {measured['JSHeapUsedSize'] / 1e6:.1f} MB of scripts, {measured['Nodes']:.0f} nodes")
    finally:
        chrome.quit()
    return lines


def main() -> None:
    """Print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=300, help="how many results")
    parser.add_argument("--keep", type=Path, help="folder in which everything stays, to look at")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="diffsign-report-") as name:
        folder = options.keep or Path(name)
        paths = make_results(folder, options.results)
        started = time.monotonic()
        page = folder / "report.html"
        Report(page, folder, ReportSettings()).write(find_results(paths))
        seconds = time.monotonic() - started
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines = [
            f"{options.results} results written in {seconds:.1f} s, {largest:.0f} MB, "
            f"index {page.stat().st_size / 1e3:.0f} kB"
        ]
        if shutil.which("chromium") and shutil.which("chromedriver"):
            single = sorted(page.with_suffix("").glob("*.html"))
            lines += browse({"index": page, **({"page of a result": single[0]} if single else {})})
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
