"""Robustness of clean, fit and smooth: lost points, cuts, other people and cameras, on clips with known truth.

    python benchmarks/robustness.py --json robustness.json [--docs docs/robustness.md]

Starts from the demo's clip. Points are lost, shaken and exchanged after detection; cuts are made in the pictures; a
rolled camera, a tight crop, a child and an old person are rendered with the demo's seed, so that the phrase is the
same. Every clip then goes through clean, fit and smooth with the settings as they ship. Errors are those of
``benchmarks/aligned.py``, beside the undisturbed clip's in the same frames. ``--docs`` writes the tables
and the plots into a document and the pictures beside it; with ``--read`` from an earlier ``--json`` file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import disturb
import matplotlib as mpl
import numpy as np
import tables
from aligned import finger_error, vertex_error
from clips import run
from fit import REGIONS, true_points
from rich.console import Console
from rich.table import Table
from truth import load_truth

from diffsign.body.model import Body, load_body
from diffsign.config.fit import FitSettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.records.clip import read_clip, write_clip
from diffsign.records.keypoints import RIGHT_HAND, Keypoints, load_keypoints, save_keypoints
from diffsign.records.motion import Motion, load_motion
from diffsign.synthetic.truth import Truth

mpl.use("Agg")
from matplotlib import pyplot

ROOT = Path(__file__).parents[1]
CLIP, TRUTH, SEED = ROOT / "config/demo/source.mp4", ROOT / "config/demo/truth.npz", 30
RENDERED = {
    "camera rolled by 30°": ["--roll=30"],
    "cropped at the chest": ["--framing=chest"],
    "a child": ["--age=child"],
    "an old person": ["--age=old"],
}
#: Frames in which the demo's right hand spells and moves on.
GONE, SWAPPED = slice(36, 48), slice(40, 45)
LONG = 1500


@dataclass(frozen=True)
class Case:
    """A disturbed clip.

    Attributes:
        name: what was done.
        keypoints: as a detector found them, disturbed.
        truth: of the clip that the frames come from.
        order: (T,) which frames of the truth they are.
        where: frames that were disturbed; None for all.
    """

    name: str
    keypoints: Keypoints
    truth: Truth
    order: np.ndarray
    where: slice | None = None


def detect(video: Path, folder: Path) -> Keypoints:
    """Return the keypoints of a video at its own size and 24 frames a second, from ``folder`` if they are there."""
    clip, keypoints = folder / "clip.mkv", folder / "keypoints.npz"
    if not keypoints.exists():
        if not clip.exists():
            run("ingest", video, clip, "--height=512", "--width=512")
        run("detect", clip, keypoints)
    return load_keypoints(keypoints)


def cut_clip(source: Path, folder: Path, order: np.ndarray, zoomed: int) -> Keypoints:
    """Return the keypoints of a clip whose frames are ``order`` of another's, enlarged from frame ``zoomed`` on."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "clip.mkv").exists():
        frames, info = read_clip(source)
        frames = frames[order].copy()
        zoom = np.array([[1.3, 0, -0.15 * info.width + 30], [0, 1.3, -0.15 * info.height + 20]])
        for t in range(zoomed, len(frames)):
            frames[t] = cv2.warpAffine(frames[t], zoom, (info.width, info.height), flags=cv2.INTER_LINEAR)
        write_clip(folder / "clip.mkv", frames, info.fps)
    return detect(source, folder)


def cases(body: Path, work: Path) -> Iterator[Case]:
    """Yield the clips, the undisturbed one first."""
    truth, keypoints = load_truth(TRUTH), detect(CLIP, work / "demo")
    frames = len(keypoints)
    every = np.arange(frames)
    rng = np.random.default_rng(0)
    yield Case("undisturbed", keypoints, truth, every)
    yield Case("20 % of the points lost", disturb.drop(keypoints, 0.2, rng), truth, every)
    gone = disturb.lose_hand(keypoints, RIGHT_HAND, GONE)
    yield Case("right hand lost for half a second", gone, truth, every, GONE)
    yield Case("hands exchanged for five frames", disturb.swap_hands(keypoints, SWAPPED), truth, every, SWAPPED)
    yield Case("noise of 5 px", disturb.shake(keypoints, 5.0, rng), truth, every)
    order = np.r_[0 : frames // 3, 2 * frames // 3 : frames]
    source = work / "demo/clip.mkv"
    within = cut_clip(source, work / "cut-within", order, len(order))
    yield Case("cut within a framing", within, truth, order, slice(frames // 3 - 4, frames // 3 + 4))
    other = cut_clip(source, work / "cut-zoom", every, frames // 2)
    yield Case("cut to another framing", other, truth, every, slice(frames // 2 - 4, frames // 2 + 4))
    for name, flags in RENDERED.items():
        folder = work / name.replace(" ", "-").rstrip("°")
        video, path = folder / "source.mp4", folder / "truth.npz"
        if not (video.exists() and path.exists()):
            run("synthetic-signer", video, "--truth", path, "--body", body, f"--seed={SEED}", *flags)
        yield Case(name, detect(video, folder), load_truth(path), every)
    middle = np.array([frames // 2])
    yield Case("one frame", disturb.take(keypoints, middle), truth, middle)
    order = disturb.to_and_fro(frames, LONG)
    yield Case(f"{LONG:,} frames", disturb.take(keypoints, order), truth, order)


def peak(command: list[str]) -> tuple[float, float]:
    """Run a command of ``diffsign``; return seconds and peak memory in MB.

    Raises:
        DiffSignError: if it fails.
    """
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "diffsign", *command], stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise DiffSignError(f"diffsign {' '.join(command)} failed.")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def measure(case: Case, body: Body, path: Path, work: Path) -> tuple[dict[str, Any], np.ndarray, Motion]:
    """Clean, fit and smooth a clip; return its row, the errors (T, 5) of the parts and of the fingers, and its motion.

    The motion is as fitted: the row's figures are of the smoothed one.
    """
    raw, clean, fitted, final = (work / f"{name}.npz" for name in ("raw", "clean", "fit", "motion"))
    save_keypoints(raw, case.keypoints)
    run("clean", raw, clean)
    seconds, memory = peak(["fit", str(clean), str(fitted), "--body", str(path)])
    run("smooth", fitted, final, "--body", path)
    motion = load_motion(final)
    vertices = case.truth.vertices
    if vertices is None:
        raise DiffSignError("the truth of a disturbed clip needs vertices.")
    rows = np.concatenate([body.parts[part] for part in REGIONS])
    found, edges = body.vertices(motion, rows), np.cumsum([0, *(len(body.parts[part]) for part in REGIONS)])
    errors = [vertex_error(found[:, a:b], vertices[:, rows[a:b]][case.order]) for a, b in pairwise(edges)]
    errors.append(finger_error(body.keypoints(motion), true_points(body, case.truth, vertices)[case.order]))
    numbers = all(np.isfinite(getattr(motion, name)).all() for name in ("full_pose", "transl", "expression", "betas"))
    row = {
        "case": case.name,
        "frames": len(motion),
        "flagged": int((~motion.valid).sum()),
        "unseen_hands": int((~motion.seen[:, 1:3]).sum()),
        "shots": int(motion.starts.sum()),
        "cuts": np.flatnonzero(motion.starts)[1:].tolist(),
        "all_numbers": numbers,
        "seconds": seconds,
        "peak_memory_mb": memory,
        "sha256": hashlib.sha256(fitted.read_bytes()).hexdigest(),
    }
    return row, np.stack(errors, axis=1), load_motion(fitted)


def seams(body: Body, motion: Motion, case: Case) -> dict[str, Any]:
    """Compare how the fit moves where windows join with how it moves elsewhere.

    The acceleration error of the joints, in m/s², is averaged over the frames in which neighbouring windows cross
    over, and over all others; the motion is the unsmoothed one, as smoothing would hide a seam.
    """
    settings = FitSettings()
    difference = np.diff(body.joints(motion).astype(float) - case.truth.joints[case.order], n=2, axis=0)
    error = motion.fps**2 * np.linalg.norm(difference, axis=-1).mean(1)
    first = np.arange(settings.window - settings.overlap, len(error), settings.window - settings.overlap)
    joined = np.zeros(len(error), dtype=bool)
    for start in first:
        joined[max(0, start - 2) : start + settings.overlap + 1] = True
    return {
        "joins": first.tolist(),
        "acceleration_error_joins_m_s2": float(error[joined].mean()),
        "acceleration_error_elsewhere_m_s2": float(error[~joined].mean()),
        "largest_joins_m_s2": float(error[joined].max()),
        "largest_elsewhere_m_s2": float(error[~joined].max()),
        "acceleration_error_m_s2": error.round(3).tolist(),
    }


def benchmark(body_path: Path, work: Path) -> dict[str, Any]:
    """Run everything and return the report."""
    work.mkdir(parents=True, exist_ok=True)
    body = load_body(body_path)
    names = [*REGIONS, "fingers"]
    rows: list[dict[str, Any]] = []
    report: dict[str, Any] = {"cases": rows}
    plain = np.zeros(0)
    for case in cases(body_path, work):
        row, errors, motion = measure(case, body, body_path, work)
        if not rows:
            plain = errors
            again, _, _ = measure(case, body, body_path, work)
            report["same_bits_again"] = again["sha256"] == row["sha256"]
        row |= dict(zip(names, errors.mean(0).tolist(), strict=True))
        row["undisturbed"] = dict(zip(names, plain[case.order].mean(0).tolist(), strict=True))
        if case.where is not None:
            row["there"] = dict(zip(names, errors[case.where].mean(0).tolist(), strict=True))
            row["undisturbed_there"] = dict(zip(names, plain[case.order][case.where].mean(0).tolist(), strict=True))
        rows.append(row)
        Console().print(f"{case.name}: {', '.join(f'{name} {row[name]:.1f}' for name in names)}")
        if len(motion) == LONG:
            report["seams"] = seams(body, motion, case)
    report["memory_ratio"] = rows[-1]["peak_memory_mb"] / rows[0]["peak_memory_mb"]
    return report


def markdown(report: dict[str, Any]) -> str:
    """Return the report as tables in Markdown."""
    keys = {"upper_body": "upper body", "left_hand": "left hand", "right_hand": "right hand", "face": "face"}
    keys |= {"fingers": "fingers (°)"}
    columns = [*keys.values(), "flagged", "hands unseen", "cuts found at"]
    lines = ["| clip | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in report["cases"]:
        cells = [f"{row[key]:.1f}" for key in keys]
        cells += [str(row["flagged"]), str(row["unseen_hands"]), ", ".join(map(str, row["cuts"]))]
        lines.append(f"| {row['case']} | " + " | ".join(cells) + " |")
    lines += ["", "In the disturbed frames alone, and in brackets the undisturbed clip in the same frames:", ""]
    lines += ["| clip | " + " | ".join(keys.values()) + " |", "|---" * (len(keys) + 1) + "|"]
    for row in report["cases"]:
        if "there" in row:
            cells = [f"{row['there'][key]:.1f} ({row['undisturbed_there'][key]:.1f})" for key in keys]
            lines.append(f"| {row['case']} | " + " | ".join(cells) + " |")
    finite = all(row["all_numbers"] for row in report["cases"])
    first, last, seam = report["cases"][0], report["cases"][-1], report["seams"]
    lines += [
        "",
        "| | |",
        "|---|---|",
        f"| the fit again on the same keypoints | {'the same' if report['same_bits_again'] else 'other'} bytes |",
        f"| every number of every motion finite | {'yes' if finite else 'no'} |",
        f"| peak memory of the fit, {first['frames']} and {last['frames']:,} frames | {first['peak_memory_mb']:.0f} "
        f"and {last['peak_memory_mb']:.0f} MB, {report['memory_ratio']:.2f} times |",
        f"| frames a second of the fit, reading and start included | {first['frames'] / first['seconds']:.1f} and "
        f"{last['frames'] / last['seconds']:.1f} |",
        f"| acceleration error where windows join, and elsewhere (m/s², unsmoothed) | "
        f"{seam['acceleration_error_joins_m_s2']:.2f} and {seam['acceleration_error_elsewhere_m_s2']:.2f} |",
        f"| the largest of a frame there, and elsewhere | {seam['largest_joins_m_s2']:.1f} and "
        f"{seam['largest_elsewhere_m_s2']:.1f} |",
    ]
    return "\n".join(lines)


def draw(report: dict[str, Any], folder: Path) -> None:
    """Draw the errors of every clip, and the long clip's accelerations with its joins."""
    colours = {"upper_body": "#0072B2", "left_hand": "#E69F00", "right_hand": "#D55E00", "fingers": "#009E73"}
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        rows = report["cases"][::-1]
        figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.4), sharey=True, width_ratios=[3, 2], layout="constrained")
        for key, colour in colours.items():
            axis = axes[1] if key == "fingers" else axes[0]
            axis.axvline(rows[-1][key], color=colour, linewidth=0.6, alpha=0.5)
            axis.plot([row[key] for row in rows], range(len(rows)), "o", color=colour, label=key.replace("_", " "))
        axes[0].set_yticks(range(len(rows)), [row["case"] for row in rows])
        axes[0].set_xlabel("TR-V2V (mm); lines: undisturbed")
        axes[1].set_xlabel("finger joints (°)")
        for axis in axes:
            axis.set_xlim(left=0)
            axis.grid(axis="y", linewidth=0.3)
        axes[0].legend(loc="lower right", frameon=False)
        figure.savefig(folder / "robustness.jpg", dpi=130)
        pyplot.close(figure)
        figure, axis = pyplot.subplots(figsize=(9, 2.2), layout="constrained")
        error = report["seams"]["acceleration_error_m_s2"]
        axis.plot(error, color=colours["upper_body"], linewidth=0.6)
        for join in report["seams"]["joins"]:
            axis.axvspan(join, join + FitSettings().overlap, color=colours["left_hand"], alpha=0.35, linewidth=0)
        axis.set(xlabel="frame; shaded: where two windows join", ylabel="acc. error (m/s²)", xlim=(0, len(error)))
        figure.savefig(folder / "seams.jpg", dpi=130)
        pyplot.close(figure)


def document(report: dict[str, Any], path: Path) -> None:
    """Put the tables between the two marks in a document, and the plots into ``images`` beside it.

    Raises:
        DiffSignError: if the document lacks the marks.
    """
    marks = "<!-- figures of benchmarks/robustness.py -->", "<!-- end of figures -->"
    tables.replace_between(path, *marks, markdown(report).splitlines())
    draw(report, path.parent / "images")


def show(report: dict[str, Any]) -> None:
    """Print the errors of every clip."""
    table = Table(title="TR-V2V in mm, fingers in degrees")
    for title in ("clip", *REGIONS, "fingers", "flagged", "hands unseen"):
        table.add_column(title)
    for row in report["cases"]:
        figures = [f"{row[key]:.1f}" for key in (*REGIONS, "fingers")]
        table.add_row(row["case"], *figures, str(row["flagged"]), str(row["unseen_hands"]))
    tables.show(table)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go, or come from with --read")
    parser.add_argument("--read", action="store_true", help="measure nothing; take the figures of --json")
    parser.add_argument("--docs", type=Path, help="document to put the tables and plots into")
    parser.add_argument("--body", type=Path, default=Path("resources/body/body.npz"), help="body file")
    parser.add_argument("--work", type=Path, default=Path("results/benchmarks/robustness"), help="folder for clips")
    given = parser.parse_args(arguments)
    if given.read:
        report = json.loads(given.json.read_text())
    else:
        report = benchmark(given.body, given.work)
        with atomic(given.json) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n")
    show(report)
    if given.docs:
        document(report, given.docs)


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
