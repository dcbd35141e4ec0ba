"""What can be said about a retargeted video without its truth, from what was detected and what a person sees.

Lengths in the picture are counted in palms: the distance from the wrist to the middle finger's knuckle (about 9 cm) of
the fitted signer, as large as it would appear if it faced the camera where that hand is.
"""

from __future__ import annotations

import csv
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffsign.body.model import Body
from diffsign.errors import DiffSignError
from diffsign.evaluate.parameters import gap, rather_extended
from diffsign.records.keypoints import FACE, LEFT_HAND, RIGHT_HAND, Change, Keypoints
from diffsign.records.motion import Motion

SIDES = {"left": LEFT_HAND, "right": RIGHT_HAND}
FINGERS = ("thumb", "index", "middle", "ring", "little")
KINDS = ("visible", "absent", "extended", "folded", "contact", "place")
COLUMNS = ("clip", "hand", "first", "last", "what", "fingers")

#: An avatar's hand is shown when more than this share of its 21 points lies in the picture.
SHOWN = 0.25
#: A hand is in its place within so many palms.
NEAR = 1.0
#: Hands touch within so many metres, or this share of a palm if that is more.
TOUCH_M, TOUCH_PALM = 0.02, 1 / 3
#: A detected hand counts when its points are this sure on average.
SURE = 0.3
#: A hand that was not detected is where its detections before and after say, if they are at most so many seconds apart.
LONGEST_GAP = 1.0
#: Hands faster than so many palms a second (about half a metre) are fast.
FAST = 6.0


@dataclass(frozen=True)
class Label:
    """What a person sees of one hand in frames ``first`` to ``last`` (both included) of the source file."""

    clip: str
    hand: str
    first: int
    last: int
    what: str
    value: str


def read_labels(path: Path) -> list[Label]:
    """Read a table of labels, tab-separated, with a header (docs/real.md).

    Raises:
        DiffSignError: naming the row, if it is not a label.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise DiffSignError(f"the labels '{path}' cannot be read: {error}.") from error
    labels = []
    for number, row in enumerate(rows, 2):
        where = f"row {number} of '{path}'"
        missing = [name for name in COLUMNS[:-1] if not row.get(name)]
        if missing:
            raise DiffSignError(f"{where} has nothing in {', '.join(missing)}; the columns are {', '.join(COLUMNS)}.")
        try:
            label = Label(
                row["clip"], row["hand"], int(row["first"]), int(row["last"]), row["what"], row["fingers"] or ""
            )
        except ValueError as error:
            raise DiffSignError(f"{where}: first and last are numbers of frames ({error}).") from error
        _check(label, where)
        labels.append(label)
    return labels


def _check(label: Label, where: str) -> None:
    if label.hand not in SIDES:
        raise DiffSignError(f"{where}: hand is left or right, not '{label.hand}'.")
    if label.what not in KINDS:
        raise DiffSignError(f"{where}: what is one of {', '.join(KINDS)}, not '{label.what}'.")
    if not 0 <= label.first <= label.last:
        raise DiffSignError(f"{where}: frames {label.first} to {label.last} are no range.")
    if label.what in ("extended", "folded") and not set(label.value.split(",")) <= set(FINGERS):
        raise DiffSignError(f"{where}: fingers are some of {', '.join(FINGERS)}, not '{label.value}'.")
    if label.what == "contact" and label.value not in ("other_hand", "chin"):
        raise DiffSignError(f"{where}: a hand touches other_hand or chin, not '{label.value}'.")
    if label.what == "place" and not re.fullmatch(r"\d+(\.\d+)?,\d+(\.\d+)?", label.value):
        raise DiffSignError(f"{where}: a place is x,y in pixels of the source, not '{label.value}'.")


@dataclass(frozen=True)
class Clip:
    """One clip and what was made of it.

    Attributes:
        name: of the video's file.
        detected: keypoints as detected.
        clean: keypoints as cleaned.
        fitted: motion as fitted.
        smoothed: motion as smoothed.
        source_frame: (T,) number of the source's frame that each frame of the clip shows.
        source_height: pixels of the source.
        labels: of this video.
    """

    name: str
    detected: Keypoints
    clean: Keypoints
    fitted: Motion
    smoothed: Motion
    source_frame: np.ndarray
    source_height: int
    labels: list[Label]

    def frames(self, label: Label) -> np.ndarray:
        """Return the frames of the clip that a label speaks of."""
        return np.flatnonzero((self.source_frame >= label.first) & (self.source_frame <= label.last))


@dataclass(frozen=True)
class Posed:
    """A motion's points: (T, 137, 3) in metres, (T, 137, 2) in pixels, and a palm in pixels (T,) by hand."""

    points: np.ndarray
    pixels: np.ndarray
    palm: dict[str, np.ndarray]
    palm_metres: float

    def centre(self, side: str) -> np.ndarray:
        """Return the middle (T, 2) of a hand in pixels."""
        return self.pixels[:, SIDES[side]].mean(axis=1)


def pose(body: Body, motion: Motion) -> Posed:
    """Return where a motion's points are."""
    points = body.keypoints(motion).astype(np.float64)
    palm, lengths = {}, []
    for side, part in SIDES.items():
        length = np.linalg.norm(points[:, part.start + 9] - points[:, part.start], axis=-1)
        depth = motion.camera.to_camera(points[:, part.start])[:, 2]
        palm[side] = length * motion.camera.K[1, 1] / np.maximum(depth, 0.1)
        lengths.append(np.median(length))
    return Posed(points, np.nan_to_num(motion.camera.project(points), nan=-1e6), palm, float(np.mean(lengths)))


def detected_middle(clip: Clip, side: str) -> np.ndarray:
    """Return where a hand's middle was detected (T, 2), pixels; NaN where it was not, or is not believed.

    The points are those of detection, before any filter; cleaning says whose they are and whether to believe them.
    """
    part = SIDES[side]
    changes = clip.clean.changes[:, part]
    other = SIDES["right" if side == "left" else "left"]
    swapped = (changes & Change.SWAPPED > 0).any(axis=1)[:, None, None]
    points = np.where(swapped, clip.detected.points[:, other], clip.detected.points[:, part])
    kept = (clip.clean.confidence[:, part].mean(axis=1) >= SURE) & (points[..., 2].mean(axis=1) >= SURE)
    kept &= (changes & Change.FILLED > 0).mean(axis=1) < 0.5
    return np.where(kept[:, None], points[..., :2].mean(axis=1), np.nan)


def places(clip: Clip, side: str) -> np.ndarray:
    """Return where a hand's middle is in the picture (T, 2), from labels or detection; NaN where neither says.

    Between detections the place is interpolated; a label ``place`` comes first.
    """
    place = detected_middle(clip, side)
    scale = clip.clean.height / clip.source_height
    for label in clip.labels:
        if label.hand == side and label.what == "place":
            place[clip.frames(label)] = np.array([float(v) for v in label.value.split(",")]) * scale
    known = np.flatnonzero(np.isfinite(place[:, 0]))
    for before, after in itertools.pairwise(known):
        if 1 < after - before <= LONGEST_GAP * clip.clean.fps:
            share = (np.arange(before + 1, after) - before)[:, None] / (after - before)
            place[before + 1 : after] = (1 - share) * place[before] + share * place[after]
    return place


def presence(clip: Clip, posed: Posed) -> tuple[dict[str, Any], list[tuple[float, int, str]]]:
    """Return the rates of absent and of visible hands, and the frames that are worst: (palms away, frame, why)."""
    size = np.array([clip.smoothed.camera.width, clip.smoothed.camera.height])
    absent = shown = visible = near = unplaced = 0
    worst: list[tuple[float, int, str]] = []
    for label in clip.labels:
        rows, part = clip.frames(label), SIDES[label.hand]
        inside = ((posed.pixels[rows][:, part] >= 0) & (posed.pixels[rows][:, part] <= size)).all(-1).mean(1) > SHOWN
        if label.what == "absent":
            absent, shown = absent + len(rows), shown + int(inside.sum())
            worst += [(2.0, int(t), f"{label.hand} hand is not there") for t in rows[inside]]
        elif label.what == "visible":
            place = places(clip, label.hand)[rows]
            away = np.linalg.norm(posed.centre(label.hand)[rows] - place, axis=-1) / posed.palm[label.hand][rows]
            known = np.isfinite(place[:, 0])
            # A hand that nobody placed is at least in the picture.
            good = np.where(known, away <= NEAR, inside)
            visible, near, unplaced = visible + len(rows), near + int(good.sum()), unplaced + int((~known).sum())
            worst += [
                (float(np.nan_to_num(away[i], nan=1.0)), int(rows[i]), f"{label.hand} hand is elsewhere")
                for i in np.flatnonzero(~good)
            ]
    return {
        "absent": absent,
        "absent_shown": shown,
        "visible": visible,
        "visible_near": near,
        "visible_unplaced": unplaced,
    }, worst


def handshapes(clip: Clip, posed: Posed) -> tuple[dict[str, Any], list[tuple[float, int, str]]]:
    """Return how many labelled fingers (finger-frames) are extended or folded as labelled, and the worst frames."""
    asked = right = 0
    worst = []
    for label in clip.labels:
        if label.what not in ("extended", "folded"):
            continue
        rows = clip.frames(label)
        columns = [FINGERS.index(name) for name in label.value.split(",")]
        good = rather_extended(posed.points[rows][:, SIDES[label.hand]])[:, columns] == (label.what == "extended")
        asked, right = asked + good.size, right + int(good.sum())
        worst += [
            (0.5 * float((~good[i]).sum()), int(rows[i]), f"{label.hand} fingers should be {label.what}")
            for i in np.flatnonzero(~good.all(1))
        ]
    return {"fingers": asked, "fingers_right": right}, worst


def contacts(clip: Clip, posed: Posed, body: Body) -> dict[str, Any]:
    """Return in how many frames labelled touches are kept, and the median distance of the surfaces in centimetres."""
    limit = max(TOUCH_M, TOUCH_PALM * posed.palm_metres)
    distances: list[float] = []
    for label in clip.labels:
        if label.what != "contact":
            continue
        rows = clip.frames(label)
        motion = clip.smoothed.rows(rows)
        hand = body.vertices(motion, body.parts[f"{label.hand}_hand"])
        if label.value == "chin":
            # The lower part of the face: from the lower lip down, which the contour's middle (point 8 of 68) ends.
            face = body.vertices(motion, body.parts["face"])
            lip = posed.points[rows, FACE.start + 57, 1]
            other = [vertices[vertices[:, 1] <= height] for vertices, height in zip(face, lip, strict=True)]
        else:
            across = "right" if label.hand == "left" else "left"
            other = list(body.vertices(motion, body.parts[f"{across}_hand"]))
        distances += gap(hand, other).tolist()
    kept = sum(distance <= limit for distance in distances)
    out: dict[str, Any] = {"contact_frames": len(distances), "contact_kept": kept}
    return out | ({"contact_cm": 100 * float(np.median(distances))} if distances else {})


def _speeds(centre: np.ndarray, fps: float) -> np.ndarray:
    speed = np.full(len(centre), np.nan)
    if len(centre) > 2:
        speed[1:-1] = np.linalg.norm(centre[2:] - centre[:-2], axis=-1) * fps / 2
    return speed


def movement(clip: Clip, fitted: Posed, smoothed: Posed) -> tuple[dict[str, Any], list[tuple[float, int, str]]]:
    """Return how far hands are from where they were detected, and which part of their peak speeds is kept.

    Distances are of the middles of the hands, in palms, over the frames in which a hand was detected; speeds are of the
    strokes (peaks of the detected speed above :data:`FAST`), each against the highest speed within a frame of it.
    """
    away: dict[str, list[np.ndarray]] = {"fitted": [], "smoothed": []}
    fast: dict[str, list[np.ndarray]] = {"fitted": [], "smoothed": []}
    ratios: dict[str, list[float]] = {"fitted": [], "smoothed": [], "smoothed_over_fitted": []}
    worst: list[tuple[float, int, str]] = []
    fps = clip.clean.fps
    for side in SIDES:
        seen = detected_middle(clip, side)
        sure = np.isfinite(seen[:, 0])
        speed = _speeds(seen, fps) / smoothed.palm[side]
        is_fast = sure & (np.nan_to_num(speed) > FAST)
        for name, posed in (("fitted", fitted), ("smoothed", smoothed)):
            distance = np.linalg.norm(posed.centre(side) - seen, axis=-1) / posed.palm[side]
            away[name].append(distance[sure])
            fast[name].append(distance[is_fast])
            if name == "smoothed":
                worst += [(float(distance[t]), int(t), f"{side} hand was held back") for t in np.flatnonzero(sure)]
        peaks = [
            t
            for t in np.flatnonzero(is_fast)
            if speed[t] >= np.nanmax(speed[max(0, t - 2) : t + 3]) and np.isfinite(speed[t - 1 : t + 2]).all()
        ]
        ours = {n: _speeds(p.centre(side), fps) / p.palm[side] for n, p in (("fitted", fitted), ("smoothed", smoothed))}
        for t in peaks:
            top = {name: float(np.nanmax(values[t - 1 : t + 2])) for name, values in ours.items()}
            ratios["fitted"].append(top["fitted"] / float(speed[t]))
            ratios["smoothed"].append(top["smoothed"] / float(speed[t]))
            ratios["smoothed_over_fitted"].append(top["smoothed"] / max(top["fitted"], 1e-6))
    out: dict[str, Any] = {"strokes": len(ratios["fitted"])}
    for name in ("fitted", "smoothed"):
        every, quick = np.concatenate(away[name]), np.concatenate(fast[name])
        if len(every):
            out[f"hands_{name}_median"] = float(np.median(every))
            out[f"hands_{name}_90"] = float(np.quantile(every, 0.9))
        if len(quick):
            out[f"hands_{name}_fast"] = float(np.median(quick))
    out["fast_frames"] = len(np.concatenate(fast["fitted"]))
    out |= {f"peak_speed_{name}": float(np.median(values)) for name, values in ratios.items() if values}
    return out, worst
