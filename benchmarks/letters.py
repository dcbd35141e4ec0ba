"""Fingers of real signers who spell: are they extended or folded as the letter asks?

    python benchmarks/letters.py --json letters.json [--docs docs/accuracy.md]

The wheel ``spoken-to-signed`` (``pip install 'diffsign[text]'``) carries the letters of twenty signed languages, each
signed by a person and kept as points of MediaPipe Holistic, with its letter. That is real handshapes with a label, for
everybody. Each file goes through the door for ``.pose`` files, clean, fit and smooth; the letter is read where the hand
is up and still. The chart says for each letter of American Sign Language which fingers are extended and which are
folded; a finger that the letter leaves open, or curves, is not counted. German Sign Language shares most letters.

Letters are told apart by their joint angles if a letter of one language is nearest to the same letter of the other,
among all letters that both share: two people who know nothing of each other.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tables import replace_between
from threadpoolctl import threadpool_limits

from diffsign.body.model import Body, load_body
from diffsign.clean.stage import clean_keypoints
from diffsign.config.clean import CleanSettings
from diffsign.config.fit import FitSettings
from diffsign.config.smooth import SmoothSettings
from diffsign.detect.pose_file import keypoints_of_pose, read_pose_file
from diffsign.errors import DiffSignError
from diffsign.evaluate.parameters import extended
from diffsign.evaluate.signing import HANDS
from diffsign.files import atomic
from diffsign.fit.motion import fit_motion
from diffsign.fit.points import PointModel, reduced
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.progress import track
from diffsign.records.keypoints import Keypoints
from diffsign.smooth.motion import smooth_motion

FINGERS = ("thumb", "index", "middle", "ring", "little")
#: Thumb, index, middle, ring and little finger: E extended, F folded, a dot where the letter leaves it open.
AMERICAN = {
    "A": ".FFFF", "B": "FEEEE", "C": ".....", "D": ".EFFF", "E": ".FFFF", "F": "..EEE", "G": ".EFFF", "H": ".EEFF",
    "I": ".FFFE", "J": ".FFF.", "K": ".EEFF", "L": "EEFFF", "M": ".FFFF", "N": ".FFFF", "O": ".....", "P": ".EEFF",
    "Q": ".EFFF", "R": "FEEFF", "S": "FFFFF", "T": ".FFFF", "U": "FEEFF", "V": "FEEFF", "W": "FEEEF", "X": "..FFF",
    "Y": "EFFFE", "Z": ".EFFF",
}  # fmt: skip
#: Letters that German Sign Language makes as American Sign Language does.
SHARED = "ABCDEFIKLORSUVWY"
CHARTS = {"ase": AMERICAN, "gsg": {letter: AMERICAN[letter] for letter in SHARED}}
LANGUAGES = {"ase": "American", "gsg": "German"}
STATES = {"E": 1, "F": -1, ".": 0}
BEGIN, END = "<!-- benchmarks/letters.py writes from here -->", "<!-- to here: letters -->"
FPS, HEIGHT = 12.0, 512


@dataclass(frozen=True)
class Letter:
    """A letter as somebody signed it.

    Attributes:
        language: ISO 639-3 code.
        letter: capital.
        side: the hand that spells.
        fingers: (5,) 1 extended, −1 folded, 0 in between; what most frames of the hold say.
        detected: (5,) the same of the detector's own 3D.
        angles: (15, 3, 3) mean rotations of the finger joints, as of a right hand.
        frames: of the hold.
        other_hand: share of frames in which the other hand is in the picture though the detector never saw it.
    """

    language: str
    letter: str
    side: str
    fingers: np.ndarray
    detected: np.ndarray
    angles: np.ndarray
    frames: int
    other_hand: float


def lexicon() -> Path:
    """Return the folder of letters in the installed wheel.

    Raises:
        DiffSignError: if it is not installed.
    """
    found = importlib.util.find_spec("spoken_to_signed")
    if found is None or found.origin is None:
        raise DiffSignError("the letters come with the package spoken-to-signed; pip install 'diffsign[text]'.")
    return Path(found.origin).parent / "assets/fingerspelling_lexicon"


def files(folder: Path, languages: list[str]) -> list[tuple[str, str, Path]]:
    """Return language, letter and file of every letter that a chart has."""
    with (folder / "index.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["signed_language"], row["words"].upper(), folder / row["path"]) for row in csv.DictReader(stream)]
    return [(lang, letter, path) for lang, letter, path in rows if lang in languages and letter in CHARTS[lang]]


def hold(keypoints: Keypoints, hand: slice) -> np.ndarray:
    """Return the frames (N,) in which a hand is up and still: where a letter is read."""
    sure = (keypoints.confidence[:, hand] > 0.2).mean(1) > 0.5
    place = keypoints.xy[:, hand].mean(1)
    speed = np.linalg.norm(np.gradient(place, axis=0), axis=-1) if len(place) > 1 else np.zeros(len(place))
    usable = np.flatnonzero(sure)
    if not len(usable):
        return usable
    top, low = place[usable, 1].min(), place[usable, 1].max()
    up = usable[place[usable, 1] <= top + 0.4 * (low - top) + 1]
    return np.sort(up[np.argsort(speed[up], kind="stable")[: max(3, len(up) // 2)]])


def majority(states: np.ndarray) -> np.ndarray:
    """Return what most frames say: the median of states (N, 5)."""
    return np.rint(np.median(states, axis=0)).astype(int)


def mean_rotation(rotations: np.ndarray) -> np.ndarray:
    """Return the mean of rotations (N, J, 3, 3), (J, 3, 3): the nearest rotation to their arithmetic mean."""
    u, _, v = np.linalg.svd(rotations.mean(0))
    u[..., -1] *= np.sign(np.linalg.det(u @ v))[:, None]
    return u @ v


def read(language: str, letter: str, path: Path, body: Body, model: PointModel) -> Letter:
    """Fit one letter and read its fingers."""
    keypoints = clean_keypoints(keypoints_of_pose(read_pose_file(path), HEIGHT, fps=FPS), CleanSettings())
    fitted, _ = fit_motion(keypoints, model, FitSettings(), body.sha256)
    motion, _ = smooth_motion(fitted, SmoothSettings())
    # the hand that spells is the one that is seen, and higher
    heights = {}
    for side, hand in HANDS.items():
        sure = (keypoints.confidence[:, hand] > 0.2).mean(1) > 0.5
        heights[side] = float((keypoints.height - keypoints.xy[sure, hand.start, 1]).sum()) if sure.any() else 0.0
    side = max(heights, key=heights.__getitem__)
    hand, other = HANDS[side], HANDS["left" if side == "right" else "right"]
    frames = hold(keypoints, hand)
    points = body.keypoints(motion)
    pose = motion.right_hand_pose if side == "right" else motion.left_hand_pose * np.array([1.0, -1.0, -1.0])
    pixels = motion.camera.project(points)
    inside = ((pixels[:, other] > 0) & (pixels[:, other] < [keypoints.width, keypoints.height])).all(-1).mean(1) > 0.5
    never = not ((keypoints.confidence[:, other] > 0.2).mean(1) > 0.5).any()
    world = points if keypoints.world is None else keypoints.world[..., :3]
    return Letter(
        language,
        letter,
        side,
        majority(extended(points[frames][:, hand])),
        majority(extended(np.asarray(world)[frames][:, hand])),
        mean_rotation(rotvec_to_rotmat(pose[frames].astype(np.float64))),
        len(frames),
        float(inside.mean()) if never else float("nan"),
    )


def asked(letter: Letter) -> np.ndarray:
    """Return the state (5,) that the chart asks of each finger, 0 where it leaves it open."""
    return np.array([STATES[state] for state in CHARTS[letter.language][letter.letter]])


def kept(letters: list[Letter], of: str) -> float:
    """Return the share of fingers as the letters ask for; ``of`` names the attribute with the states."""
    hits = [(getattr(letter, of) == asked(letter))[asked(letter) != 0] for letter in letters]
    return float(np.concatenate(hits).mean())


def distance(first: Letter, second: Letter) -> float:
    """Return the mean angle in degrees between the finger joints of two letters."""
    trace = np.einsum("jab,jab->j", first.angles, second.angles)
    return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))).mean())


def told_apart(letters: list[Letter]) -> tuple[int, int, list[str]]:
    """Return how many letters are nearest to themselves in the other language, of how many, and what was mistaken."""
    hits, count, mistaken = 0, 0, []
    for letter in letters:
        others = [o for o in letters if o.language != letter.language and o.letter in SHARED]
        if letter.letter in SHARED and any(o.letter == letter.letter for o in others):
            nearest = min(others, key=lambda o: distance(letter, o))
            count += 1
            hits += nearest.letter == letter.letter
            if nearest.letter != letter.letter:
                mistaken.append(f"{letter.letter} ({LANGUAGES[letter.language]}) for {nearest.letter}")
    return hits, count, mistaken


def report(letters: list[Letter]) -> dict:
    """Return all figures."""
    hits, count, mistaken = told_apart(letters)
    invented = [letter.other_hand for letter in letters if np.isfinite(letter.other_hand)]
    rows = []
    for letter in letters:
        wrong = [
            f"{finger} {'not extended' if want > 0 else 'not folded'}"
            for finger, want, is_ in zip(FINGERS, asked(letter), letter.fingers, strict=True)
            if want not in (0, is_)
        ]
        rows.append({"language": letter.language, "letter": letter.letter, "side": letter.side, "wrong": wrong,
                     "fingers": letter.fingers.tolist(), "frames": letter.frames})  # fmt: skip
    groups = {lang: [letter for letter in letters if letter.language == lang] for lang in CHARTS}
    return {
        "fingers_kept": {lang: kept(group, "fingers") for lang, group in groups.items() if group},
        "fingers_kept_by_the_detector": {lang: kept(group, "detected") for lang, group in groups.items() if group},
        "letters_told_apart": [hits, count],
        "mistaken": mistaken,
        "unseen_other_hand_shown": float(np.mean(invented)) if invented else None,
        "letters": rows,
    }


def table(figures: dict) -> list[str]:
    """Return the figures as lines of Markdown."""
    lines = ["| | " + " | ".join(LANGUAGES[lang] for lang in figures["fingers_kept"]) + " | target |"]
    lines.append("| --- |" + " ---: |" * (len(figures["fingers_kept"]) + 1))
    for title, key, target in (
        ("fingers as the letter asks", "fingers_kept", "≥ 95 %"),
        ("the same of MediaPipe's own 3D", "fingers_kept_by_the_detector", ""),
    ):
        lines.append(f"| {title} | " + " | ".join(f"{100 * v:.1f} %" for v in figures[key].values()) + f" | {target} |")
    hits, count = figures["letters_told_apart"]
    lines += ["", f"Letters nearest to themselves in the other language: {hits} of {count}."]
    if figures["mistaken"]:
        lines.append("Mistaken: " + ", ".join(figures["mistaken"]) + ".")
    if figures["unseen_other_hand_shown"] is not None:
        share = 100 * figures["unseen_other_hand_shown"]
        lines.append(f"A second hand that nobody saw is in the picture in {share:.1f} % of the frames.")
    wrong = [
        f"{row['letter']} ({LANGUAGES[row['language']]}): {', '.join(row['wrong'])}"
        for row in figures["letters"]
        if row["wrong"]
    ]
    return [*lines, "", "Fingers that are not as asked: " + ("; ".join(wrong) if wrong else "none") + "."]


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go, or come from with --read")
    parser.add_argument("--read", action="store_true", help="measure nothing; take the figures of --json")
    parser.add_argument("--docs", type=Path, help="page to put the table into, such as docs/accuracy.md")
    parser.add_argument("--body", type=Path, default=Path("resources/body/body.npz"), help="body file")
    parser.add_argument("--languages", nargs="+", choices=tuple(CHARTS), default=list(CHARTS), help="alphabets")
    parser.add_argument("--letters", default="", help="only these letters, such as ABD; all by default")
    given = parser.parse_args(arguments)
    if given.read:
        figures = json.loads(given.json.read_text())
    else:
        body = load_body(given.body)
        model = reduced(body)
        chosen = [row for row in files(lexicon(), given.languages) if not given.letters or row[1] in given.letters]
        if not chosen:
            raise DiffSignError(f"no chart has the letters '{given.letters}' of {', '.join(given.languages)}.")
        with threadpool_limits(1):
            figures = report([read(*row, body, model) for row in track(chosen, "letters")])
        with atomic(given.json) as temporary:
            temporary.write_text(json.dumps(figures, indent=2) + "\n")
    show = Table("letter", "language", "fingers that are not as asked")
    for row in figures["letters"]:
        show.add_row(row["letter"], LANGUAGES[row["language"]], ", ".join(row["wrong"]))
    Console().print(show, *table(figures), sep="\n")
    if given.docs:
        replace_between(given.docs, BEGIN, END, table(figures))


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
