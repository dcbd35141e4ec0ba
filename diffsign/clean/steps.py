"""The steps of cleaning, in order, shot by shot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from diffsign.clean.cuts import find_cuts
from diffsign.clean.gaps import interpolate_beside, interpolate_confidence, interpolate_gaps
from diffsign.clean.outliers import find_glitches, find_outliers
from diffsign.clean.scale import NUMBER, Scale, measure
from diffsign.clean.smoothing import smooth
from diffsign.clean.swaps import HANDS, LEFT_ARM, RIGHT_ARM, exchange, find_swaps
from diffsign.config.clean import CleanSettings
from diffsign.records.keypoints import BODY, COUNT, FACE, LEFT_HAND, RIGHT_HAND, Change, Keypoints
from diffsign.records.shots import mark_cuts, shot_starts

#: Points whose noise is measured together.
NOISE_GROUPS = (BODY, LEFT_HAND, RIGHT_HAND, FACE)
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


def _fill(shot: Shot, longest: int) -> None:
    known, known_world = np.isfinite(shot.xy[..., 0]), np.isfinite(shot.world[..., 0])
    for part, wrist in ((BODY, None), (LEFT_HAND, "left_wrist"), (RIGHT_HAND, "right_wrist"), (FACE, None)):
        points = shot.xy[:, part]
        shot.xy[:, part] = (
            interpolate_beside(points, shot.xy[:, NUMBER[wrist]], longest)
            if wrist
            else interpolate_gaps(points, longest)
        )
        shot.world[:, part] = interpolate_gaps(shot.world[:, part], longest)
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


def clean_keypoints(keypoints: Keypoints, settings: CleanSettings) -> Keypoints:
    """Clean the keypoints of a clip.

    Within each shot: arms and hands that were taken for each other are put back, impossible points are
    taken out, gaps up to ``max_gap`` are filled and the rest is smoothed, in 2D and in ``world`` alike.

    Args:
        keypoints: as detected.
        settings: limits and strength.

    Returns:
        Keypoints with ``changes`` set to bits of :class:`Change`. Filled points have half the lower
        confidence of the points beside their gap; what stays missing has confidence 0.
    """
    xy = keypoints.xy.astype(np.float64)
    confidence = keypoints.confidence.astype(np.float64)
    missing = (confidence < max(settings.min_confidence, 1e-6)) | ~np.isfinite(xy).all(axis=-1)
    world = np.zeros((len(keypoints), COUNT, 4)) if keypoints.world is None else keypoints.world.astype(np.float64)
    no_world = (world[..., 3] <= 0) | ~np.isfinite(world).all(axis=-1) | missing
    whole = Shot(
        xy=np.where(missing[..., None], np.nan, xy),
        confidence=np.where(missing, 0.0, confidence),
        world=np.where(no_world[..., None], np.nan, world[..., :3]),
        world_confidence=np.where(no_world, 0.0, world[..., 3]),
        changes=np.zeros(missing.shape, dtype=np.uint8),
    )
    scale = measure(whole.xy, keypoints.width, keypoints.height)
    longest = int(settings.max_gap * keypoints.fps + 1e-6)
    marked = np.flatnonzero(shot_starts(keypoints))[1:]
    cuts = np.union1d(marked, find_cuts(whole.xy, keypoints.fps, scale.body)).astype(int)
    bounds = [0, *cuts.tolist(), len(keypoints)]
    for start, stop in pairwise(bounds):
        shot = Shot(*(getattr(whole, name)[start:stop].copy() for name in Shot.__dataclass_fields__))
        if len(cuts):
            scale = measure(shot.xy, keypoints.width, keypoints.height)
        shot.remove(find_glitches(shot.xy, keypoints.fps, scale))
        _undo_swaps(shot, scale)
        shot.remove(find_outliers(shot.xy, keypoints.fps, scale))
        _fill(shot, longest)
        _smooth(shot, keypoints.fps, settings.smoothing)
        for name in Shot.__dataclass_fields__:
            getattr(whole, name)[start:stop] = getattr(shot, name)
    points = np.concatenate([np.nan_to_num(whole.xy), whole.confidence[..., None]], axis=-1)
    metric = np.concatenate([np.nan_to_num(whole.world), whole.world_confidence[..., None]], axis=-1)
    return keypoints.with_points(
        points,
        changes=mark_cuts(whole.changes, cuts),
        world=None if keypoints.world is None else metric.astype(np.float32),
    )
