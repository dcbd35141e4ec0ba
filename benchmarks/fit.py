"""Accuracy and speed of retargeting on clips with known truth.

    python benchmarks/fit.py --json fit.json                                  # synthetic clips, rendered or reused
    python benchmarks/fit.py --json fit.json --sets gentle                    # slow and sharp signing alone
    python benchmarks/fit.py --json fit.json --clip clip.mp4 --truth truth.npz  # any clip with truth

Each clip goes through ingest, detect, clean, fit and smooth as the workflow runs them; with ``--points true`` the true
2D keypoints take the detector's place, which tells its error from the fit's. The truth is never an input of the fit.

Two kinds of figures. Errors after alignment of each part (``benchmarks/aligned.py``): millimetres a vertex, as papers
report them. And the parameters of a sign (:mod:`diffsign.evaluate.parameters`), in which nothing is aligned: where the
hands are, what they touch, when and how fast they move, which way they face, which fingers are extended, and whether
they are there at all. Truth with joints only has no vertex errors, truth with vertices only has no joint errors, and
only truth with both has true 2D keypoints, finger angles and parameters (docs/formats.md).
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tables
import torch
from aligned import acceleration_error, finger_error, joint_error, vertex_error
from clips import HARD_PRESETS, TEST_SEEDS, detected, gentle, like_life
from rich.table import Table
from threadpoolctl import threadpool_limits
from truth import load_truth

from diffsign.body.model import Body, load_body
from diffsign.config.fit import FitSettings
from diffsign.config.smooth import SmoothSettings
from diffsign.errors import DiffSignError
from diffsign.evaluate.parameters import gap, head
from diffsign.evaluate.signing import HANDS, Signing, compare
from diffsign.files import atomic
from diffsign.fit.motion import fit_motion
from diffsign.fit.points import PointModel, reduced
from diffsign.geometry.camera import Camera
from diffsign.progress import track
from diffsign.records.keypoints import BODY_NAMES, Keypoints
from diffsign.records.motion import Motion, save_motion
from diffsign.smooth.motion import smooth_motion
from diffsign.synthetic.truth import Truth

log = logging.getLogger(__name__)

#: Figures of one clip by name.
Row = dict[str, float | str]
REGIONS = ("upper_body", "left_hand", "right_hand", "face")
REGION_JOINTS = {
    "upper_body": [0, 3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21],
    "left_hand": [20, *range(25, 40)],
    "right_hand": [21, *range(40, 55)],
}
#: Surfaces whose touches are compared, as parts of the body.
TOUCHING = (("left_hand", "right_hand"), ("left_hand", "head"), ("right_hand", "head"))
#: A hand is wrong whose middle is farther than this from where it should be, in palm widths of the picture.
WRONG = 1.0
#: A wrist slower than this stands still: metres a second.
STILL = 0.03


def true_points(body: Body, truth: Truth, vertices: np.ndarray) -> np.ndarray:
    """Return the 137 keypoints of the truth in the world (T, 137, 3)."""
    definition = body.landmarks
    return definition.joint_weights @ truth.joints + definition.vertex_weights @ vertices[:, definition.used]


def complete(truth: Truth) -> bool:
    """Tell whether every keypoint can be made of a truth, which takes its vertices and all its joints."""
    return truth.vertices is not None and bool(np.isfinite(truth.joints).all())


def score(body: Body, motion: Motion, truth: Truth, vertices: np.ndarray | None, fps: float) -> dict[str, float]:
    """Return every error of a motion, means over the frames, in the axes of each one's camera."""
    fitted_vertices = motion.camera.to_camera(body.vertices(motion))
    joints, true_joints = motion.camera.to_camera(body.joints(motion)), truth.camera.to_camera(truth.joints)
    out = {}
    for part, rows in REGION_JOINTS.items():
        out[f"mpjpe_{part}_mm"] = float(joint_error(joints, true_joints, rows).mean())
    if vertices is not None:
        vertices = truth.camera.to_camera(vertices)
        for part in REGIONS:
            rows = body.parts[part]
            out[f"tr_v2v_{part}_mm"] = float(vertex_error(fitted_vertices[:, rows], vertices[:, rows]).mean())
            out[f"t_v2v_{part}_mm"] = float(
                vertex_error(fitted_vertices[:, rows], vertices[:, rows], rotation=False).mean()
            )
    if complete(truth):
        points = true_points(body, truth, np.asarray(truth.vertices))
        out["finger_joints_deg"] = float(finger_error(body.keypoints(motion), points).mean())
    known = np.flatnonzero(np.isfinite(truth.joints).all((0, 2)))
    if len(known):
        out["acceleration_mm_s2"] = acceleration_error(joints[:, known], true_joints[:, known], fps)
    return {name: value for name, value in out.items() if np.isfinite(value)}


def signing(body: Body, camera: Camera, points: np.ndarray, vertices: np.ndarray, fps: float) -> Signing:
    """Return what the parameters of a sign are read from.

    Args:
        body: which vertices are hands and head.
        camera: that sees them.
        points: (T, 137, 3) keypoints in the world.
        vertices: (T, V, 3) in the world.
        fps: frames a second.
    """
    gaps = {f"{a}-{b}": gap(vertices[:, body.parts[a]], vertices[:, body.parts[b]]) for a, b in TOUCHING}
    in_camera = camera.to_camera(np.asarray(points, np.float64))
    size = camera.width, camera.height
    return Signing(in_camera, camera.project(points), *size, fps, float(camera.K[0, 0]), gaps)


def trust(motion: Motion, result: Signing, truth: Signing) -> dict[str, float]:
    """Return which share of the hands in the wrong place is flagged, and of the others.

    A hand counts where it is in the picture, in the truth or in the result: one that is shown and not there is wrong.
    """
    wrong, flagged = [], []
    for column, (side, hand) in enumerate(HANDS.items(), start=1):
        there = truth.present[side] | result.present[side]
        middles = [signing.pixels[:, hand].mean(1) for signing in (result, truth)]
        off = np.linalg.norm(middles[0] - middles[1], axis=-1) / truth.palm(hand)
        wrong.append((off > WRONG)[there])
        flagged.append((~motion.valid | ~motion.seen[:, column])[there])
    bad, flags = np.concatenate(wrong), np.concatenate(flagged)
    shares = {"wrong_hands": bad, "wrong_hands_flagged": flags[bad], "false_alarms": flags[~bad]}
    absent = np.concatenate([~present for present in truth.present.values()])
    counts = {"wrong_hand_frames": float(bad.sum()), "absent_hand_frames": float(absent.sum())}
    return counts | {name: float(values.mean()) for name, values in shares.items() if len(values)}


def steadiness(result: Signing, truth: Signing) -> dict[str, float]:
    """Return how much hands tremble while the true ones stand still, and how much still shoulders move in depth."""
    measures = {}
    tremble = []
    for side, hand in HANDS.items():
        own, true = (s.points[:, hand.start] - head(s.points) for s in (result, truth))
        speed = np.linalg.norm(np.diff(true, axis=0), axis=-1) * truth.fps
        still = (speed[1:] < STILL) & (speed[:-1] < STILL) & truth.present[side][1:-1]
        tremble.append(np.linalg.norm(np.diff(own, n=2, axis=0), axis=-1)[still] * truth.fps**2)
    if len(np.concatenate(tremble)):
        measures["tremble_m_s2"] = float(np.concatenate(tremble).mean())
    rows = [BODY_NAMES.index("left_shoulder"), BODY_NAMES.index("right_shoulder")]
    moved = np.abs(np.diff(result.points[:, rows], axis=0) - np.diff(truth.points[:, rows], axis=0))
    if len(moved):
        measures["shoulders_depth_mm_a_frame"] = float(1000 * moved[..., 2].mean())
    return measures


@dataclass(frozen=True)
class Case:
    """A clip to be fitted.

    Attributes:
        name: of the clip.
        group: the set that it belongs to.
        points: whose keypoints are fitted, ``detected`` or ``true``.
        keypoints: they.
        truth: of the clip.
    """

    name: str
    group: str
    points: str
    keypoints: Keypoints
    truth: Truth


def check(case: Case, body: Body) -> None:
    """Refuse truth of other frames than the keypoints' or of another body's vertices.

    Raises:
        DiffSignError: if so.
    """
    keypoints, truth, vertices = case.keypoints, case.truth, case.truth.vertices
    if len(keypoints) != len(truth):
        raise DiffSignError(
            f"{case.name} has {len(keypoints)} frames at {keypoints.fps:g} a second, but its truth has {len(truth)}; "
            "give truth of every frame, and its rate as fps."
        )
    count = len(body.model.v_template)
    if vertices is not None and vertices.shape[1] != count:
        raise DiffSignError(
            f"the truth of {case.name} has {vertices.shape[1]} vertices, but the body file has {count}; give vertices "
            "in the body file's order, or the body file that they belong to with --body."
        )


def measure(case: Case, body: Body, model: PointModel, threads: int, out: Path | None = None) -> Row:
    """Fit and smooth one clip, write its motion to ``out``, and return its row of the table."""
    check(case, body)
    keypoints, truth, vertices = case.keypoints, case.truth, case.truth.vertices
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        start, cpu = time.perf_counter(), time.process_time()
        fitted, report = fit_motion(keypoints, model, FitSettings(), body.sha256)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        start = time.perf_counter()
        smoothed, _ = smooth_motion(fitted, SmoothSettings())
        smoothing = time.perf_counter() - start
    if out is not None:
        save_motion(out, smoothed)
    unsmoothed = score(body, fitted, truth, vertices, keypoints.fps)
    row: Row = {
        "clip": case.name,
        "set": case.group,
        "points": case.points,
        "frames": len(truth),
        **score(body, smoothed, truth, vertices, keypoints.fps),
        "error_body_px": report.body,
        "error_hands_px": report.hands,
        "error_face_px": report.face,
        "flagged": int((~smoothed.valid).sum()),
        "fit_fps": len(truth) / seconds,
        "fit_cpu_fps": len(truth) / cpu,
        "smooth_fps": len(truth) / smoothing,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if "acceleration_mm_s2" in unsmoothed:
        row["acceleration_unsmoothed_mm_s2"] = unsmoothed["acceleration_mm_s2"]
    if complete(truth):
        row |= parameters(body, fitted, smoothed, truth)
    return row


#: Parameters that are also given for the motion as it was fitted, to see what smoothing does.
BEFORE_SMOOTHING = (
    "peak_speed_ratio",
    "peak_speed_ratio_in_space",
    "tremble_m_s2",
    "location_wrist_palms_median",
    "location_wrist_palms_p90",
)


def parameters(body: Body, fitted: Motion, smoothed: Motion, truth: Truth) -> dict[str, float]:
    """Return the parameters of a sign by name, those of :data:`BEFORE_SMOOTHING` also as fitted."""
    vertices, fps = np.asarray(truth.vertices), smoothed.fps
    true = signing(body, truth.camera, true_points(body, truth, vertices), vertices, fps)
    measures = {}
    for motion in (fitted, smoothed):
        result = signing(body, motion.camera, body.keypoints(motion), body.vertices(motion), fps)
        as_fitted = {f"as_fitted_{name}": measures[name] for name in BEFORE_SMOOTHING if name in measures}
        measures = compare(result, true) | steadiness(result, true) | trust(motion, result, true) | as_fitted
    return measures


def exact(truth: Truth, body: Body) -> Keypoints:
    """Return the true 2D keypoints, without depth."""
    flat = truth.camera.project(true_points(body, truth, np.asarray(truth.vertices)))
    sure = np.isfinite(flat).all(-1, keepdims=True)
    points = np.concatenate([np.nan_to_num(flat), sure], axis=-1).astype(np.float32)
    return Keypoints(points, truth.fps or 24.0, truth.camera.width, truth.camera.height, detector="truth")


def kind_of(row: Row) -> str:
    """Return the set and the kind of points of a row."""
    return f"{row['set']}, {row['points']}"


#: Shares of rare events, pooled over the clips, by what they are shares of.
POOLED = {
    "wrong_hands_flagged": "wrong_hand_frames",
    "contact_recall": "contact_frames",
    "absent_hands_shown": "absent_hand_frames",
}


def pooled(rows: list[Row], name: str, counted: str) -> float:
    """Return a share over the events of all clips, of which each row says how many it has."""
    known = [row for row in rows if name in row]
    return float(np.average([float(row[name]) for row in known], weights=[float(row[counted]) for row in known]))


def mean_rows(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Return the means over the clips by set and kind of points, such as ``gentle, detected``."""
    means = {}
    for kind in dict.fromkeys(kind_of(row) for row in rows):
        mine = [row for row in rows if kind_of(row) == kind]
        numbers = {key for row in mine for key, value in row.items() if not isinstance(value, str)}
        means[kind] = {key: float(np.nanmean([float(row.get(key, np.nan)) for row in mine])) for key in sorted(numbers)}
        means[kind] |= {name: pooled(mine, name, counted) for name, counted in POOLED.items() if name in numbers}
    return means


def write(path: Path, rows: list[Row]) -> None:
    """Write the figures so far, with the settings that they rest on."""
    report = {
        "clips": rows,
        "mean": mean_rows(rows),
        "settings": FitSettings().model_dump(mode="json"),
        "stages": [stage.model_dump() for stage in FitSettings().schedule()],
    }
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")


#: What is printed of each clip: errors after alignment, then the parameters of a sign.
TABLES = {
    "Errors after alignment (TR-V2V in mm)": {
        **{f"tr_v2v_{part}_mm": part.replace("_", " ") for part in REGIONS},
        "finger_joints_deg": "fingers °",
        "acceleration_mm_s2": "acc. mm/s²",
        "fit_fps": "frames/s",
    },
    "Parameters of a sign": {
        "location_wrist_from_head_mm_median": "wrist mm",
        "location_tips_from_head_mm_median": "tips mm",
        "location_wrist_palms_p90": "wrist palms 90 %",
        "contact_recall": "touches kept",
        "peak_speed_ratio": "peak speed",
        "delay_frames": "delay",
        "orientation_palm_deg_median": "palm °",
        "fingers_kept": "fingers kept",
        "absent_hands_shown": "absent shown",
        "presence_recall": "present shown",
        "wrong_hands_flagged": "wrong flagged",
    },
}


def show(rows: list[Row]) -> None:
    """Print the tables."""
    for title, columns in TABLES.items():
        table = Table(title=title)
        for column in ("clip", "points", *columns.values()):
            table.add_column(column)
        for kind, means in mean_rows(rows).items():
            mine = [row for row in rows if kind_of(row) == kind]
            for row in [*mine, {"clip": f"mean, {kind.split(',')[0]}", "points": kind.split(", ")[1], **means}]:
                values = [row.get(key) for key in columns]
                cells = [
                    "" if value is None else f"{float(value):.{2 if float(value) < 2 else 1}f}" for value in values
                ]
                table.add_row(str(row["clip"]), str(row["points"]), *cells)
        tables.show(table)


def cases_of(given: argparse.Namespace, body: Body) -> Iterator[Case]:
    """Yield what is to be fitted, clip by clip."""
    pairs = [("given", video, path) for video, path in zip(given.clip, given.truth, strict=True)]
    if not pairs:
        clips = gentle(tuple(given.seeds)) if "gentle" in given.sets else []
        clips += like_life(tuple(given.presets), given.people) if "like-life" in given.sets else []
        pairs = [(clip.group, *clip.render(given.body, given.work)) for clip in track(clips, "clips")]
    kinds: dict[str, Callable[[Path, Truth], Keypoints]] = {
        "detected": lambda video, truth: detected(video, truth, given.work)[0],
        "true": lambda _video, truth: exact(truth, body),
    }
    for group, video, path in pairs:
        truth = load_truth(path)
        for kind, find in kinds.items():
            if kind == "true" and not complete(truth):
                log.warning("'%s' has not both vertices and all joints, so it has no true 2D keypoints.", path)
            elif given.points in (kind, "both"):
                yield Case(f"{video.parent.name}/{video.name}", group, kind, find(video, truth), truth)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--clip", type=Path, action="append", default=[], help="a video; give its --truth as well")
    parser.add_argument("--truth", type=Path, action="append", default=[], help="truth of the --clip in the same place")
    parser.add_argument("--body", type=Path, default=Path("resources/body/body.npz"), help="body file")
    parser.add_argument(
        "--work", type=Path, default=Path("results/benchmarks/fit"), help="folder for clips and keypoints"
    )
    parser.add_argument(
        "--sets", nargs="+", choices=("gentle", "like-life"), default=["gentle", "like-life"], help="synthetic clips"
    )
    parser.add_argument("--seeds", type=int, nargs="*", default=list(TEST_SEEDS), help="seeds of the gentle set")
    parser.add_argument(
        "--presets", nargs="*", choices=HARD_PRESETS, default=list(HARD_PRESETS), help="presets of the set like life"
    )
    parser.add_argument("--people", type=int, choices=(1, 2), default=2, help="people of each preset")
    parser.add_argument(
        "--points", choices=("detected", "true", "both"), default="both", help="which keypoints are fitted"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of the linear algebra")
    given = parser.parse_args(arguments)
    if len(given.clip) != len(given.truth):
        parser.error(
            f"{len(given.clip)} --clip and {len(given.truth)} --truth were given; give one truth for each clip."
        )
    body = load_body(given.body)
    model = reduced(body)
    rows: list[Row] = []
    for case in cases_of(given, body):
        folder = given.work / case.name.replace("/", "-").rpartition(".")[0]
        rows.append(
            measure(case, body, model, given.threads, folder / "motion.npz" if case.points == "detected" else None)
        )
        write(given.json, rows)
    show(rows)


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
