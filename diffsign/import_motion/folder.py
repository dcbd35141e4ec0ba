"""A folder with one ``.npz`` for every frame, and perhaps every person: which files are one signer's, and where."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.import_motion.names import NAMES


@dataclass(frozen=True)
class Frames:
    """The files of one person.

    Attributes:
        files: one for each frame that there is.
        numbers: their frames, counted from 0; frames between them are missing.
        notes: what was decided.
    """

    files: list[Path]
    numbers: np.ndarray
    notes: list[str]


def _numbered(files: list[Path], folder: Path) -> dict[int, dict[int, Path]]:
    """Return the files by frame and person: the numbers of a name that change from file to file are these two."""
    numbers = [[int(digits) for digits in re.findall(r"\d+", file.stem)] for file in files]
    if len(files) == 1:
        return {0: {0: files[0]}}
    if len({len(row) for row in numbers}) != 1 or not numbers[0]:
        raise DiffSignError(
            f"the names in '{folder}' are not of one kind ('{files[0].name}', '{files[-1].name}'); one file a frame, "
            "such as 00001_0.npz, was expected."
        )
    changing = [place for place in range(len(numbers[0])) if len({row[place] for row in numbers}) > 1]
    if len(changing) > 2:
        raise DiffSignError(f"the names in '{folder}' count more than frames and people, such as '{files[0].name}'.")
    found: dict[int, dict[int, Path]] = {}
    for row, file in zip(numbers, files, strict=True):
        person = row[changing[1]] if len(changing) == 2 else 0
        found.setdefault(row[changing[0]], {})[person] = file
    return dict(sorted(found.items()))


def one_person(folder: Path, place_of: Mapping[Path, np.ndarray]) -> Frames:
    """Choose the files of one person, the nearest to the camera in the first frame, who is followed from there.

    Args:
        folder: with the files.
        place_of: where the person of a file is, (3,) in the axes of a camera.

    Raises:
        DiffSignError: if the names of the files do not say their frames.
    """
    frames = _numbered(sorted(place_of), folder)
    notes: list[str] = []
    people = max(map(len, frames.values()))
    if people > 1:
        notes.append(f"up to {people} people are in it: the one nearest to the camera is taken")
    chosen: list[Path] = []
    for choice in frames.values():
        if chosen:
            last = place_of[chosen[-1]]
            best = min(choice, key=lambda person: float(np.linalg.norm(place_of[choice[person]] - last)))
        else:
            best = min(choice, key=lambda person: float(np.linalg.norm(place_of[choice[person]])))
        chosen.append(choice[best])
    counted = list(frames)
    step = math.gcd(*(b - a for a, b in pairwise(counted))) if len(counted) > 1 else 1
    numbers = (np.array(counted) - counted[0]) // step
    missing = int(numbers[-1]) + 1 - len(numbers)
    if missing:
        notes.append(f"{missing} of {numbers[-1] + 1} frames are missing and bridged")
    return Frames(chosen, numbers, notes)


def place(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return where a person is, (3,); zeros where the file does not say."""
    name = next((name for name in ("transl", *NAMES["transl"]) if name in arrays), None)
    values = np.zeros(3) if name is None else np.asarray(arrays[name], np.float64).ravel()
    return values[:3] if values.size >= 3 else np.zeros(3)


def from_crops(files: list[Path], places: np.ndarray) -> np.ndarray | None:
    """Return places before one camera, for tools that look at a crop of each frame with a camera of its own.

    SMPLer-X writes that camera beside its folder ``smplx``, as ``meta/<name>.json`` with ``focal`` and ``princpt``. The
    person keeps size and place in the picture; None where there are no such files.

    Args:
        files: one for each of T frames.
        places: (T, 3) before each frame's camera.
    """
    told = [file.parent.parent / "meta" / f"{file.stem}.json" for file in files]
    if not all(file.is_file() for file in told):
        return None
    try:
        said = [json.loads(file.read_text(encoding="utf-8")) for file in told]
        focal = np.array([row["focal"] for row in said], np.float64).reshape(-1, 2)
        centre = np.array([row["princpt"] for row in said], np.float64).reshape(-1, 2)
    except (ValueError, KeyError, TypeError) as error:
        raise DiffSignError(
            f"'{told[0].parent}' has no focal and princpt as SMPLer-X writes them ({error}); mend it, or take it away."
        ) from error
    one, middle = np.median(focal, axis=0), np.median(centre, axis=0)
    depth = places[:, 2:] * one[:1] / focal[:, :1]
    seen = focal * places[:, :2] / places[:, 2:] + centre
    return np.concatenate([(seen - middle) / one * depth, depth], axis=1)
