"""What retargeting makes of a folder of real videos, without any truth.

    python benchmarks/real.py FOLDER --json real.json                              # any videos and GIFs
    python benchmarks/real.py FOLDER --labels FOLDER/labels.tsv --json real.json   # with what a person sees

Every video goes through ingest, detect, clean, fit and smooth with the settings of the workflow (or of --config), and
some of its frames, small, through render. The JSON has the rates of docs/real.md and the seconds of each stage (of
render: those of the small pictures, for as many frames as the clip has); under --work there are a contact sheet
(source, avatar over it, avatar) and the worst frames of each video; --film renders all frames in full.

What was made is kept under --work: a stage runs again only when its input, its settings or its code has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import real_measures as measures
import real_pictures as pictures
import tables
from rich.table import Table

import diffsign
from diffsign.body.model import Body, load_body
from diffsign.cli import app
from diffsign.config.schema import Config, read_config
from diffsign.config.settings import to_flags
from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.records.clip import probe_clip
from diffsign.records.keypoints import Change, load_keypoints
from diffsign.records.motion import Motion, load_motion, save_motion

log = logging.getLogger(__name__)

SUFFIXES = (".mp4", ".gif", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".ts")
#: What each stage is made of beside its own folder and settings: a change there makes it run again.
ROOMS = {
    "ingest": (),
    "detect": (),
    "clean": (),
    "fit": ("body", "geometry"),
    "smooth": ("geometry",),
    "render": ("avatar", "body"),
}
#: Frames of the contact sheet, and of the worst ones.
SHEET, WORST = 12, 4
#: Pictures are rendered this high, in pixels.
HEIGHT = 256

Row = dict[str, Any]


def run(*arguments: str | Path) -> None:
    """Run a command of ``diffsign`` in this process."""
    app([str(argument) for argument in arguments], standalone_mode=False)


def code_of(stage: str) -> str:
    """Return a digest of the code and the default settings that a stage rests on."""
    root = Path(diffsign.__file__).parent
    files = [root / "config" / f"{stage}.py"]
    for room in (stage, *ROOMS[stage]):
        files += sorted((root / room).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files if path.is_file())).hexdigest()


@dataclass(frozen=True)
class Stages:
    """Runs the stages of one video in a folder of its own, each only when something that it rests on has changed."""

    folder: Path
    config: Config
    body: Path

    def run(self, stage: str, inputs: list[Path], output: Path, *more: str | Path) -> float:
        """Run one stage from ``inputs`` to ``output`` and return the seconds that it took, now or when it ran."""
        flags = to_flags(getattr(self.config, stage))
        rests_on = hashlib.sha256(code_of(stage).encode())
        for part in (*flags, *(str(path.stat().st_mtime_ns) for path in inputs)):
            rests_on.update(part.encode())
        stamp = self.folder / f"{stage}.json"
        known = json.loads(stamp.read_text()) if stamp.exists() and output.exists() else {}
        if known.get("rests_on") == rests_on.hexdigest():
            return float(known["seconds"])
        stamp.unlink(missing_ok=True)
        start = time.perf_counter()
        run(stage, *inputs[:1], output, *more, *flags)
        seconds = time.perf_counter() - start
        with atomic(stamp) as temporary:
            temporary.write_text(json.dumps({"rests_on": rests_on.hexdigest(), "seconds": seconds}))
        return seconds


def source_frames(video: Path, frames: int, fps: float) -> np.ndarray:
    """Return the number of the source's frame that each frame of its clip shows, (frames,) int."""
    capture = cv2.VideoCapture(str(video))
    times = []
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    capture.release()
    if not times:
        times = [i / probe_clip(video).fps for i in range(frames)]
    steps = np.array(times)[:, None] - times[0] - np.arange(frames) / fps
    return np.abs(steps).argmin(axis=0)


def process(video: Path, stages: Stages, labels: list[measures.Label]) -> tuple[measures.Clip, dict[str, float]]:
    """Run the stages up to smoothing; return the clip and the seconds of each stage."""
    at = stages.folder
    at.mkdir(parents=True, exist_ok=True)
    body = ("--body", stages.body)
    detail, clip, raw, clean, fitted, motion = (
        at / name
        for name in ("detail.mp4", "clip.mkv", "keypoints.npz", "keypoints.clean.npz", "motion.fit.npz", "motion.npz")
    )
    seconds = {}
    for stage, inputs, output, more in (
        ("ingest", [video], clip, ("--detail", detail)),
        ("detect", [clip], raw, ("--detail", detail, "--threads", "1")),
        ("clean", [raw], clean, ()),
        ("fit", [clean, stages.body], fitted, body),
        ("smooth", [fitted, stages.body], motion, body),
    ):
        seconds[stage] = stages.run(stage, inputs, output, *more)
    keypoints = load_keypoints(raw)
    return (
        measures.Clip(
            name=video.name,
            detected=keypoints,
            clean=load_keypoints(clean),
            fitted=load_motion(fitted),
            smoothed=load_motion(motion),
            source_frame=source_frames(video, len(keypoints), keypoints.fps),
            source_height=probe_clip(video).height,
            labels=labels,
        ),
        seconds,
    )


def measure(clip: measures.Clip, body: Body) -> tuple[Row, list[tuple[float, int, str]]]:
    """Return every figure of a clip, and its frames from the worst on as (palms away, frame, why)."""
    fitted, smoothed = measures.pose(body, clip.fitted), measures.pose(body, clip.smoothed)
    row: Row = {"clip": clip.name, "frames": len(clip.detected), "fps": clip.detected.fps}
    worst = []
    for figures, frames in (
        measures.presence(clip, smoothed),
        measures.handshapes(clip, smoothed),
        measures.movement(clip, fitted, smoothed),
    ):
        row |= figures
        worst += frames
    row |= measures.contacts(clip, smoothed, body)
    row["points"] = int((clip.detected.confidence > 0).sum())
    row["outliers"] = int((clip.clean.changes & Change.OUTLIER > 0).sum())
    row["flagged"] = int((~clip.smoothed.valid).sum())
    return row, sorted(worst, key=lambda entry: -entry[0])


def choose_worst(worst: list[tuple[float, int, str]], apart: int) -> dict[int, str]:
    """Return the worst frames with what is wrong there, none nearer to another than ``apart`` frames."""
    chosen: dict[int, str] = {}
    for palms, frame, why in worst:
        if len(chosen) < WORST and all(abs(frame - other) >= apart for other in chosen):
            chosen[frame] = f"{why}, {palms:.1f} palms"
    return chosen


def smaller(motion: Motion) -> Motion:
    """Return a motion whose camera takes pictures :data:`HEIGHT` pixels high."""
    camera = motion.camera
    width = 8 * max(1, round(camera.width * HEIGHT / camera.height / 8))
    scale = np.array([width / camera.width, HEIGHT / camera.height, 1.0])
    return replace(motion, camera=replace(camera, K=camera.K * scale[:, None], width=width, height=HEIGHT))


def film(stages: Stages) -> None:
    """Render every frame in full and write the avatar over the source as ``overlay.mp4``."""
    at = stages.folder
    whole = at / "avatar.all"
    run("render", at / "motion.npz", whole, "--body", stages.body, *to_flags(stages.config.render))
    run("overlay", at / "clip.mkv", whole / "color.mkv", whole / "mask.mkv", at / "overlay.mp4")


def draw(clip: measures.Clip, stages: Stages, worst: dict[int, str], sheet: int) -> float:
    """Render some frames and write the pictures; return the seconds that a frame took."""
    at = stages.folder
    sampled = np.unique(np.linspace(0, len(clip.smoothed) - 1, sheet).round().astype(int)).tolist()
    frames = sorted({*sampled, *worst})
    save_motion(at / "shown.npz", smaller(clip.smoothed.rows(frames)))
    start = time.perf_counter()
    run("render", at / "shown.npz", at / "avatar", "--body", stages.body, *to_flags(stages.config.render))
    seconds = time.perf_counter() - start
    numbers = range(len(frames))
    source = pictures.frames_of(at / "clip.mkv", frames)
    color = pictures.frames_of(at / "avatar" / "color.mkv", numbers)
    mask = pictures.frames_of(at / "avatar" / "mask.mkv", numbers)

    def cell(frame: int, text: str) -> np.ndarray:
        number = frames.index(frame)
        return pictures.panels(source[frame], color[number], mask[number], text)

    name = f"frame {{}} (source {{}}) of {clip.name}"
    pictures.write_sheet(
        at / "sheet.png", [cell(t, name.format(t, clip.source_frame[t])) for t in frames if t in sampled]
    )
    shutil.rmtree(at / "worst", ignore_errors=True)
    for frame, why in worst.items():
        (at / "worst").mkdir(exist_ok=True)
        pictures.write_picture(at / "worst" / f"{frame:05}.png", cell(frame, f"frame {frame}: {why}"))
    return seconds / len(frames)


#: What the table and the totals show: title, counted of how many (or a mean), and digits.
RATES = {
    "absent shown": ("absent_shown", "absent"),
    "visible near": ("visible_near", "visible"),
    "fingers": ("fingers_right", "fingers"),
    "contacts": ("contact_kept", "contact_frames"),
    "outliers": ("outliers", "points"),
    "flagged": ("flagged", "frames"),
}
MEANS = ("hands_fitted_fast", "hands_smoothed_fast", "hands_smoothed_90", "peak_speed_smoothed_over_fitted")


def totals(rows: list[Row]) -> Row:
    """Return the figures over all clips: sums of what is counted, means of the rest."""
    out: Row = {"clips": len(rows)}
    for names in RATES.values():
        for name in names:
            out[name] = int(sum(row[name] for row in rows))
    numbers = sorted({key for row in rows for key, value in row.items() if isinstance(value, float)})
    for name in numbers:
        if name != "fps":
            out[name] = float(np.mean([row[name] for row in rows if name in row]))
    out["seconds"] = {
        stage: float(sum(row["seconds"][stage] for row in rows)) for stage in (rows[0]["seconds"] if rows else {})
    }
    return out


def show(rows: list[Row]) -> None:
    """Print the table, a row a clip and a line of totals."""
    table = Table(title="real videos")
    for title in ("clip", *RATES, *(name.replace("_", " ") for name in MEANS)):
        table.add_column(title)
    for row in [*rows, {"clip": "all", **totals(rows)}]:
        counts = [f"{row[a]}/{row[b]}" for a, b in RATES.values()]
        table.add_row(row["clip"], *counts, *(f"{row[name]:.2f}" if name in row else "–" for name in MEANS))
    tables.show(table)


def write(path: Path, rows: list[Row]) -> None:
    """Write the figures so far."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps({"clips": rows, "total": totals(rows)}, indent=2) + "\n")


def find_videos(folder: Path, only: list[str]) -> list[Path]:
    """Return the videos of a folder in order of name.

    Raises:
        DiffSignError: if there is no such folder, or none of the videos that were asked for is in it.
    """
    if not folder.is_dir():
        raise DiffSignError(f"the folder of videos '{folder}' does not exist; give a folder.")
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    unknown = set(only) - {path.name for path in videos}
    if unknown:
        raise DiffSignError(f"'{folder}' has no {', '.join(sorted(unknown))}; it has {[p.name for p in videos]}.")
    videos = [path for path in videos if not only or path.name in only]
    if not videos:
        raise DiffSignError(f"the folder '{folder}' holds no videos ({', '.join(SUFFIXES)}).")
    return videos


def older(picture: Path, motion: Path) -> bool:
    """Tell whether a picture shows another motion than the one that is there, or is missing."""
    return not picture.exists() or picture.stat().st_mtime < motion.stat().st_mtime


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of videos and GIFs")
    parser.add_argument("--labels", type=Path, help="what a person sees, a table as docs/real.md describes it")
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--work", type=Path, default=Path("results/benchmarks/real"), help="folder for what is made")
    parser.add_argument("--body", type=Path, default=Path("resources/body/body.npz"), help="body file, made if missing")
    parser.add_argument("--config", type=Path, help="settings of the stages (YAML), the defaults if left out")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="only these videos")
    parser.add_argument("--sheet", type=int, default=SHEET, help="frames of each contact sheet; 0 draws no pictures")
    parser.add_argument("--film", action="store_true", help="also render every frame and write overlay.mp4")
    given = parser.parse_args(arguments)
    videos = find_videos(given.folder, given.only)
    labels = measures.read_labels(given.labels) if given.labels else []
    for name in sorted({label.clip for label in labels} - {path.name for path in given.folder.iterdir()}):
        log.warning("There are labels for '%s', which is not in '%s'.", name, given.folder)
    if not given.body.exists():
        run("body", "build", given.body)
    body = load_body(given.body)
    config = read_config(given.config) if given.config else Config()
    rows: list[Row] = []
    for video in videos:
        stages = Stages(given.work / video.name, config, given.body)
        mine = [label for label in labels if label.clip == video.name]
        clip, seconds = process(video, stages, mine)
        row, worst = measure(clip, body)
        sheet, overlay, motion = (stages.folder / name for name in ("sheet.png", "overlay.mp4", "motion.npz"))
        if given.sheet and older(sheet, motion):
            each = draw(clip, stages, choose_worst(worst, max(2, round(clip.detected.fps / 6))), given.sheet)
            (stages.folder / "render.json").write_text(json.dumps({"seconds_a_frame": each}))
        if given.film and older(overlay, motion):
            film(stages)
        drawn = stages.folder / "render.json"
        if drawn.exists():
            seconds["render"] = json.loads(drawn.read_text())["seconds_a_frame"] * len(clip.detected)
        rows.append(row | {"seconds": seconds})
        write(given.json, rows)
    show(rows)


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
