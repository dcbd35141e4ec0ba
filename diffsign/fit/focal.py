"""How wide the lens is: a walk from the focal length of a usual camera towards a wide one, while the fit improves.

A signer close to a wide lens and one far from a long lens look much alike, but for hands that come near: through a wide
lens they grow. The objective falls slowly towards long lenses and rises steeply where the lens is taken for too wide,
so a walk from the long side ends near the truth; one fit from the middle stays where it starts.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.problem import Problem
from diffsign.fit.solve import minimise
from diffsign.fit.state import State, Variables
from diffsign.fit.targets import Targets
from diffsign.records import keypoints as kp

log = logging.getLogger(__name__)

EARS = [kp.NAMES.index("right_ear"), kp.NAMES.index("left_ear")]
#: Frames that the walk looks at.
FRAMES = 12
#: A step multiplies the focal length by this; after so many steps a lens is as wide as signers are filmed with.
STEP, STEPS = 0.7, 3
#: Gauss-Newton steps at each focal length.
ITERATIONS = 8
#: A wider lens may cost this share more: too wide a lens costs many times as much.
SLACK = 0.005


def telling_frames(problem: Problem, usable: np.ndarray) -> np.ndarray:
    """Return some of the frames (n,) that say most about the lens: evenly spread, with hands where there are any."""
    hands = (problem.targets.weight[:, kp.LEFT_HAND.start : kp.RIGHT_HAND.stop] > 0).any(1)
    frames = np.flatnonzero(usable & hands if (usable & hands).any() else usable)
    return frames[np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))]


def without_ears(targets: Targets) -> Targets:
    """Return targets without the ears: a detector marks them where a usual lens shows them, wide or not."""
    weight = targets.weight.copy()
    weight[:, EARS] = 0
    return replace(targets, weight=weight)


def through(state: State, log_focal: float) -> State:
    """Return the state seen through another lens, moved so that it still covers the person."""
    away = np.array([1.0, 1.0, np.exp(log_focal - state.log_focal)])
    return replace(state, transl=state.transl * away, log_focal=log_focal)


def walk(problem: Problem, state: State, stage: StageSettings, variables: Variables) -> float:
    """Return the logarithm of the focal length at which the fit is best.

    If the walk meets no lens that is too wide, it is not the lens that the fit gains by: the expected one is returned.

    Args:
        problem: a few frames.
        state: fitted to them through the lens that is expected.
        stage: what is minimised at each step.
        variables: what moves; the focal length does not.
    """
    stage = stage.model_copy(update={"iterations": ITERATIONS})
    start = minimise(problem, state, stage, variables)
    state, best, least = start.state, start.state.log_focal, start.value
    log.debug("focal length %.0f: objective %.5g", np.exp(best), least)
    too_wide = False
    for _ in range(STEPS):
        trial = through(state, state.log_focal + float(np.log(STEP)))
        view = replace(problem.view, focal=float(np.exp(trial.log_focal)))
        outcome = minimise(replace(problem, view=view), trial, stage, variables)
        log.debug("focal length %.0f: objective %.5g", view.focal, outcome.value)
        if too_wide := outcome.value >= (1 + SLACK) * least:
            break
        state, best, least = outcome.state, trial.log_focal, outcome.value
    return best if too_wide else start.state.log_focal
