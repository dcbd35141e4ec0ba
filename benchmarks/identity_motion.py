r"""How well signers are told apart by their motion alone, before and after (Bigand et al. 2020 do it with mocap).

Clips are cut into stretches of a few seconds. Each gives statistics of how hands, elbows, head, mouth, brows and
fingers move and are held, in shoulder widths. A stretch is said to be of the person whose stretch is nearest, itself
left out (its whole clip, where every person has another one).

    python benchmarks/identity_motion.py people.tsv --json identity.json
    python benchmarks/identity_motion.py --synthetic 8 --work build/identity --docs docs/metrics.md

``people.tsv`` has the columns person, before and after: keypoints of the source and of the result of each clip. With
``--synthetic`` the people are synthetic signers with habits of their own (tempo, hand, where the hands rest): before is
their true keypoints with a pixel of noise, after is those of the motion that was fitted to them and smoothed, on the
body that was fitted (which the result wears, too) and on the mean body.
"""

from __future__ import annotations

import argparse
import csv
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fit import true_points
from scipy.spatial.distance import cdist
from scipy.stats import beta
from tables import replace_between

from diffsign.body.model import Body, load_body
from diffsign.body.shipped import SHIPPED
from diffsign.clean.steps import clean_keypoints
from diffsign.config.clean import CleanSettings
from diffsign.config.fit import FitSettings
from diffsign.config.smooth import SmoothSettings
from diffsign.config.synthetic import SyntheticSettings
from diffsign.errors import DiffSignError
from diffsign.evaluate.dynamic_time_warping import normalised
from diffsign.evaluate.legibility import face_signals
from diffsign.files import atomic
from diffsign.fit.motion import fit_motion
from diffsign.fit.points import reduced
from diffsign.records.keypoints import LEFT_HAND, NAMES, RIGHT_HAND, Keypoints, load_keypoints, save_keypoints
from diffsign.records.motion import Motion
from diffsign.smooth.motion import smooth_motion
from diffsign.synthetic.signer import perform

BEGIN, END = "<!-- benchmarks/identity_motion.py writes from here -->", "<!-- to here (motion) -->"
#: Points that are followed, and the finger tips by which a hand is open or closed.
FOLLOWED = [NAMES.index(f"{side}_{name}") for side in ("left", "right") for name in ("wrist", "elbow")] + [0]
TIPS, KNUCKLES = np.array([4, 8, 12, 16, 20]), np.array([2, 5, 9, 13, 17])
#: Habits of synthetic people, taken in turn: tempo, where the hands rest, and touches.
HABITS = ((0.8, "waist", False), (1.0, "lap", False), (1.2, "below", True), (1.5, "waist", True))
SECONDS, FPS, NOISE = 16.0, 12.0, 1.0
#: A statistic that differs by less than this (standard deviation) among all stretches is the same in all.
SAME = 1e-4


@dataclass(frozen=True)
class Stretch:
    """A few seconds of a clip: whose, of which clip, and its statistics (N,)."""

    person: str
    clip: str
    number: int
    values: np.ndarray


def tracks_of(keypoints: Keypoints) -> np.ndarray:
    """Return what is followed, (T, 15): points in shoulder widths, roll of the head, mouth, brows, open hands."""
    points, shown = normalised(keypoints)
    points = np.where(shown[..., None], points, np.nan)
    eyes = points[:, NAMES.index("face_45")] - points[:, NAMES.index("face_36")]
    signals = face_signals(keypoints)
    hands = []
    for hand in (LEFT_HAND, RIGHT_HAND):
        from_wrist = np.linalg.norm(points[:, hand] - points[:, hand][:, :1], axis=-1)
        hands.append((from_wrist[:, TIPS] / np.maximum(from_wrist[:, KNUCKLES], 1e-6)).mean(1))
    followed = points[:, FOLLOWED].reshape(len(points), -1)
    return np.column_stack([followed, np.arctan2(eyes[:, 1], eyes[:, 0]), signals["mouth"], signals["brow"], *hands])


def statistics(tracks: np.ndarray, fps: float, *, held: bool) -> np.ndarray:
    """Return mean speed, spread of speed and spread of every track (T, K), and with ``held`` also where it is held."""
    speed = np.abs(np.diff(tracks, axis=0)) * fps
    parts = [np.nanmean(speed, 0), np.nanstd(speed, 0), np.nanstd(tracks, 0)]
    if held:
        parts += [np.nanmean(tracks, 0), np.isfinite(tracks).mean(0)]
    return np.concatenate(parts)


def stretches(person: str, clip: str, keypoints: Keypoints, seconds: float, *, held: bool) -> list[Stretch]:
    """Cut a clip into stretches; what is left at the end is dropped."""
    tracks, length = tracks_of(keypoints), round(seconds * keypoints.fps)
    cut = [tracks[start : start + length] for start in range(0, len(tracks) - length + 1, length)]
    if not cut:
        raise DiffSignError(f"'{clip}' is shorter than a stretch of {seconds:g} s; give --seconds.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a hand that is never seen has no mean
        return [Stretch(person, clip, n, statistics(t, keypoints.fps, held=held)) for n, t in enumerate(cut)]


def _scaled(stretches: list[Stretch]) -> np.ndarray:
    """Return the statistics (S, N) in standard deviations from their mean, 0 where they do not differ."""
    values = np.stack([stretch.values for stretch in stretches])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a statistic that no stretch has
        middle, spread = np.nanmean(values, 0), np.nanstd(values, 0)
    differs = spread > SAME
    return np.nan_to_num(np.where(differs, (values - middle) / np.where(differs, spread, 1), 0))


def told(gallery: list[Stretch], probes: list[Stretch]) -> tuple[int, int]:
    """Return how many probes are nearest to a stretch of their own person, and how many probes there are.

    Both are scaled by themselves: whoever compares sources with results knows that all results differ in one way.
    """
    people = {stretch.person for stretch in gallery}
    apart = all(len({s.clip for s in gallery if s.person == person}) > 1 for person in people)
    distances = cdist(_scaled(probes), _scaled(gallery))
    right = 0
    for probe, row in zip(probes, distances, strict=True):
        others = [
            (distance, known.person)
            for distance, known in zip(row, gallery, strict=True)
            if known.clip != probe.clip or (not apart and known.number != probe.number)
        ]
        right += min(others)[1] == probe.person
    return right, len(probes)


def interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Clopper and Pearson 1934)."""
    low = beta.ppf(0.025, right, count - right + 1) if right else 0.0
    return float(low), float(beta.ppf(0.975, right + 1, count - right)) if right < count else 1.0


Clip = tuple[str, str, dict[str, Keypoints]]


def compare(clips: list[Clip], seconds: float) -> list[dict[str, object]]:
    """Return a row for each pair of kinds of keypoints: those that are known, and those that are told apart.

    Args:
        clips: person, name, and keypoints by kind, the first of which is ``before``.
        seconds: length of a stretch.
    """
    kinds = list(clips[0][2])
    rows = []
    for statistic, held in (("how it moves and is held", True), ("how it moves", False)):
        cut = {
            kind: [
                s for person, name, points in clips for s in stretches(person, name, points[kind], seconds, held=held)
            ]
            for kind in kinds
        }
        pairs = [(kind, kind) for kind in kinds] + [("before", kind) for kind in kinds[1:]]
        for known, seen in pairs:
            right, count = told(cut[known], cut[seen])
            low, high = interval(right, count)
            chance = 1 / len({person for person, _, _ in clips})
            rows.append(
                {
                    "statistics": statistic,
                    "known": known,
                    "seen": seen,
                    "right": right / count,
                    "low": low,
                    "high": high,
                }
                | {"stretches": count, "chance": chance}
            )
    return rows


def table(rows: list[dict[str, object]]) -> list[str]:
    """Return the rows in Markdown."""
    lines = [
        "| statistics of | known are | seen is | right | 95 % interval | chance |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {r['statistics']} | {r['known']} | {r['seen']} | {r['right']:.0%} of {r['stretches']} | "
        f"{r['low']:.0%}–{r['high']:.0%} | {r['chance']:.0%} |".replace("%", " %")
        for r in rows
    ]
    return lines


def read_people(sheet: Path) -> list[Clip]:
    """Read a sheet with the columns person, before and after, separated by tabs."""
    with sheet.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    if not rows or not {"person", "before", "after"} <= set(rows[0]):
        raise DiffSignError(f"'{sheet}' must have the columns person, before and after, separated by tabs, and rows.")
    kinds = ("before", "after")
    return [(row["person"], row["before"], {kind: load_keypoints(row[kind]) for kind in kinds}) for row in rows]


def projected(body: Body, motion: Motion) -> Keypoints:
    """Return the keypoints that a motion shows."""
    points = np.ones((len(motion), len(NAMES), 3), np.float32)
    points[..., :2] = motion.camera.project(body.keypoints(motion))
    camera = motion.camera
    made = Keypoints(points=points, fps=motion.fps, width=camera.width, height=camera.height, detector="motion")
    return made.in_picture()


def synthetic_person(number: int, body: Body, work: Path, seconds: float) -> Clip:
    """Let a synthetic person sign and fit a motion; what was made is kept in ``work``."""
    files = {kind: work / f"person-{number}-{kind}.npz" for kind in ("before", "after", "after, mean body")}
    if not all(path.exists() for path in files.values()):
        tempo, rest, touches = HABITS[number % len(HABITS)]
        settings = {
            "seed": 100 + number,
            "seconds": seconds,
            "fps": FPS,
            "tempo": tempo,
            "rest": rest,
            "touches": touches,
        }
        truth = perform(SyntheticSettings.model_validate(settings)).truth
        assert truth.vertices is not None
        points = np.ones((len(truth), len(NAMES), 3), np.float32)
        exact = truth.camera.project(true_points(body, truth, truth.vertices))
        points[..., :2] = exact + np.random.default_rng(number).normal(0, NOISE, exact.shape)
        camera = truth.camera
        before = Keypoints(
            points=points, fps=FPS, width=camera.width, height=camera.height, detector="truth"
        ).in_picture()
        fitted, _ = fit_motion(clean_keypoints(before, CleanSettings()), reduced(body), FitSettings(), body.sha256)
        motion, _ = smooth_motion(fitted, SmoothSettings())
        save_keypoints(files["before"], before)
        save_keypoints(files["after"], projected(body, motion))
        mean = motion.with_pose(motion.full_pose, betas=np.zeros_like(motion.betas))
        save_keypoints(files["after, mean body"], projected(body, mean))
    return f"person {number}", str(number), {kind: load_keypoints(path) for kind, path in files.items()}


def main() -> None:
    """Tell people apart and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path, nargs="?", help="sheet with the columns person, before, after")
    parser.add_argument("--synthetic", type=int, metavar="N", help="so many synthetic people instead")
    parser.add_argument("--work", type=Path, default=Path("build/identity"), help="where synthetic keypoints are kept")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a stretch")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--docs", type=Path, help="page whose table is replaced")
    given = parser.parse_args()
    if (given.people is None) == (given.synthetic is None):
        parser.error("give a sheet of people, or --synthetic N")
    if given.people:
        clips = read_people(given.people)
    else:
        given.work.mkdir(parents=True, exist_ok=True)
        body = load_body(SHIPPED)
        clips = [synthetic_person(number, body, given.work, SECONDS) for number in range(given.synthetic)]
    rows = compare(clips, given.seconds)
    print("\n".join(table(rows)))  # noqa: T201
    if given.json:
        with atomic(given.json) as temporary:
            temporary.write_text(json.dumps(rows, indent=1) + "\n")
    if given.docs:
        replace_between(given.docs, BEGIN, END, table(rows))


if __name__ == "__main__":
    main()
