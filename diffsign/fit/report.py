"""The record of a fit, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.fit.problem import NEAREST, Problem
from diffsign.fit.state import State
from diffsign.fit.unseen import hands_on_arms, parts_explained, parts_seen
from diffsign.geometry.camera import Camera
from diffsign.geometry.rotations import rotmat_to_rotvec
from diffsign.records import keypoints as kp
from diffsign.records.keypoints import Keypoints
from diffsign.records.motion import Motion
from diffsign.records.shots import shot_starts


@dataclass(frozen=True)
class FitReport:
    """How good a fit is.

    Attributes:
        body: mean distance in pixels between fitted and detected points.
        hands: the same of both hands.
        face: the same of the face.
        flagged: frames that are not to be trusted at all.
        guessed: frames in which the left and the right hand are guessed.
    """

    body: float
    hands: float
    face: float
    flagged: tuple[int, ...]
    guessed: dict[str, tuple[int, ...]]

    def summary(self) -> str:
        """Return the line that the command prints."""
        flagged = f"{len(self.flagged)} frames flagged" + (f" ({_ranges(self.flagged)})" if self.flagged else "")
        hands = [f"{side} hand guessed in {len(at)} ({_ranges(at)})" for side, at in self.guessed.items() if at]
        errors = f"mean error: body {self.body:.2f} px, hands {self.hands:.2f} px, face {self.face:.2f} px"
        return "; ".join([errors, flagged, *hands])


def _ranges(numbers: tuple[int, ...]) -> str:
    groups: list[list[int]] = []
    for n in numbers:
        if groups and n == groups[-1][1] + 1:
            groups[-1][1] = n
        else:
            groups.append([n, n])
    words = [str(a) if a == b else f"{a}-{b}" for a, b in groups]
    return ", ".join(words[:8]) + (", …" if len(words) > 8 else "")


def finish(
    problem: Problem, state: State, keypoints: Keypoints, usable: np.ndarray, body: str
) -> tuple[Motion, FitReport]:
    """Turn the state into the record, measure it, and flag frames that no number can be trusted in."""
    points = problem.pose(state).points
    pixels, _ = problem.view.project(points, state.log_focal)
    error = np.linalg.norm(pixels - problem.targets.xy, axis=-1)
    weight = problem.targets.weight
    finite = np.isfinite(error).all(-1)
    capped = np.minimum(np.nan_to_num(error, nan=np.inf), problem.terms.robust_scale * problem.view.pixel)
    residual = np.sum(weight * capped, -1) / np.maximum(weight.sum(-1), 1e-9)
    valid = usable & finite

    def mean(part: slice | list[slice]) -> float:
        parts = part if isinstance(part, list) else [part]
        w = np.concatenate([weight[valid][:, p] for p in parts], 1)
        e = np.concatenate([error[valid][:, p] for p in parts], 1)
        return float(np.sum(w * e) / w.sum()) if w.sum() else float("nan")

    seen = parts_seen(keypoints, weight) & believed(problem, points, state.log_focal, error)
    motion = Motion.rest(
        len(weight),
        Camera.facing(keypoints.width, keypoints.height, float(np.exp(state.log_focal))),
        keypoints.fps,
        problem.model.n_betas,
        problem.model.n_expression,
        body,
    )
    motion = motion.with_pose(
        rotmat_to_rotvec(state.rotations),
        transl=state.transl.astype(np.float32),
        expression=state.expression.astype(np.float32),
        betas=state.betas.astype(np.float32),
        residual=residual.astype(np.float32),
        valid=valid,
        seen=seen,
        starts=shot_starts(keypoints),
    )
    guessed = {side: tuple(np.flatnonzero(~seen[:, 1 + n]).tolist()) for n, side in enumerate(("left", "right"))}
    report = FitReport(
        body=mean(kp.BODY),
        hands=mean([kp.LEFT_HAND, kp.RIGHT_HAND]),
        face=mean(kp.FACE),
        flagged=tuple(np.flatnonzero(~valid).tolist()),
        guessed=guessed,
    )
    return motion, report


def believed(problem: Problem, points: np.ndarray, log_focal: float, error: np.ndarray) -> np.ndarray:
    """Return (T, 4) bool, whether body, hands and face are where they were detected, and hands at their arms.

    Args:
        problem: that was solved.
        points: (T, 137, 3) fitted, metres.
        log_focal: logarithm of the focal length in pixels.
        error: (T, 137) pixels between fitted and detected points.
    """
    knuckle = 9
    lengths = []
    for part in (kp.LEFT_HAND, kp.RIGHT_HAND):
        metres = np.linalg.norm(points[:, part.start + knuckle] - points[:, part.start], axis=-1)
        depth = np.maximum((points[:, part.start] @ problem.view.rotation.T)[:, 2], NEAREST)
        lengths.append(metres * np.exp(log_focal) / depth)
    palm, weight = np.stack(lengths, axis=1), problem.targets.weight
    explained = parts_explained(np.nan_to_num(error, nan=np.inf), weight, palm)
    return explained & hands_on_arms(problem.targets.xy, weight, palm)
