"""Make the pictures of docs/accuracy.md from the clips of a benchmark of the fit.

    python benchmarks/fit.py --json fit.json
    python benchmarks/fit_pictures.py --work results/benchmarks/fit

Reads each clip, its truth and its motion (fitted here where the benchmark left none), and writes to ``docs/images``:

* ``fit_overlays.jpg``: source, and the fitted body over it, for the best, the middle and the worst clip;
* ``fit_worst.jpg``: of each clip the frame with the largest hand error, for the worst clips: source, fit, true pose;
* ``fit_letters.jpg``: hands while they spell: source, fit, true pose;
* ``fit_time.jpg``: errors over the time of the worst clip.

It prints the errors of every letter and sign, the worst first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from aligned import vertex_error
from truth import load_truth

from diffsign.body.model import Body, load_body
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.geometry.hand import finger_angles
from diffsign.geometry.meshes import vertex_normals
from diffsign.geometry.visibility import rasterise
from diffsign.records.clip import read_clip
from diffsign.records.motion import Motion, load_motion
from diffsign.synthetic.truth import Truth

mpl.use("Agg")
from matplotlib import pyplot

IMAGES = Path(__file__).parents[1] / "docs/images"
FIT, TRUE = np.array([70, 150, 255.0]), np.array([255, 150, 40.0])
HANDS = ("left_hand", "right_hand")
#: Columns of ``Motion.seen``.
SEEN = {"left_hand": 1, "right_hand": 2}
MOMENTS, SIDE, HAND_SIDE = 6, 200, 150
#: Clips whose worst frame is shown, and how much more than the hand.
WORST, AROUND = 8, 2.2
OPACITY = 0.65


@dataclass
class Case:
    """A clip with its truth and its fit."""

    name: str
    frames: np.ndarray
    truth: Truth
    motion: Motion
    body: Body

    @cached_property
    def fitted(self) -> np.ndarray:
        """(T, V, 3) the fit's vertices."""
        return self.body.vertices(self.motion)

    @cached_property
    def true(self) -> np.ndarray:
        """(T, V, 3) the truth's vertices."""
        return np.asarray(self.truth.vertices)

    @cached_property
    def errors(self) -> dict[str, np.ndarray]:
        """(T,) TR-V2V in mm of every part; NaN where a hand is not seen."""
        found: dict[str, np.ndarray] = {}
        for part in ("upper_body", *HANDS):
            rows = self.body.parts[part]
            found[part] = vertex_error(self.fitted[:, rows], self.true[:, rows])
            if part in SEEN:
                found[part] = np.where(self.motion.seen[:, SEEN[part]], found[part], np.nan)
        return found

    @cached_property
    def bends(self) -> dict[str, np.ndarray]:
        """(T,) mean difference of the finger joints' bends of each hand, degrees; NaN where it is not seen."""
        definition = self.body.landmarks
        real = definition.joint_weights @ self.truth.joints + definition.vertex_weights @ self.true[:, definition.used]
        found = self.body.keypoints(self.motion)
        out = {}
        for hand, start in zip(HANDS, (25, 46), strict=True):
            part = slice(start, start + 21)
            error = np.degrees(np.abs(finger_angles(found[:, part]) - finger_angles(real[:, part]))).mean(1)
            out[hand] = np.where(self.motion.seen[:, SEEN[hand]], error, np.nan)
        return out

    @property
    def hand_error(self) -> float:
        """Mean hand error over the frames that show one, mm."""
        return float(np.nanmean([self.errors[hand] for hand in HANDS]))


def drawn(
    picture: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    camera: Camera,
    colour: np.ndarray,
) -> np.ndarray:
    """Return a picture (H, W, 3) with a shaded body over it."""
    seen = rasterise(vertices, faces, camera.resized(picture.shape[1], picture.shape[0]))
    corners = vertex_normals(vertices, faces)[faces[np.maximum(seen.face, 0)]]
    normal = np.einsum("hwk,hwkx->hwx", seen.weights, corners) @ camera.R.T
    light = np.clip(0.35 - 0.75 * normal[..., 2:] - 0.2 * normal[..., 1:2], 0.1, 1.1)
    cover = OPACITY * (seen.face >= 0)[..., None]
    return np.clip(picture + cover * (colour * light - picture), 0, 255).astype(np.uint8)


def labelled(picture: np.ndarray, text: str) -> np.ndarray:
    """Return a picture with a line of text in its upper left corner."""
    out = np.ascontiguousarray(picture)
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(out, text, (5, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width, cv2.LINE_AA)
    return out


def scaled(picture: np.ndarray, side: int) -> np.ndarray:
    """Return a picture ``side`` high."""
    size = (round(side * picture.shape[1] / picture.shape[0]), side)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if side < len(picture) else cv2.INTER_CUBIC)


def save(name: str, picture: np.ndarray) -> None:
    """Write a picture to ``docs/images``."""
    IMAGES.mkdir(exist_ok=True)
    cv2.imwrite(str(IMAGES / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])


def stacked(rows: list[np.ndarray]) -> np.ndarray:
    """Return rows of pictures below each other, narrower ones filled up with white."""
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows])


def three(case: Case, t: int) -> list[np.ndarray]:
    """Return source, fit over the source and true pose over the source at frame ``t``."""
    source, faces = case.frames[t], case.body.faces
    return [
        source,
        drawn(source, case.fitted[t], faces, case.motion.camera, FIT),
        drawn(source, case.true[t], faces, case.truth.camera, TRUE),
    ]


def overlays(cases: list[Case]) -> np.ndarray:
    """Return two rows, source and fit, for the best, the middle and the worst clip (by hand error)."""
    ranked = sorted(cases, key=lambda case: case.hand_error)
    chosen = {case.name: case for case in (ranked[0], ranked[len(ranked) // 2], ranked[-1])}
    rows = []
    for case in chosen.values():
        moments = np.linspace(0.15, 0.9, MOMENTS) * (len(case.motion) - 1)
        pairs = [three(case, round(t))[:2] for t in moments]
        rows.append(np.hstack([scaled(source, SIDE) for source, _ in pairs]))
        second = np.hstack([scaled(fit, SIDE) for _, fit in pairs])
        rows.append(labelled(second, f"{case.name}: hands {case.hand_error:.1f} mm"))
    return stacked(rows)


def worst(cases: list[Case]) -> np.ndarray:
    """Return source, fit and truth of the worst frame of each of the worst clips, two to a row."""
    found = []
    for case in cases:
        error = np.fmax(case.errors["left_hand"], case.errors["right_hand"])
        t = int(np.nanargmax(error))
        hand = max(HANDS, key=lambda hand: float(np.nan_to_num(case.errors[hand][t])))
        found.append((float(error[t]), case, t, hand))
    found.sort(key=lambda entry: -entry[0])
    cells = []
    for error, case, t, hand in found[:WORST]:
        pictures = np.hstack(hand_crops(case, t, hand, AROUND, SIDE))
        cells.append(labelled(pictures, f"{case.name} frame {t}, {hand.replace('_', ' ')}: {error:.0f} mm"))
    return stacked([np.hstack(cells[n : n + 2]) for n in range(0, len(cells), 2)])


def hand_crops(case: Case, t: int, hand: str, around: float = 1.0, side: int = HAND_SIDE) -> list[np.ndarray]:
    """Return source, fit and truth around a hand, and so many times further, ``side`` pixels square."""
    pixels = case.truth.camera.project(case.true[t, case.body.parts[hand]])
    centre, half = (pixels.min(0) + pixels.max(0)) / 2, 0.65 * around * float(np.ptp(pixels, axis=0).max())
    corner = np.array([[1.0, 0, half - centre[0]], [0, 1.0, half - centre[1]]]) * side / (2 * half)
    crops = []
    for picture in three(case, t):
        crops.append(cv2.warpAffine(picture, corner, (side, side), flags=cv2.INTER_CUBIC, borderValue=(150, 150, 150)))
    return crops


def spelled(cases: list[Case]) -> list[tuple[str, Case, int, str]]:
    """Return every sign that is made, once a clip: gloss, clip, middle frame, and the higher hand that is seen."""
    found = []
    for case in cases:
        glosses, start = case.truth.glosses, 0
        for t in range(1, len(glosses) + 1):
            if t < len(glosses) and glosses[t] == glosses[start]:
                continue
            if glosses[start]:
                middle = (start + t - 1) // 2
                seen = [hand for hand in HANDS if case.motion.seen[middle, SEEN[hand]]]
                if seen:
                    hand = max(seen, key=lambda hand: float(case.true[middle, case.body.parts[hand], 1].mean()))
                    found.append((glosses[start], case, middle, hand))
            start = t
    return found


def letters(cases: list[Case]) -> np.ndarray:
    """Return source, fit and truth of hands that spell, each letter once, the worst first, three to a row."""
    chosen: dict[str, tuple[float, Case, int, str]] = {}
    for gloss, case, t, hand in spelled(cases):
        error = float(case.bends[hand][t])
        if gloss.startswith("#") and (gloss not in chosen or error > chosen[gloss][0]):
            chosen[gloss] = (error, case, t, hand)
    cells = []
    for gloss, (error, case, t, hand) in sorted(chosen.items(), key=lambda item: -item[1][0])[:15]:
        cells.append(labelled(np.hstack(hand_crops(case, t, hand)), f"{gloss[1:]}: {error:.0f} deg"))
    return stacked([np.hstack(cells[n : n + 3]) for n in range(0, len(cells), 3)])


def over_time(case: Case, name: str) -> None:
    """Plot the errors of a clip over time, with its signs."""
    colours = {"upper_body": "#0072B2", "left_hand": "#E69F00", "right_hand": "#D55E00"}
    time = np.arange(len(case.motion)) / case.motion.fps
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axis = pyplot.subplots(figsize=(9, 2.6), layout="constrained")
        for part, colour in colours.items():
            axis.plot(time, case.errors[part], color=colour, label=part.replace("_", " "))
        axis.set(xlabel=f"seconds of {case.name}", ylabel="TR-V2V (mm)", xlim=(0, time[-1]))
        axis.set_ylim(bottom=0)
        for gloss, _, t, _ in spelled([case]):
            axis.annotate(gloss.lstrip("#"), (time[t], 1.0), xycoords=("data", "axes fraction"), ha="center")
        axis.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0, 0.95))
        figure.savefig(IMAGES / name, dpi=130)
        pyplot.close(figure)


def table(cases: list[Case]) -> str:
    """Return the errors of every letter and sign, the worst first."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for gloss, case, t, hand in spelled(cases):
        near = slice(max(0, t - 1), t + 2)
        rows.setdefault(gloss, []).append(
            (float(np.nanmean(case.bends[hand][near])), float(np.nanmean(case.errors[hand][near])))
        )
    lines = ["| sign | times | fingers (°) | hand (mm) |", "|---|---|---|---|"]
    for gloss, found in sorted(rows.items(), key=lambda item: -np.nanmean([row[0] for row in item[1]])):
        bend, error = np.nanmean(found, axis=0)
        lines.append(f"| {gloss.lstrip('#')} | {len(found)} | {bend:.0f} | {error:.1f} |")
    return "\n".join(lines)


def load_cases(work: Path, body_path: Path) -> list[Case]:
    """Read all clips of a benchmark; fit those that have no motion yet.

    Raises:
        DiffSignError: if there is none, or a command fails.
    """
    body, cases = load_body(body_path), []
    for video in sorted(work.glob("*/source.mp4")):
        folder = work / f"{video.parent.name}-source"
        clean, fitted, motion = (folder / name for name in ("keypoints.clean.npz", "motion.fit.npz", "motion.npz"))
        if not clean.exists():
            continue
        if not motion.exists():
            for command in (["fit", clean, fitted], ["smooth", fitted, motion]):
                words = [sys.executable, "-m", "diffsign", *map(str, command), "--body", str(body_path)]
                if subprocess.run(words, stdout=subprocess.DEVNULL).returncode:
                    raise DiffSignError(f"'{clean}' could not be fitted.")
        truth = load_truth(video.parent / "truth.npz")
        cases.append(Case(video.parent.name, read_clip(folder / "clip.mkv")[0], truth, load_motion(motion), body))
    if not cases:
        raise DiffSignError(f"'{work}' holds no clips with keypoints; run benchmarks/fit.py with --work {work} first.")
    return cases


def main() -> None:
    """Write the pictures and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("results/benchmarks/fit"), help="folder of the benchmark")
    parser.add_argument("--body", type=Path, default=Path("resources/body/body.npz"), help="body file")
    given = parser.parse_args()
    cases = load_cases(given.work, given.body)
    save("fit_overlays.jpg", overlays(cases))
    save("fit_worst.jpg", worst(cases))
    save("fit_letters.jpg", letters(cases))
    over_time(max(cases, key=lambda case: case.hand_error), "fit_time.jpg")
    sys.stdout.write(table(cases) + "\n")


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
