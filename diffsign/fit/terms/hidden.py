"""A hand that nobody sees is not in the picture: one that the detector misses below an edge stays beyond it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.derivatives import ROW_TYPE, PointDerivatives
from diffsign.fit.problem import NEAREST, Evaluation
from diffsign.fit.state import Variables
from diffsign.fit.terms.base import Jacobian, Residual
from diffsign.records import keypoints as kp

#: Wrist, middle finger's knuckle and the finger tips of a hand's 21 points.
OUTLINE = np.array([0, 4, 8, 9, 12, 16, 20])
#: Groups of :data:`diffsign.fit.derivatives.GROUPS` that are hands.
HANDS = ((1, kp.LEFT_HAND), (2, kp.RIGHT_HAND))
#: Hands leave downwards: a side's edge counts as so many times as far.
SIDEWAYS = 2.0


class HiddenHand:
    """How far the points of unseen hands are inside the picture, in thousandths of its height.

    Hands that may be hidden by the body or the other hand are left alone (:attr:`Targets.hidden`).
    """

    def _inside(self, at: Evaluation, part: slice, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return depths (n, P) inside the picture in pixels, and the direction (n, P, 2) in which they grow."""
        pixels = at.projection[0][frames][:, part.start + OUTLINE]
        width, height = 2 * at.problem.view.centre
        distance = np.stack([height - pixels[..., 1], pixels[..., 0], width - pixels[..., 0]], axis=-1)
        edge = (distance * np.array([1.0, SIDEWAYS, SIDEWAYS])).argmin(-1)
        depth = np.take_along_axis(distance, edge[..., None], axis=-1)[..., 0]
        outside = (distance < 0).any(-1) | (pixels[..., 1] < 0)
        growth = np.array([[0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])[edge]
        return np.where(outside, 0.0, depth), np.where(outside[..., None], 0.0, growth)

    def points(self, at: Evaluation, stage: StageSettings) -> np.ndarray:
        """Return the outlines of the hands that are hidden in some frame."""
        out = np.zeros(at.problem.model.count, dtype=bool)
        for hand, (_, part) in enumerate(HANDS):
            out[part.start + OUTLINE] = bool(stage.hidden) and at.targets.hidden[:, hand].any()
        return out

    def residuals(self, at: Evaluation, stage: StageSettings) -> Sequence[Residual]:
        """Return one residual for each hand that is hidden in some frame."""
        if not stage.hidden:
            return []
        out = []
        for hand, (_, part) in enumerate(HANDS):
            hidden = at.targets.hidden[:, hand]
            if hidden.any():
                values = np.zeros((len(hidden), len(OUTLINE)))
                values[hidden] = self._inside(at, part, np.flatnonzero(hidden))[0] / at.problem.view.pixel
                out.append(Residual(values[..., None], stage.hidden**2))
        return out

    def jacobians(
        self, at: Evaluation, stage: StageSettings, variables: Variables, derivatives: PointDerivatives
    ) -> Sequence[Jacobian]:
        """Return one Jacobian for each hand that is hidden in some frame."""
        if not stage.hidden:
            return []
        view, focal, out = at.problem.view, np.exp(at.state.log_focal), []
        for hand, (group, part) in enumerate(HANDS):
            frames = np.flatnonzero(at.targets.hidden[:, hand])
            if not len(frames):
                continue
            points, columns, values = derivatives.group(group)
            kept = np.searchsorted(points, part.start + OUTLINE)
            growth = self._inside(at, part, frames)[1] / view.pixel
            in_camera = at.projection[1][frames][:, part.start + OUTLINE]
            depth = np.maximum(in_camera[..., 2:], NEAREST)
            slope = np.concatenate(
                [growth * focal / depth, -np.sum(growth * in_camera[..., :2], -1, keepdims=True) * focal / depth**2], -1
            )
            rows = np.zeros((len(values), len(OUTLINE), len(columns)), dtype=ROW_TYPE)
            along = (slope @ view.rotation).astype(ROW_TYPE)
            rows[frames] = (along[..., None, :] @ values[frames][:, kept])[..., 0, :]
            if variables.focal:
                rows[frames, :, -1] = np.sum(growth * in_camera[..., :2], -1) * focal / depth[..., 0]
            out.append(Jacobian(columns[None], rows[:, None]))
        return out
