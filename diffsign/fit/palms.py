"""Where the hands start: each frame's likeliest of the palm orientations that look alike in the picture.

A palm is a rigid, nearly flat set of points, and a flat thing seen from afar looks the same from two sides. Every
frame's palm is therefore turned into place from several starts; the best of them are refined together with the
fingers; and the cheapest path through the frames is taken, as for the arms.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.arms import steady_path
from diffsign.fit.fingers import initialise_fingers
from diffsign.fit.hinges import HANDS
from diffsign.fit.problem import Problem
from diffsign.fit.solve import minimise_each
from diffsign.fit.state import State, Variables
from diffsign.fit.targets import BONES, Targets
from diffsign.fit.unseen import interpolate_shots, steps_between
from diffsign.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat, skew
from diffsign.geometry.skeleton import PARENTS
from diffsign.records import keypoints as kp

#: Wrist rotations to start from: turn about the forearm, then bend, radians.
TWISTS, BENDS = (-1.6, -0.8, 0.0, 0.8, 1.6), (-0.6, 0.6)
#: Points of the palm among a hand's 21: wrist and the first joints of thumb and fingers.
PALM = np.array([0, 1, 5, 9, 13, 17])
#: How many orientations of a palm are refined with the fingers, and how far apart they must be (radians).
KEPT, APART = 2, 0.5
PALM_STEPS, WRIST_SIGMA = 8, 0.6

HAND_STAGE = StageSettings.bare(
    "hand", iterations=6, body_prior=1.0, hand_prior=3.0, hand_joints=2.0, hand_depth=6.0, limits=20.0
)


def initialise_hands(problem: Problem, state: State) -> State:
    """Return the state with wrists and fingers set from what is seen of each hand."""
    for side, (first, wrist) in HANDS.items():
        part = kp.LEFT_HAND if side == "left" else kp.RIGHT_HAND
        seen = (problem.targets.weight[:, part] > 0).sum(1) >= 8
        if seen.any():
            state = initialise_hand(problem, state, part, first, wrist, np.flatnonzero(seen))
    return state


def initialise_hand(problem: Problem, state: State, part: slice, first: int, wrist: int, frames: np.ndarray) -> State:
    """Set one hand in ``frames`` (n,); the others turn from one to the next."""
    palms = palm_rotations(problem, state, part, wrist, frames)
    fingers = initialise_fingers(problem, state, part, first, wrist, frames, palms, HAND_STAGE)
    rows = np.repeat(frames, KEPT)
    hands = state.frames(rows)
    hands.rotations[:, wrist] = palms.reshape(-1, 3, 3)
    hands.rotations[:, first : first + 15] = fingers.reshape(-1, 15, 3, 3)
    joints = np.array([wrist, *range(first, first + 15)])
    variables = Variables(joints, np.zeros(0, int), translates=False)
    alone = replace(
        problem,
        targets=only_hand(problem.targets.frames(rows), part),
        model=problem.model.only(np.arange(part.start, part.stop)),
    )
    hands, cost = minimise_each(alone, hands, HAND_STAGE, variables)
    solved = hands.rotations[:, joints].reshape(len(frames), KEPT, len(joints), 3, 3)
    # The wrist is compared in the world, where a moving forearm does not count as change.
    world = problem.pose(hands).rotations[:, wrist].reshape(len(frames), KEPT, 9)
    starts = problem.targets.starts
    path = steady_path(cost.reshape(len(frames), KEPT) / 25.0, world, steps_between(frames, starts))
    rotations = state.rotations.copy()
    rotations[frames[:, None], joints] = solved[np.arange(len(frames)), path]
    known = np.isin(np.arange(len(rotations)), frames)
    rotations[:, joints] = interpolate_shots(rotations[:, joints], known, starts)
    return replace(state, rotations=rotations)


def only_hand(targets: Targets, part: slice) -> Targets:
    """Return the targets with nothing but one hand."""
    kept = np.zeros(targets.weight.shape[1])
    kept[part] = 1
    bones = (kept[np.array(BONES)] > 0).all(1)
    return replace(targets, weight=targets.weight * kept, direction_weight=targets.direction_weight * bones)


def palm_rotations(problem: Problem, state: State, part: slice, wrist: int, frames: np.ndarray) -> np.ndarray:
    """Return (n, KEPT, 3, 3) the likeliest rotations of the wrist, relative to the forearm."""
    targets = problem.targets
    posed = problem.pose(state)
    sign = 1.0 if part == kp.LEFT_HAND else -1.0
    turns = [rotvec_to_rotmat(np.array([twist, 0.0, 0.0])) for twist in TWISTS]
    bends = [rotvec_to_rotmat(np.array([0.0, 0.0, sign * bend])) for bend in BENDS]
    starts = np.array([turn @ bend for turn in turns for bend in bends])
    forearm = posed.rotations[frames][:, PARENTS[wrist]]
    from_wrist = posed.points[frames][:, part][:, PALM] - posed.centres[frames, wrist][:, None]
    offsets = from_wrist @ posed.rotations[frames][:, wrist]
    seen = targets.weight[frames][:, part][:, PALM] ** 2
    flat = targets.xy[frames][:, part][:, PALM]
    depth = np.maximum(-posed.centres[frames, wrist, 2], 0.1)
    gain = np.exp(state.log_focal) / depth / problem.view.pixel
    cost, rotations = turn_palms(starts, forearm, offsets, flat / problem.view.pixel, seen, gain, problem.view.rotation)
    cost = cost + np.sum(rotmat_to_rotvec(rotations) ** 2, -1) / WRIST_SIGMA**2
    for n, (a, b) in enumerate(BONES):
        if part.start <= a < part.stop and b - part.start in PALM:
            ends = [int(np.flatnonzero(part.start + PALM == end)[0]) for end in (a, b)]
            bone = offsets[:, ends[1]] - offsets[:, ends[0]]
            bone = bone / np.linalg.norm(bone, axis=-1, keepdims=True)
            bone = (forearm[:, None] @ rotations @ bone[:, None, :, None])[..., 0]
            away = np.sum((bone - targets.direction[frames, n][:, None]) ** 2, -1)
            cost = cost + (HAND_STAGE.hand_depth * targets.direction_weight[frames, n][:, None]) ** 2 * away
    kept = distinct(rotations, cost, KEPT)
    return np.take_along_axis(rotations, kept[..., None, None], axis=1)


def turn_palms(
    starts: np.ndarray,
    forearm: np.ndarray,
    offsets: np.ndarray,
    flat: np.ndarray,
    weight: np.ndarray,
    gain: np.ndarray,
    camera: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn rigid palms until their weak-perspective picture fits, from every start.

    Args:
        starts: (C, 3, 3) rotations relative to the forearm.
        forearm: (n, 3, 3) to the world.
        offsets: (n, 6, 3) the palm's points from the wrist in its own axes, metres.
        flat: (n, 6, 2) where they are seen, units of image distance; only differences count.
        weight: (n, 6) squared weights.
        gain: (n,) units of image distance a metre.
        camera: (3, 3) world to camera.

    Returns:
        (n, C) sums of squares and (n, C, 3, 3) rotations.
    """
    total = np.maximum(weight.sum(1), 1e-9)[:, None, None, None]
    share = weight[:, None, :, None]

    def centred(values: np.ndarray) -> np.ndarray:
        return values - np.sum(share * values, axis=2, keepdims=True) / total

    rotations = np.broadcast_to(starts, (len(forearm), *starts.shape)).copy()
    scaled = gain[:, None, None, None]
    goal = centred(np.broadcast_to(flat[:, None], (len(flat), len(starts), *flat.shape[1:])))
    view = (camera @ forearm)[:, None, None, :2]
    turning = -skew(offsets)[:, None]

    def residuals(at: np.ndarray) -> np.ndarray:
        seen = (view @ (at[:, :, None] @ offsets[:, None, :, :, None]))[..., 0]
        return centred(scaled * seen) - goal

    cost = np.sum(share * (residual := residuals(rotations)) ** 2, axis=(2, 3))
    damping = np.full(cost.shape, 1e-2)
    for _ in range(PALM_STEPS):
        slope = view @ (rotations[:, :, None] @ turning) * scaled[..., None]
        slope = slope - np.sum(share[..., None] * slope, axis=2, keepdims=True) / total[..., None]
        matrix = np.einsum("nkpab,nkpac->nkbc", share[..., None] * slope, slope, optimize=True)
        side = np.einsum("nkpab,nkpa->nkb", share[..., None] * slope, residual, optimize=True)
        own = np.arange(3)
        matrix[..., own, own] = matrix[..., own, own] * (1 + damping[..., None]) + 1e-3
        step = -np.linalg.solve(matrix, side[..., None])[..., 0]
        trial = rotations @ rotvec_to_rotmat(np.clip(step, -1, 1))
        moved = residuals(trial)
        reached = np.sum(share * moved**2, axis=(2, 3))
        better = reached < cost
        damping = np.where(better, damping / 5, damping * 10)
        rotations = np.where(better[..., None, None], trial, rotations)
        residual = np.where(better[..., None, None], moved, residual)
        cost = np.where(better, reached, cost)
    return cost, rotations


def distinct(rotations: np.ndarray, cost: np.ndarray, count: int) -> np.ndarray:
    """Return (n, count) the cheapest candidates (n, C) that lie apart from the cheaper ones."""
    cost = cost.copy()
    rows = np.arange(len(cost))
    chosen = []
    for _ in range(count):
        best = cost.argmin(1)
        chosen.append(best)
        trace = np.einsum("ncij,nij->nc", rotations, rotations[rows, best])
        cost[np.arccos(np.clip((trace - 1) / 2, -1, 1)) < APART] += 1e6
    return np.stack(chosen, axis=1)
