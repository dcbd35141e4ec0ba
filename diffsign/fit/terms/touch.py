"""Hands that seem to touch do: what one picture cannot tell of depth, a small gap in it can.

Where a hand lies over the face or over the other hand in the picture, and is fitted near it, the two most often touch:
signs make contact far more often than they hover. The deepest point of the hand over the face, and the nearest pair of
the two hands, are drawn together in depth. Which do is decided once, by what was fitted without this term: depth is so
weakly held that a kernel's tail would draw in hands that sign before the face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.derivatives import GROUPS, PointDerivatives
from diffsign.fit.problem import Evaluation
from diffsign.fit.state import Variables
from diffsign.fit.targets import TOUCHING
from diffsign.fit.terms.base import Jacobian, Residual
from diffsign.records import keypoints as kp

#: From a hand's point to its skin, and between the points of two hands that touch: metres.
SKIN, BETWEEN = 0.008, 0.016
#: What is fitted so near touches: metres, from a face and from another hand.
NEAR = (0.07, 0.07, 0.05)
UNIT = 0.01
#: Groups of :data:`diffsign.fit.derivatives.GROUPS` that may touch, as :data:`diffsign.fit.targets.TOUCHING` has them.
PAIRS = tuple((GROUPS.index(first), first, GROUPS.index(second), second) for first, second in TOUCHING)


@dataclass(frozen=True)
class Gaps:
    """The gap of one pair of parts in the frames in which they lie over each other.

    Attributes:
        frames: (n,) they.
        first: (n,) the hand's point, from its part's first.
        second: (n,) the other part's point, likewise.
        sign: (n,) 1 where the first is before the second, −1 behind.
        metres: (n,) less what lies between points that touch.
    """

    frames: np.ndarray
    first: np.ndarray
    second: np.ndarray
    sign: np.ndarray
    metres: np.ndarray


def find_gaps(at: Evaluation, first: slice, second: slice, over: np.ndarray) -> Gaps:
    """Return the gaps in depth between a hand and what it lies over; ``over`` (T, n, m) bool says where."""
    frames = np.flatnonzero(over.any((1, 2)))
    depth = at.projection[1][frames, :, 2]
    apart = depth[:, None, second] - depth[:, first, None]
    face = second == kp.FACE
    ranked = np.where(over[frames], apart if face else np.abs(apart), np.inf)
    chosen = ranked.reshape(len(frames), over[0].size).argmin(1)
    rows, columns = np.unravel_index(chosen, over.shape[1:])
    apart = apart[np.arange(len(frames)), rows, columns]
    sign = np.ones(len(frames)) if face else np.sign(apart)
    gap = sign * apart - (SKIN if face else BETWEEN)
    return Gaps(frames, rows, columns, sign, gap if face else np.maximum(gap, 0.0))


def touching_gaps(at: Evaluation) -> list[Gaps]:
    """Return the gaps of each pair in the frames in which it touches."""
    pairs = zip(TOUCHING, at.targets.overlaps, at.targets.touching.T, strict=True)
    return [find_gaps(at, *parts, over & touches[:, None, None]) for parts, over, touches in pairs]


def find_touches(at: Evaluation) -> np.ndarray:
    """Return (T, 3) bool, which of :data:`TOUCHING` are fitted so near each other that they touch."""
    out = np.zeros((len(at.state.transl), len(TOUCHING)), dtype=bool)
    for pair, (parts, over) in enumerate(zip(TOUCHING, at.targets.overlaps, strict=True)):
        gaps = find_gaps(at, *parts, over)
        out[gaps.frames, pair] = gaps.metres < NEAR[pair]
    return out


class Touch:
    """Gaps between hands and face and between the hands, in centimetres."""

    def points(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return hands and face."""
        out = np.zeros(at.problem.model.count, dtype=bool)
        for part in (kp.LEFT_HAND, kp.RIGHT_HAND, kp.FACE):
            out[part] = bool(stage.touch)
        return out

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return one residual for each pair."""
        if not stage.touch:
            return []
        out = []
        for gaps in touching_gaps(at):
            values = np.zeros((len(at.state.transl), 1, 1))
            values[gaps.frames, 0, 0] = gaps.metres / UNIT
            out.append(Residual(values, stage.touch**2))
        return out

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return one Jacobian for each pair."""
        if not stage.touch:
            return []
        ahead, out = at.problem.view.rotation[2], []
        for (one, first, other, second), gaps in zip(PAIRS, touching_gaps(at), strict=True):
            rows = np.zeros((len(at.state.transl), variables.total))
            slope = gaps.sign * (gaps.metres != 0) / UNIT
            for factor, group, part, point in ((-1.0, one, first, gaps.first), (1.0, other, second, gaps.second)):
                points, columns, values = derivatives.group(group)
                place = np.searchsorted(points, part.start + point)
                moved = np.einsum("x,txc->tc", ahead, values[gaps.frames, place])
                rows[np.ix_(gaps.frames, columns[columns >= 0])] += factor * slope[:, None] * moved[:, columns >= 0]
            out.append(Jacobian(np.arange(variables.total)[None], rows[:, None, None]))
        return out
