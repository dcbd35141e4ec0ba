"""The steps of cleaning, in order, shot by shot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from diffsign.clean.cuts import find_cuts
from diffsign.clean.gaps import gaps_with, interpolate_beside, interpolate_confidence, interpolate_gaps
from diffsign.clean.outliers import LONGEST, find_glitches, find_outliers
from diffsign.clean.scale import NUMBER, PALM_M, Scale, measure
from diffsign.clean.smoothing import NEAR, WIDE, smooth
from diffsign.clean.swaps import HANDS, LEFT_ARM, RIGHT_ARM, exchange, find_swaps
from diffsign.config.clean import CleanSettings
from diffsign.records.keypoints import BODY, COUNT, FACE, LEFT_HAND, RIGHT_HAND, Change, Keypoints
from diffsign.records.shots import mark_cuts, shot_starts

#: Points whose noise is measured together.
NOISE_GROUPS = (BODY, LEFT_HAND, RIGHT_HAND, FACE)
#: Frames that are filtered at once, beside what they need of their neighbours.
WINDOW = 512
#: A wrist so many palms beyond the edge has its hand out of the picture; body networks miss a wrist by less.
AWAY = 0.5
#: A point that smoothing moves less than this many pixels counts as unchanged.
UNCHANGED = 0.01


@dataclass
class Shot:
    """One shot while it is cleaned.

    Attributes:
        xy: (T, 137, 2) pixels, NaN where missing.
        confidence: (T, 137), 0 where missing.
        world: (T, 137, 3) metres, NaN where missing.
        world_confidence: (T, 137), 0 where missing.
        changes: (T, 137) bits of :class:`Change`.
    """

    xy: np.ndarray
    confidence: np.ndarray
    world: np.ndarray
    world_confidence: np.ndarray
    changes: np.ndarray

    def __len__(self) -> int:
        return len(self.xy)

    def part(self, start: int, stop: int, dtype: type[np.floating] = np.float32) -> Shot:
        """Return a copy of the frames from ``start`` to ``stop``, in another precision if that is asked for."""
        values = (self.xy, self.confidence, self.world, self.world_confidence)
        xy, confidence, world, world_confidence = (value[start:stop].astype(dtype) for value in values)
        return Shot(xy, confidence, world, world_confidence, self.changes[start:stop].copy())

    def write(self, start: int, part: Shot) -> None:
        """Put a part back that begins at frame ``start``."""
        for name in Shot.__dataclass_fields__:
            getattr(self, name)[start : start + len(part)] = getattr(part, name)

    def swap(self, swapped: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
        """Exchange points ``left`` and ``right`` of 2D and 3D in the frames ``swapped`` (T,)."""
        for name in ("xy", "confidence", "world", "world_confidence", "changes"):
            setattr(self, name, exchange(getattr(self, name), swapped, left, right))
        for side in (left, right):
            self.changes[np.flatnonzero(swapped)[:, None], side] |= Change.SWAPPED

    def remove(self, bad: np.ndarray) -> None:
        """Make the points ``bad`` (T, 137) missing in 2D and 3D."""
        self.xy[bad] = np.nan
        self.world[bad] = np.nan
        self.confidence[bad] = 0
        self.world_confidence[bad] = 0
        self.changes[bad] |= Change.OUTLIER


def _undo_swaps(shot: Shot, scale: Scale) -> None:
    arms = find_swaps(shot.xy[:, LEFT_ARM], shot.xy[:, RIGHT_ARM], scale.body)
    shot.swap(arms, LEFT_ARM, RIGHT_ARM)
    wrists = shot.xy[:, NUMBER["left_wrist"]], shot.xy[:, NUMBER["right_wrist"]]
    hands = find_swaps(shot.xy[:, HANDS[0]], shot.xy[:, HANDS[1]], max(scale.body, scale.hand), anchors=wrists)
    shot.swap(hands, *HANDS)


def _fill(shot: Shot, longest: int, size: tuple[int, int], margin: float) -> None:
    known, known_world = np.isfinite(shot.xy[..., 0]), np.isfinite(shot.world[..., 0])
    for part, wrist in ((BODY, None), (LEFT_HAND, "left_wrist"), (RIGHT_HAND, "right_wrist"), (FACE, None)):
        points = shot.xy[:, part]
        shot.world[:, part] = interpolate_gaps(shot.world[:, part], longest)
        if wrist is None:
            shot.xy[:, part] = interpolate_gaps(points, longest)
            continue
        at_wrist, found = shot.xy[:, NUMBER[wrist]], known[:, part].any(axis=1)
        shot.xy[:, part] = interpolate_beside(points, at_wrist, longest)
        # A hand that left the picture and came back did not pass through it.
        beyond = ((at_wrist < -margin) | (at_wrist > np.array(size) + margin)).any(axis=1)
        away = gaps_with(~found & beyond, found)
        shot.xy[away, part], shot.world[away, part] = np.nan, np.nan
    filled = np.isfinite(shot.xy[..., 0]) & ~known
    shot.confidence = interpolate_confidence(shot.confidence, known, filled)
    filled_world = np.isfinite(shot.world[..., 0]) & ~known_world
    shot.world_confidence = interpolate_confidence(shot.world_confidence, known_world, filled_world)
    shot.changes[filled] |= Change.FILLED


def _smooth(shot: Shot, fps: float, strength: float) -> None:
    before = shot.xy.copy()
    for part in NOISE_GROUPS:
        shot.xy[:, part] = smooth(shot.xy[:, part], shot.confidence[:, part], fps, strength)
        # Depth is far noisier than the picture's plane, so it is judged by itself.
        for axes in (slice(0, 2), slice(2, 3)):
            track, weights = shot.world[:, part, axes], shot.world_confidence[:, part]
            shot.world[:, part, axes] = smooth(track, weights, fps, strength)
    moved = np.linalg.norm(shot.xy - before, axis=-1) > UNCHANGED
    shot.changes[moved] |= Change.SMOOTHED


def _prepare(keypoints: Keypoints, min_confidence: float) -> Shot:
    """Return the whole clip as one shot, float32, with what is too unsure missing."""
    missing = (keypoints.confidence < max(min_confidence, 1e-6)) | ~np.isfinite(keypoints.xy).all(axis=-1)
    world = np.zeros((len(keypoints), COUNT, 4), np.float32) if keypoints.world is None else keypoints.world
    no_world = (world[..., 3] <= 0) | ~np.isfinite(world).all(axis=-1) | missing
    return Shot(
        xy=np.where(missing[..., None], np.float32(np.nan), keypoints.xy),
        confidence=np.where(missing, np.float32(0), keypoints.confidence),
        world=np.where(no_world[..., None], np.float32(np.nan), world[..., :3]),
        world_confidence=np.where(no_world, np.float32(0), world[..., 3]),
        changes=np.zeros(missing.shape, dtype=np.uint8),
    )


def _filter(shot: Shot, scale: Scale, fps: float, size: tuple[int, int], settings: CleanSettings) -> Shot:
    """Return a shot without outliers, filled and smoothed, window by window, so that memory does not grow with it."""
    longest = int(settings.max_gap * fps + 1e-6)
    margin = int(fps * (settings.max_gap + LONGEST + 2 * WIDE * max(1.0, settings.smoothing))) + NEAR + 8
    out = shot.part(0, len(shot))
    for start in range(0, len(shot), WINDOW):
        stop = min(start + WINDOW, len(shot))
        first = max(0, start - margin)
        window = shot.part(first, stop + margin, np.float64)
        window.remove(find_outliers(window.xy, fps, scale))
        _fill(window, longest, size, AWAY * PALM_M * max(scale.body, scale.hand))
        _smooth(window, fps, settings.smoothing)
        out.write(start, window.part(start - first, stop - first))
    return out


def clean_keypoints(keypoints: Keypoints, settings: CleanSettings) -> Keypoints:
    """Clean the keypoints of a clip.

    Within each shot: arms and hands that were taken for each other are put back, impossible points are
    taken out, gaps up to ``max_gap`` are filled and the rest is smoothed, in 2D and in ``world`` alike. A hand
    that was out of the picture in between stays missing.

    Args:
        keypoints: as detected.
        settings: limits and strength.

    Returns:
        Keypoints with ``changes`` set to bits of :class:`Change`. Filled points have half the lower
        confidence of the points beside their gap; what stays missing has confidence 0.
    """
    fps, size = keypoints.fps, (keypoints.width, keypoints.height)
    whole = _prepare(keypoints, settings.min_confidence)
    scale = measure(whole.xy, *size)
    marked = np.flatnonzero(shot_starts(keypoints))[1:]
    cuts = np.union1d(marked, find_cuts(whole.xy, fps, scale.body)).astype(int)
    for start, stop in pairwise([0, *cuts.tolist(), len(keypoints)]):
        shot = whole.part(start, stop)
        if len(cuts):
            scale = measure(shot.xy, *size)
        shot.remove(find_glitches(shot.xy, fps, scale))
        _undo_swaps(shot, scale)
        whole.write(start, _filter(shot, scale, fps, size, settings))
    points = np.concatenate([np.nan_to_num(whole.xy), whole.confidence[..., None]], axis=-1)
    world = None
    if keypoints.world is not None:
        world = np.concatenate([np.nan_to_num(whole.world), whole.world_confidence[..., None]], axis=-1)
    return keypoints.with_points(points, changes=mark_cuts(whole.changes, cuts), world=world)
