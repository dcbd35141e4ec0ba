"""Where the arms start: each frame's likeliest of the poses that look alike in the picture.

Upper arm and forearm of known length may each point towards the camera or away from it and look the same, so a
frame has four candidates, and a fifth where the detector guesses directions in 3D. The cheapest path through the
frames, by the prior, the detector's guess and the distance between neighbours, is found by Viterbi's algorithm.
"""

from __future__ import annotations

import numpy as np

from diffsign.fit.problem import Problem
from diffsign.fit.state import State
from diffsign.fit.targets import BONES, Targets
from diffsign.fit.unseen import interpolate_shots, shots, steps_between
from diffsign.geometry.paths import cheapest_path
from diffsign.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.records.keypoints import NAMES

#: Collar, shoulder, elbow, wrist, which way the resting arm points along x.
CHAINS = {"left": (13, 16, 18, 20, 1.0), "right": (14, 17, 19, 21, -1.0)}
#: Rotation vectors of the left shoulder and elbow of an arm that hangs.
HANGING = ((0.0, -0.1, -1.3), (0.0, -0.3, 0.0))
#: An arm that is unknown for so many frames before and after hangs, or lies in the lap.
REST_AFTER = 8
#: Cost of a radian between a candidate and the detector's direction, and between neighbouring frames.
GUESS_COST, CHANGE_COST = 8.0, 4.0
#: Below this sine of the elbow's bend its plane says nothing about the upper arm's twist.
STRAIGHT = 0.25


def initialise_arms(problem: Problem, state: State) -> State:
    """Return the state with shoulders and elbows set from what is seen of each arm."""
    rotations = state.rotations.copy()
    posed = problem.pose(state)
    for side, (collar, shoulder, elbow, _, sign) in CHAINS.items():
        names = [NAMES.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist")]
        known = (problem.targets.weight[:, names] > 0).all(1)
        arm = [shoulder, elbow]
        resting = far_from(known, problem.targets.starts)
        rotations[np.flatnonzero(resting)[:, None], arm] = rotvec_to_rotmat(np.array(HANGING) * [1.0, sign, sign])
        if not known.any():
            continue
        frames = np.flatnonzero(known)
        directions, penalty = candidates(problem, state, side, names, frames)
        parent = posed.rotations[frames, collar][:, None]
        inner = np.swapaxes(parent, -1, -2) @ directions.swapaxes(-1, -2)
        shoulders, elbows = arm_rotations(np.swapaxes(inner, -1, -2), sign)
        cost = penalty + prior_cost(problem, rotations[frames], shoulder, elbow, shoulders, elbows)
        steps = steps_between(frames, problem.targets.starts)
        path = steady_path(cost, directions.reshape(*directions.shape[:2], 6), steps)
        rows = np.arange(len(frames))
        rotations[frames, shoulder], rotations[frames, elbow] = shoulders[rows, path], elbows[rows, path]
        rotations[:, arm] = interpolate_shots(rotations[:, arm], known | resting, problem.targets.starts)
    return State(rotations, state.transl, state.expression, state.betas, state.log_focal)


def far_from(known: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return (T,) bool, the frames that are far from any frame of their shot that is ``known`` (T,)."""
    out = np.zeros(len(known), dtype=bool)
    for start, stop in shots(starts):
        at = np.flatnonzero(known[start:stop])
        frames = np.arange(stop - start)
        nearest = np.abs(frames[:, None] - at).min(1) if len(at) else np.full(len(frames), len(frames) + REST_AFTER)
        out[start:stop] = nearest >= REST_AFTER
    return out


def candidates(
    problem: Problem, state: State, side: str, names: list[int], frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return directions (n, C, 2, 3) of upper arm and forearm in the world, and what each disagrees with (n, C)."""
    targets: Targets = problem.targets
    points = problem.pose(state).points[frames][:, names]
    length = np.linalg.norm(np.diff(points, axis=1), axis=-1)
    depth = np.maximum(-points[:, 0, 2], 0.1)
    flat = np.diff(targets.xy[frames][:, names], axis=1) * (depth / np.exp(state.log_focal))[:, None, None]
    flat = flat / length[..., None]
    plane = np.linalg.norm(flat, axis=-1, keepdims=True)
    flat = np.where(plane > 1, flat / np.maximum(plane, 1e-9), flat)
    away = np.sqrt(np.clip(1 - np.sum(flat**2, -1), 0.0, 1.0))
    options = []
    for upper in (1, -1):
        for fore in (1, -1):
            camera = np.concatenate([flat, (away * np.array([upper, fore]))[..., None]], axis=-1)
            options.append(camera @ problem.view.rotation)
    bones = [BONES.index((names[0], names[1])), BONES.index((names[1], names[2]))]
    guess, sure = targets.direction[frames][:, bones], targets.direction_weight[frames][:, bones]
    if sure.any():
        options.append(np.where((sure > 0)[..., None], guess, options[0]))
    stacked = np.stack(options, axis=1)
    angle = np.arccos(np.clip(np.sum(stacked * guess[:, None], -1), -1, 1))
    return stacked, GUESS_COST * np.sum(sure[:, None] * angle**2, -1)


def arm_rotations(directions: np.ndarray, sign: float) -> tuple[np.ndarray, np.ndarray]:
    """Return local rotations (..., 3, 3) of shoulder and elbow that lay the arm along ``directions`` (..., 2, 3).

    The elbow bends about the axis across the resting arm only; the upper arm's twist turns that axis into place.
    A nearly straight arm gets the twist that a swing from rest gives.

    Args:
        directions: unit vectors of upper arm and forearm in the collar's frame.
        sign: 1 for the left arm, which rests along +x, −1 for the right.
    """
    upper, fore = directions[..., 0, :], directions[..., 1, :]
    rest = np.broadcast_to(np.array([sign, 0.0, 0.0]), upper.shape)
    axis = np.cross(rest, upper)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, np.sum(rest * upper, -1, keepdims=True))
    swing = rotvec_to_rotmat(axis / np.maximum(sine, 1e-9) * angle)
    hinge_rest = -sign * swing[..., :, 1]
    bend_axis = np.cross(upper, fore)
    size = np.linalg.norm(bend_axis, axis=-1, keepdims=True)
    share = np.clip(size / STRAIGHT, 0, 1)
    hinge = share * bend_axis / np.maximum(size, 1e-9) + (1 - share) * hinge_rest
    hinge -= np.sum(hinge * upper, -1, keepdims=True) * upper
    hinge /= np.maximum(np.linalg.norm(hinge, axis=-1, keepdims=True), 1e-9)
    x, y = sign * upper, -sign * hinge
    shoulder = np.stack([x, y, np.cross(x, y)], axis=-1)
    bend = np.arctan2(size[..., 0], np.sum(upper * fore, -1))
    elbow = rotvec_to_rotmat(np.stack([np.zeros_like(bend), -sign * bend, np.zeros_like(bend)], axis=-1))
    return shoulder, elbow


def prior_cost(
    problem: Problem, rotations: np.ndarray, shoulder: int, elbow: int, shoulders: np.ndarray, elbows: np.ndarray
) -> np.ndarray:
    """Return (n, C) what the prior says of each candidate."""
    n, count = shoulders.shape[:2]
    pose = np.repeat(rotmat_to_rotvec(rotations), count, axis=0)
    pose[:, shoulder] = rotmat_to_rotvec(shoulders).reshape(-1, 3)
    pose[:, elbow] = rotmat_to_rotvec(elbows).reshape(-1, 3)
    return (problem.terms.body.cost(pose) + problem.terms.bending.cost(pose)).reshape(n, count)


def steady_path(cost: np.ndarray, features: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Return (n,) the choices whose cost (n, C) and squared changes of ``features`` (n, C, F) are least in sum.

    Changes count by the frames between, ``gaps`` (n − 1,): not at all where they are infinite.
    """
    change = np.sum((features[:-1, :, None] - features[1:, None]) ** 2, -1)
    return cheapest_path(cost, 4 * CHANGE_COST / gaps[:, None, None] * change)
