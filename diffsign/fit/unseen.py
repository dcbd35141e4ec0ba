"""What a frame does not show: which parts, and what stands in for them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from diffsign.fit.hinges import HANDS
from diffsign.fit.state import State
from diffsign.fit.targets import Targets
from diffsign.geometry.rotations import interpolate_rotations
from diffsign.records import keypoints as kp
from diffsign.records.keypoints import Change, Keypoints

#: A part is seen when so much is seen of what the clip shows of it in its better frames.
SHARE = 1 / 3
#: A part whose middle point is fitted so many palms off is not where it was detected.
MISSED = 0.35
#: A hand so many palms from the wrist of its arm is another's, or none.
OFF_ARM = 1.2
#: A hand unseen for longer (seconds) relaxes, by the prior; before that it goes from one handshape to the next.
LONGEST = 1.0


def parts_seen(keypoints: Keypoints, weight: np.ndarray) -> np.ndarray:
    """Return (T, 4) bool, whether body, left hand, right hand and face were seen, and not filled in by cleaning."""
    real = (weight > 0) & (keypoints.changes & Change.FILLED == 0)
    seen = []
    for part in (kp.BODY, kp.LEFT_HAND, kp.RIGHT_HAND, kp.FACE):
        count = real[:, part].sum(1)
        seen.append(count >= max(1.0, SHARE * np.quantile(count, 0.9)))
    return np.stack(seen, axis=1)


def parts_explained(error: np.ndarray, weight: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """Return (T, 4) bool, whether the fit lies on the points of body, left hand, right hand and face.

    Each part is judged by its own points: the middle one of those that pull is within :data:`MISSED` palms. A hand must
    also hang on its arm: its wrist is within a palm of the body's, where both were detected.

    Args:
        error: (T, 137) pixels between fitted and detected points.
        weight: (T, 137) of the points, 0 where there is none.
        palm: (T, 2) pixels of the left and the right palm.
    """
    largest = palm.max(1)
    good = []
    for part, size in ((kp.BODY, largest), (kp.LEFT_HAND, palm[:, 0]), (kp.RIGHT_HAND, palm[:, 1]), (kp.FACE, largest)):
        used = np.where(weight[:, part] > 0, error[:, part], np.nan)
        known = np.isfinite(used).any(1)
        middle = np.nanmedian(np.where(known[:, None], used, 0.0), axis=1)
        good.append(middle <= MISSED * size)
    return np.stack(good, axis=1)


def hands_on_arms(xy: np.ndarray, weight: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """Return (T, 4) bool, False where a detected hand is not at the wrist that was detected of its arm.

    Args:
        xy: (T, 137, 2) detected points, pixels.
        weight: (T, 137) of the points, 0 where there is none.
        palm: (T, 2) pixels of the left and the right palm.
    """
    good = np.ones((len(xy), 4), dtype=bool)
    for hand, (side, part) in enumerate((("left", kp.LEFT_HAND), ("right", kp.RIGHT_HAND))):
        ends = [kp.NAMES.index(f"{side}_wrist"), part.start]
        apart = np.linalg.norm(xy[:, ends[0]] - xy[:, ends[1]], axis=-1)
        good[:, 1 + hand] = ~((weight[:, ends] > 0).all(1) & (apart > OFF_ARM * palm[:, hand]))
    return good


def interpolate_shots(rotations: np.ndarray, known: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Turn rotations (T, J, 3, 3) from each of the frames ``known`` (T,) to the next, shot by shot.

    Before the first and after the last known frame of a shot they stay; a shot without any keeps what it has.
    """
    out = rotations.copy()
    for start, stop in shots(starts):
        out[start:stop] = interpolate_rotations(rotations[start:stop], known[start:stop])
    return out


def shots(starts: np.ndarray) -> list[tuple[int, int]]:
    """Return first frame and end of each shot, from where shots begin (T,)."""
    edges = np.unique([0, *np.flatnonzero(starts), len(starts)]).tolist()
    return list(itertools.pairwise(edges))


def steps_between(frames: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return (n − 1,) how many frames lie from each of ``frames`` (n,) to the next; infinitely many across a cut."""
    shot = np.cumsum(starts)[frames]
    return np.where(np.diff(shot) > 0, np.inf, np.diff(frames).astype(float))


def interpolate_hands(state: State, targets: Targets, seconds: float) -> State:
    """Turn wrist and fingers evenly through the frames in which a hand is unseen for less than :data:`LONGEST`.

    The prior alone would open the hand and close it again within a quarter of a second.

    Args:
        state: as fitted.
        targets: that it was fitted to.
        seconds: a frame's length.
    """
    rotations = state.rotations.copy()
    for side, (first, wrist) in HANDS.items():
        part = kp.LEFT_HAND if side == "left" else kp.RIGHT_HAND
        joints = np.array([wrist, *range(first, first + 15)])
        shown = np.flatnonzero((targets.weight[:, part] > 0).any(1))
        steps = steps_between(shown, targets.starts)
        for before, after, step in zip(shown, shown[1:], steps, strict=False):
            if 1 < step <= LONGEST / seconds:
                gap = slice(before, after + 1)
                ends = np.zeros(after + 1 - before, dtype=bool)
                ends[[0, -1]] = True
                rotations[gap.start : gap.stop, joints] = interpolate_rotations(rotations[gap][:, joints], ends)
    return replace(state, rotations=rotations)
