r"""What a distance of faces means: the same person among the frames of a clip, other clips, and other people.

Every name is one person, with clips or pictures separated by commas. Distances are printed for pairs of faces within
one file, for pairs of one person's files, and for pairs of people.

    python benchmarks/faces.py --group "real people" ann=ann.mp4,ann-2.mp4 ben=ben.mp4 \
        --group "rendered people" a=config/demo/source.mp4 b=config/demo/reference.png --docs docs/metrics.md
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from tables import replace_between

from diffsign.config.evaluate import EvaluateSettings
from diffsign.errors import DiffSignError
from diffsign.evaluate.faces import Recogniser, make_recogniser
from diffsign.records.picture import read_picture

BEGIN, END = "<!-- benchmarks/faces.py writes from here -->", "<!-- to here (faces) -->"
PICTURES = (".png", ".jpg", ".jpeg", ".webp")

#: Descriptors (N, D) of the faces of each file, by person.
People = dict[str, list[np.ndarray]]


def frames_of(path: Path, most: int) -> list[np.ndarray]:
    """Return a picture, or at most so many frames of a video, evenly spaced: (H, W, 3) uint8 each."""
    if path.suffix.lower() in PICTURES:
        return [np.array(read_picture(path, "picture"))]
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(read[1][..., ::-1])
    if not frames:
        raise DiffSignError(f"'{path}' holds no frames.")
    return [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int))]


def describe(recogniser: Recogniser, people: list[str], most: int) -> tuple[People, int]:
    """Return the descriptors of every file of ``NAME=FILE,FILE``, and the frames without a face."""
    described: People = {}
    lost = 0
    for person in people:
        name, _, files = person.partition("=")
        for file in files.split(","):
            found = [recogniser.describe(frame) for frame in frames_of(Path(file), most)]
            kept = [descriptor for descriptor in found if descriptor is not None]
            lost += len(found) - len(kept)
            if kept:
                described.setdefault(name, []).append(np.stack(kept))
    return described, lost


def distances(recogniser: Recogniser, people: People) -> dict[str, np.ndarray]:
    """Return the distances of all pairs of faces: in one file, in files of one person, of different people."""
    found: dict[str, list[np.ndarray]] = {"one clip": [], "one person, other clips": [], "different people": []}
    for files in people.values():
        for faces in files:
            found["one clip"].append(recogniser.distances(faces, faces)[np.triu_indices(len(faces), 1)])
        for one, other in combinations(files, 2):
            found["one person, other clips"].append(recogniser.distances(one, other).ravel())
    for one, other in combinations(people.values(), 2):
        found["different people"].append(recogniser.distances(np.concatenate(one), np.concatenate(other)).ravel())
    return {kind: np.concatenate(values) if values else np.empty(0) for kind, values in found.items()}


def lines_of(groups: dict[str, dict[str, np.ndarray]], recogniser: Recogniser) -> list[str]:
    """Return the table in Markdown."""
    lines = [
        f"| {recogniser.name} | pairs | median | 5 % below | 5 % above | nearer than {recogniser.threshold} |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for group, kinds in groups.items():
        for kind, values in kinds.items():
            if not values.size:
                continue
            middle, low, high = np.percentile(values, [50, 5, 95])
            near = "–" if recogniser.threshold is None else f"{100 * (values < recogniser.threshold).mean():.0f} %"
            lines.append(f"| {group}, {kind} | {values.size} | {middle:.2f} | {low:.2f} | {high:.2f} | {near} |")
    return lines


def main() -> None:
    """Measure all groups and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", nargs="+", action="append", required=True, metavar=("GROUP", "NAME=FILE,FILE"))
    parser.add_argument("--frames", type=int, default=8, help="frames of each video at most")
    parser.add_argument("--arcface", help="ONNX file of ArcFace, in place of dlib")
    parser.add_argument("--docs", type=Path, help="page whose table is replaced")
    given = parser.parse_args()
    settings = EvaluateSettings(face_recogniser="arcface" if given.arcface else "dlib", arcface_weights=given.arcface)
    recogniser = make_recogniser(settings)
    if isinstance(recogniser, str):
        raise SystemExit(recogniser)
    groups = {}
    for name, *people in given.group:
        described, lost = describe(recogniser, people, given.frames)
        groups[name] = distances(recogniser, described)
        print(f"{name}: {len(described)} people, {lost} frames without a face")  # noqa: T201
    lines = lines_of(groups, recogniser)
    print("\n".join(lines))  # noqa: T201
    if given.docs:
        replace_between(given.docs, BEGIN, END, lines)


if __name__ == "__main__":
    main()
