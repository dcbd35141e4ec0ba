"""Where the hands start: each frame's likeliest of the palm orientations that look alike in the picture.

A palm is a rigid, nearly flat set of points, and a flat thing seen from afar looks the same from two sides. Every
frame's palm is therefore fitted from several starts; with open and with closed fingers each fit is refined on the
hand's own points; and the cheapest path through the frames is taken, as for the arms.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diffsign.core import keypoints as kp
from diffsign.core.rotations import rotvec_to_rotmat
from diffsign.core.settings.fit import StageSettings
from diffsign.fit.arms import cheapest_path
from diffsign.fit.hinges import HANDS
from diffsign.fit.objective import Layout, Objective, State
from diffsign.fit.solve import minimise_each
from diffsign.fit.targets import BONES, Targets

#: Wrist rotations to start from: pronation about the forearm, then bend, radians.
TWISTS, BENDS = (-1.6, -0.8, 0.0, 0.8, 1.6), (-0.6, 0.6)
#: Flexion of all finger joints to start from: nearly open, nearly a fist.
CURLS = (0.2, 1.1)
#: Points of the palm among a hand's 21: wrist, thumb's and fingers' first joints.
PALM = (0, 1, 5, 9, 13, 17)
#: How many palm orientations are refined with fingers.
KEPT = 2

PALM_STAGE = StageSettings(
    name="palm",
    iterations=6,
    body_prior=1,
    hand_prior=0,
    bending=0,
    jaw=0,
    shape=0,
    expression=0,
    hand_joints=2,
    face_joints=0,
    body_joints=0,
    depth=10,
    limits=0,
    temporal=0,
)
HAND_STAGE = PALM_STAGE.model_copy(update={"name": "hand", "iterations": 8, "hand_prior": 3.0, "limits": 20.0})


def only_hand(targets: Targets, side: str, rows: np.ndarray, points: tuple[int, ...] | None = None) -> Targets:
    """Return the targets of frames ``rows`` (n,) with nothing but one hand, or ``points`` of its 21."""
    part = kp.LEFT_HAND if side == "left" else kp.RIGHT_HAND
    kept = np.zeros(targets.weight.shape[1])
    kept[part if points is None else [part.start + p for p in points]] = 1
    ends = np.array(BONES)
    bones = (kept[ends] > 0).all(1)
    chosen = targets.frames(rows)
    return replace(chosen, weight=chosen.weight * kept, direction_weight=chosen.direction_weight * bones)


def repeated(state: State, rows: np.ndarray) -> State:
    """Return the frames ``rows`` (n,) of a state."""
    return replace(state, rotations=state.rotations[rows], transl=state.transl[rows], expression=state.expression[rows])


def place_hands(objective: Objective, state: State) -> State:
    """Return the state with wrists and fingers set from what is seen of each hand."""
    for side, (first, wrist) in HANDS.items():
        part = kp.LEFT_HAND if side == "left" else kp.RIGHT_HAND
        seen = (objective.targets.weight[:, part] > 0).sum(1) >= 8
        if seen.any():
            state = place_hand(objective, state, side, first, wrist, np.flatnonzero(seen))
    return state


def place_hand(objective: Objective, state: State, side: str, first: int, wrist: int, frames: np.ndarray) -> State:
    """Set one hand in ``frames`` (n,); frames between take the nearest one's."""
    sign = 1.0 if side == "left" else -1.0
    starts = np.array(
        [
            rotvec_to_rotmat(np.array([t, 0, 0])) @ rotvec_to_rotmat(np.array([0, 0, sign * b]))
            for t in TWISTS
            for b in BENDS
        ]
    )
    none = np.zeros(0, int)
    rows = np.repeat(frames, len(starts))
    palms = repeated(state, rows)
    palms.rotations[:, wrist] = np.tile(starts, (len(frames), 1, 1))
    layout = Layout(np.array([wrist]), none, shape=False, focal=False, translates=False)
    solver = objective.with_targets(only_hand(objective.targets, side, rows, PALM))
    palms, cost = minimise_each(solver, palms, PALM_STAGE, layout)
    turned = palms.rotations[:, wrist].reshape(len(frames), len(starts), 3, 3)
    kept = distinct(turned, cost.reshape(len(frames), len(starts)), KEPT)
    turned = np.take_along_axis(turned, kept[..., None, None], axis=1)

    count = KEPT * len(CURLS)
    rows = np.repeat(frames, count)
    hands = repeated(state, rows)
    hands.rotations[:, wrist] = np.repeat(turned, len(CURLS), axis=1).reshape(-1, 3, 3)
    flexion = objective.hands.frames[0 if side == "left" else 15 :][:15, 0]
    fists = np.stack([rotvec_to_rotmat(curl * flexion) for curl in CURLS])
    hands.rotations[:, first : first + 15] = np.tile(fists, (len(frames) * KEPT, 1, 1, 1))
    joints = np.array([wrist, *range(first, first + 15)])
    layout = Layout(joints, none, shape=False, focal=False, translates=False)
    solver = objective.with_targets(only_hand(objective.targets, side, rows))
    hands, cost = minimise_each(solver, hands, HAND_STAGE, layout)
    found = hands.rotations[:, joints].reshape(len(frames), count, len(joints), 3, 3)
    # The wrist is compared in the world, where a moving forearm does not count as change.
    world = objective.pose(hands).rotations[:, wrist].reshape(len(frames), count, 9)
    path = cheapest_path(cost.reshape(len(frames), count) / 25.0, world, np.diff(frames))
    best = found[np.arange(len(frames)), path]
    nearest = np.abs(np.arange(len(state.transl))[:, None] - frames).argmin(1)
    rotations = state.rotations.copy()
    rotations[:, joints] = best[nearest]
    return replace(state, rotations=rotations)


def distinct(rotations: np.ndarray, cost: np.ndarray, count: int) -> np.ndarray:
    """Return (n, count) the cheapest candidates (n, C) that lie at least half a radian from cheaper ones."""
    cost = cost.copy()
    rows = np.arange(len(cost))
    chosen = []
    for _ in range(count):
        best = cost.argmin(1)
        chosen.append(best)
        trace = np.einsum("ncij,nij->nc", rotations, rotations[rows, best])
        near = np.arccos(np.clip((trace - 1) / 2, -1, 1)) < 0.5
        cost[near] += 1e6
    return np.stack(chosen, axis=1)
