"""Where the fit starts: a camera distance from the shoulders, then global orientation from the torso."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.points import JOINT_COUNT
from diffsign.fit.problem import Problem
from diffsign.fit.solve import minimise
from diffsign.fit.state import State, Variables
from diffsign.fit.targets import TORSO, Targets
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.records.keypoints import NAMES

LEFT_SHOULDER, RIGHT_SHOULDER, NOSE = (NAMES.index(n) for n in ("left_shoulder", "right_shoulder", "nose"))

#: Arms hanging with bent elbows, hands before the body: where signers start and end.
NEUTRAL = {16: (0.0, 0.0, -1.1), 17: (0.0, 0.0, 1.1), 18: (0.0, -1.2, 0.0), 19: (0.0, 1.2, 0.0)}

#: Shoulders narrower than this share of the clip's widest may belong to a signer who faces away.
NARROW = 0.5

CAMERA_STAGE = StageSettings.bare("camera", iterations=15, body_joints=1.0, temporal=2.0)


def usable_frames(targets: Targets) -> np.ndarray:
    """(T,) bool: at least three points of the torso are seen, a shoulder among them."""
    seen = targets.weight[:, TORSO] > 0
    shoulders = targets.weight[:, [LEFT_SHOULDER, RIGHT_SHOULDER]] > 0
    return (seen.sum(1) >= 3) & shoulders.any(1)


def _fill(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Interpolate (T, n) linearly over frames that are not ``known``, holding the ends."""
    at = np.arange(len(values))
    columns = [np.interp(at, at[known], column[known]) for column in values.T]
    return np.stack(columns, axis=1)


def first_state(problem: Problem, usable: np.ndarray) -> State:
    """Return the neutral pose, placed in every frame where the torso is seen."""
    model, targets, focal = problem.model, problem.targets, problem.view.focal
    frames = len(targets)
    rotvec = np.zeros((frames, JOINT_COUNT, 3))
    for joint, angles in NEUTRAL.items():
        rotvec[:, joint] = angles
    state = State(
        rotvec_to_rotmat(rotvec),
        np.zeros((frames, 3)),
        np.zeros((frames, model.n_expression)),
        np.zeros(model.n_betas),
        float(np.log(focal)),
    )
    points = problem.pose(state.frames(slice(1))).points[0]
    distances, anchors = [], np.zeros((frames, 2))
    torso = np.array(TORSO)
    weight = (targets.weight[:, torso] > 0).astype(float)
    for t in np.flatnonzero(usable):
        seen = torso[weight[t] > 0]
        flat = targets.xy[t, seen]
        anchors[t] = flat.mean(0) - problem.view.centre
        spread = np.sqrt(np.mean(np.sum((flat - flat.mean(0)) ** 2, -1)))
        solid = points[seen] - points[seen].mean(0)
        width = np.sqrt(np.mean(np.sum(solid[:, :2] ** 2, -1)))
        distances.append(focal * width / max(spread, 1.0))
    # A turned torso looks narrow and far: the nearer guesses are the right ones.
    distance = float(np.quantile(distances, 0.25))
    anchors = _fill(anchors, usable)
    middle = np.stack([points[torso[row > 0]].mean(0) if row.any() else points[torso].mean(0) for row in weight])
    camera = np.concatenate([anchors * distance / focal, np.full((frames, 1), distance)], axis=1)
    return replace(state, transl=camera @ problem.view.rotation - middle)


def orient(problem: Problem, state: State) -> State:
    """Find global orientation and translation from the torso, trying the turn by 180° where shoulders are narrow."""
    targets = problem.targets
    torso = np.zeros(targets.weight.shape[1])
    torso[TORSO] = 1
    problem = problem.with_targets(replace(targets, weight=targets.weight * torso))
    variables = Variables(np.array([0]), np.zeros(0, int))
    best = minimise(problem, state, CAMERA_STAGE, variables).state
    shoulders = targets.xy[:, LEFT_SHOULDER] - targets.xy[:, RIGHT_SHOULDER]
    both = (targets.weight[:, [LEFT_SHOULDER, RIGHT_SHOULDER]] > 0).all(1)
    width = np.linalg.norm(shoulders, axis=-1)
    doubtful = both & (width < NARROW * np.max(np.where(both, width, 0), initial=1.0))
    if both.sum() and np.median(shoulders[both, 0]) < 0:
        doubtful |= both
    if doubtful.any():
        rotations = state.rotations.copy()
        rotations[:, 0] = rotvec_to_rotmat(np.array([0.0, np.pi, 0.0])) @ rotations[:, 0]
        # From the start, not from where a wrong turn has led.
        pivot = problem.pose(state).points[:, TORSO].mean(1)
        other = replace(state, rotations=rotations)
        other = replace(other, transl=other.transl + pivot - problem.pose(other).points[:, TORSO].mean(1))
        other = minimise(problem, other, CAMERA_STAGE, variables).state
        better = doubtful & (frame_error(problem, other) < frame_error(problem, best))
        best = other.where(better, best)
    return best


def frame_error(problem: Problem, state: State) -> np.ndarray:
    """(T,) weighted sum of squared image distances."""
    pixels, _ = problem.view.project(problem.pose(state).points, state.log_focal)
    squared = np.sum((pixels - problem.targets.xy) ** 2, axis=-1)
    return np.sum(problem.targets.weight**2 * squared, axis=-1)
