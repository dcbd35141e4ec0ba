"""The fit of a clip: shape and camera from all of it, poses in windows that overlap."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from diffsign.config.fit import FitSettings, StageSettings
from diffsign.errors import DiffSignError
from diffsign.fit.arms import initialise_arms
from diffsign.fit.detectors import detector_of
from diffsign.fit.focal import telling_frames, through, walk, without_ears
from diffsign.fit.initial import first_state, orient, usable_frames
from diffsign.fit.palms import initialise_hands
from diffsign.fit.points import PointModel
from diffsign.fit.problem import Evaluation, Problem, View
from diffsign.fit.report import FitReport, finish
from diffsign.fit.solve import minimise
from diffsign.fit.state import State, Variables
from diffsign.fit.targets import Targets, find_targets
from diffsign.fit.terms import all_terms
from diffsign.fit.terms.touch import find_touches
from diffsign.fit.unseen import interpolate_hands
from diffsign.geometry.camera import LOOK_ALONG_MINUS_Z
from diffsign.geometry.rotations import inverse, rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.records.keypoints import FACE, Keypoints
from diffsign.records.motion import Motion
from diffsign.records.shots import shot_starts

log = logging.getLogger(__name__)

#: Focal length that is expected when none is given, in longer sides of the picture, and how sure that is (log).
ASSUMED_FOCAL, FOCAL_SIGMA = 1.6, 0.2
FACE_JOINTS = (22, 23, 24)
#: A part counts as seen in a clip when its points are in this share of the frames.
SEEN_SHARE = 0.1


def fit_motion(
    keypoints: Keypoints, model: PointModel, settings: FitSettings, body: str = ""
) -> tuple[Motion, FitReport]:
    """Fit SMPL-X to a clip's keypoints.

    Args:
        keypoints: the clip's, cleaned or not.
        model: the reduced body whose points are the 137 keypoints.
        settings: of the fit.
        body: SHA-256 of the body file, written into the motion.

    Returns:
        The motion (frames without a person interpolated and not ``valid``) and its report.

    Raises:
        DiffSignError: if head and shoulders are seen in no frame.
    """
    detector = detector_of(keypoints.detector)
    model = model.shifted(detector.offsets)
    starts = shot_starts(keypoints)
    targets = find_targets(keypoints, LOOK_ALONG_MINUS_Z, settings.min_confidence, starts, detector)
    usable = usable_frames(targets)
    if not usable.any():
        raise DiffSignError(
            f"a person's head and shoulders were expected in the keypoints, but none of the {len(keypoints)} "
            "frames shows them; check that the video shows a signer and that detection found one."
        )
    terms = all_terms(settings, model.joint_rest, keypoints.fps)
    problem = Problem(model, targets, view_of(keypoints, settings), terms)
    variables = Variables(free_joints(model, targets), model.expressions, model.n_betas)
    shared = replace(variables, shape=True, focal=settings.focal_length is None)
    state = initialise_arms(problem, orient(problem, first_state(problem, usable)))
    if shared.focal:
        problem, state = focused(problem, state, settings, shared, usable)
    if len(targets) > settings.window:
        chosen = np.flatnonzero(usable)
        chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, settings.window).round().astype(int))]
        probe = problem.with_targets(targets.frames(chosen))
        state = rescaled(problem, state, anneal(probe, state.frames(chosen), settings, shared))
        state = fit_windows(problem, state, settings, variables)
    else:
        state = anneal(problem, state, settings, shared)
    state = interpolate_hands(state, targets, 1 / keypoints.fps)
    return finish(problem, state, keypoints, usable, body)


def focused(
    problem: Problem, state: State, settings: FitSettings, variables: Variables, usable: np.ndarray
) -> tuple[Problem, State]:
    """Return the problem and its first state with the focal length that explains a few frames best."""
    chosen = telling_frames(problem, usable)
    probe = problem.with_targets(without_ears(problem.targets.frames(chosen)))
    variables = replace(variables, focal=False)
    # Touches are inferred from depth, and depth is what the lens decides.
    stages = tuple(stage for stage in settings.schedule() if not stage.touch)
    fitted = anneal(probe, state.frames(chosen), settings.model_copy(update={"stages": stages}), variables)
    focal = walk(probe, fitted, stages[-1], variables)
    log.info("focal length: about %.0f pixels", np.exp(focal))
    return replace(problem, view=replace(problem.view, focal=float(np.exp(focal)))), through(state, focal)


def view_of(keypoints: Keypoints, settings: FitSettings) -> View:
    """Return the camera that looks at the clip."""
    width, height = keypoints.width, keypoints.height
    return View(
        centre=np.array([width / 2, height / 2]),
        rotation=LOOK_ALONG_MINUS_Z,
        pixel=height / 1000,
        focal=settings.focal_length or ASSUMED_FOCAL * max(width, height),
        focal_sigma=1e-3 if settings.focal_length else FOCAL_SIGMA,
    )


def free_joints(model: PointModel, targets: Targets) -> np.ndarray:
    """Return the joints that a point seen often enough depends on; the rest of the body stays at rest."""
    seen = (targets.weight > 0).mean(0) >= min(SEEN_SHARE, 1 / len(targets))
    joints = np.union1d([0], model.influence_joint[seen[model.influence_point]])
    return np.union1d(joints, model.corrective_joints) if seen[FACE].any() else joints


def rescaled(problem: Problem, state: State, probe: State) -> State:
    """Give ``state`` the shape and focal length of ``probe``, moved so that it still covers the person."""
    state = through(state, probe.log_focal)
    shift = np.median(probe.transl[:, 2]) / np.median(state.transl[:, 2])
    return replace(state, transl=state.transl * shift, betas=probe.betas)


def anneal(problem: Problem, state: State, settings: FitSettings, variables: Variables) -> State:
    """Run the stages one after another; hands are initialised before the first that looks at them.

    Which parts touch is decided before a stage that closes gaps; if none do, one that does nothing else is left out.
    """
    ready, before = False, None
    for stage in settings.schedule():
        if stage.hand_joints > 0 and not ready:
            state, ready = initialise_hands(problem, state), True
        if stage.touch > 0:
            touches = find_touches(Evaluation(problem, state))
            if not touches.any() and alike(stage, before):
                continue
            problem = problem.with_targets(replace(problem.targets, touching=touches))
        outcome = minimise(problem, state, stage, stage_variables(stage, variables))
        state, before = outcome.state, stage
        log.info("%s: objective %.5g after %d steps", stage.name, outcome.value, outcome.steps)
    return state


def alike(stage: StageSettings, before: StageSettings | None) -> bool:
    """Tell whether a stage differs from the one before it in closing gaps alone."""
    same = {"name": stage.name, "iterations": stage.iterations, "touch": stage.touch}
    return before is not None and before.model_copy(update=same) == stage


def stage_variables(stage: StageSettings, variables: Variables) -> Variables:
    """Leave fingers and face at rest while a stage does not look at them."""
    hands = stage.hand_joints > 0 or stage.hand_depth > 0
    kept = [j for j in variables.joints if (hands or j < 25) and (stage.face_joints > 0 or j not in FACE_JOINTS)]
    return replace(
        variables, joints=np.array(kept), expressions=variables.expressions[: None if stage.face_joints > 0 else 0]
    )


def fit_windows(problem: Problem, state: State, settings: FitSettings, variables: Variables) -> State:
    """Fit window after window and blend them where they overlap."""
    frames, overlap = len(state.transl), min(settings.overlap, settings.window // 2)
    starts = list(range(0, max(1, frames - overlap), settings.window - overlap))
    whole = state
    for n, start in enumerate(starts):
        stop = min(frames, start + settings.window)
        part = problem.with_targets(problem.targets.window(start, stop))
        done = anneal(part, state.frames(slice(start, stop)), settings, variables)
        shared = min(overlap, stop - start) if n else 0
        whole = blend(whole, done, start, shared)
        if stop == frames:
            break
    return whole


def blend(whole: State, part: State, start: int, shared: int) -> State:
    """Write ``part`` into ``whole`` from ``start``, crossing over in the first ``shared`` frames."""
    frames = len(part.transl)
    weight = np.ones(frames)
    weight[:shared] = (np.arange(shared) + 1) / (shared + 1)
    at = slice(start, start + frames)
    before = whole.rotations[at]
    step = rotmat_to_rotvec(inverse(before) @ part.rotations)
    rotations, transl, expression = whole.rotations.copy(), whole.transl.copy(), whole.expression.copy()
    rotations[at] = before @ rotvec_to_rotmat(step * weight[:, None, None])
    transl[at] += weight[:, None] * (part.transl - transl[at])
    expression[at] += weight[:, None] * (part.expression - expression[at])
    return replace(whole, rotations=rotations, transl=transl, expression=expression)
