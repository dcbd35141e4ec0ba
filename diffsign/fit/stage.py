"""The fit of a clip: shape and camera from all of it, poses in windows that overlap."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from diffsign.config.fit import FitSettings, StageSettings
from diffsign.errors import DiffSignError
from diffsign.fit.arms import place_arms
from diffsign.fit.body_priors import BodyPrior, L2Prior
from diffsign.fit.detectors import detector_of
from diffsign.fit.initial import first_state, orient, usable_frames
from diffsign.fit.mixture import MixturePrior
from diffsign.fit.objective import Objective
from diffsign.fit.palms import place_hands
from diffsign.fit.points import PointModel
from diffsign.fit.priors import HandPrior, ShapePrior
from diffsign.fit.solve import minimise
from diffsign.fit.state import Layout, State
from diffsign.fit.targets import Targets, find_targets
from diffsign.fit.unseen import bridge_hands, parts_seen
from diffsign.geometry.camera import LOOK_ALONG_MINUS_Z, Camera
from diffsign.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.records import keypoints as kp
from diffsign.records.keypoints import FACE, Keypoints
from diffsign.records.motion import Motion
from diffsign.records.shots import shot_starts

log = logging.getLogger(__name__)

#: Focal length assumed when none is given, in longer sides of the picture, and how sure that is (log).
ASSUMED_FOCAL, FOCAL_SIGMA = 1.6, 0.2
FACE_JOINTS = (22, 23, 24)
#: A part counts as seen in a clip when its points are in this share of the frames.
SEEN_SHARE = 0.1


@dataclass(frozen=True)
class FitReport:
    """Mean distance in pixels between fitted and detected points of body, hands and face; flagged frames."""

    body: float
    hands: float
    face: float
    flagged: tuple[int, ...]

    def summary(self) -> str:
        """Return the line that the command prints."""
        flagged = f"{len(self.flagged)} frames flagged" + (f" ({_ranges(self.flagged)})" if self.flagged else "")
        return f"mean error: body {self.body:.2f} px, hands {self.hands:.2f} px, face {self.face:.2f} px; {flagged}"


def _ranges(numbers: tuple[int, ...]) -> str:
    groups: list[list[int]] = []
    for n in numbers:
        if groups and n == groups[-1][1] + 1:
            groups[-1][1] = n
        else:
            groups.append([n, n])
    words = [str(a) if a == b else f"{a}-{b}" for a, b in groups]
    return ", ".join(words[:8]) + (", …" if len(words) > 8 else "")


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
    focal = settings.focal_length or ASSUMED_FOCAL * max(keypoints.width, keypoints.height)
    sure = 1e-3 if settings.focal_length else FOCAL_SIGMA
    detector = detector_of(keypoints.detector)
    model = model.shifted(detector.offsets)
    targets = find_targets(
        keypoints, LOOK_ALONG_MINUS_Z, settings.min_confidence, shot_starts(keypoints), detector.trust
    )
    usable = usable_frames(targets)
    if not usable.any():
        raise DiffSignError(
            f"a person's head and shoulders were expected in the keypoints, but none of the {len(keypoints)} "
            "frames shows them; check that the video shows a signer and that detection found one."
        )
    objective = Objective(
        model,
        targets,
        centre=np.array([keypoints.width / 2, keypoints.height / 2]),
        camera_rotation=LOOK_ALONG_MINUS_Z,
        pixel=keypoints.height / 1000,
        robust_scale=settings.robust_scale,
        focal=(focal, sure),
        time_scale=(keypoints.fps / 24) ** 2,
        hands=HandPrior.of(model.joint_rest),
        body=body_prior(settings),
        shape=shape_prior(model),
    )
    joints = free_joints(model, targets)
    state = place_arms(objective, orient(objective, first_state(objective, focal, usable)))
    if len(targets) > settings.window:
        chosen = np.flatnonzero(usable)
        chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, settings.window).round().astype(int))]
        probe = replace(
            state,
            rotations=state.rotations[chosen],
            transl=state.transl[chosen],
            expression=state.expression[chosen],
        )
        layout = Layout(joints, model.expressions, shape=True, focal=settings.focal_length is None)
        probe = anneal(objective.with_targets(targets.frames(chosen)), probe, settings, layout)
        state = rescaled(objective, state, probe)
        layout = replace(layout, shape=False, focal=False)
        state = fit_windows(objective, state, settings, layout)
    else:
        layout = Layout(joints, model.expressions, shape=True, focal=settings.focal_length is None)
        state = anneal(objective, state, settings, layout)
    state = bridge_hands(state, targets, 1 / keypoints.fps)
    return finish(objective, state, keypoints, usable, body)


def shape_prior(model: PointModel) -> ShapePrior:
    """Return the prior on the betas."""
    return ShapePrior(np.zeros(model.n_betas), np.eye(model.n_betas))


def body_prior(settings: FitSettings) -> BodyPrior:
    """Return the prior that the settings name."""
    if settings.pose_prior == "vposer":
        if settings.vposer is None:
            raise DiffSignError(
                "pose_prior is vposer, but no weights are given; set vposer to the file of VPoser v2 "
                "(https://smpl-x.is.tue.mpg.de, a registration is needed), or use pose_prior gmm."
            )
        from diffsign.fit.vposer import VPoserPrior

        return VPoserPrior(settings.vposer)
    return MixturePrior() if settings.pose_prior == "gmm" else L2Prior()


def free_joints(model: PointModel, targets: Targets) -> np.ndarray:
    """Return the joints that a point seen often enough depends on; the rest of the body stays at rest."""
    seen = (targets.weight > 0).mean(0) >= min(SEEN_SHARE, 1 / len(targets))
    joints = np.union1d([0], model.influence_joint[seen[model.influence_point]])
    return np.union1d(joints, model.corrective_joints) if seen[FACE].any() else joints


def rescaled(objective: Objective, state: State, probe: State) -> State:
    """Give ``state`` the shape and focal length of ``probe``, moved so that it still covers the person."""
    ratio = np.exp(probe.log_focal - state.log_focal)
    away = state.transl * np.array([1.0, 1.0, ratio])
    shift = np.median(probe.transl[:, 2]) / np.median(away[:, 2])
    return replace(state, transl=away * shift, betas=probe.betas, log_focal=probe.log_focal)


def anneal(objective: Objective, state: State, settings: FitSettings, layout: Layout) -> State:
    """Run the stages one after another; hands are placed before the first that looks at them."""
    placed = False
    for stage in settings.schedule():
        if stage.hand_joints > 0 and not placed:
            state, placed = place_hands(objective, state), True
        outcome = minimise(objective, state, stage, stage_layout(stage, layout))
        state = outcome.state
        log.info("%s: objective %.5g after %d steps", stage.name, outcome.value, outcome.steps)
    return state


def stage_layout(stage: StageSettings, layout: Layout) -> Layout:
    """Leave fingers and face at rest while a stage does not look at them."""
    hands = stage.hand_joints > 0 or stage.hand_depth > 0
    kept = [j for j in layout.joints if (hands or j < 25) and (stage.face_joints > 0 or j not in FACE_JOINTS)]
    return replace(
        layout, joints=np.array(kept), expressions=layout.expressions[: None if stage.face_joints > 0 else 0]
    )


def fit_windows(objective: Objective, state: State, settings: FitSettings, layout: Layout) -> State:
    """Fit window after window and blend them where they overlap."""
    frames, overlap = len(state.transl), min(settings.overlap, settings.window // 2)
    starts = list(range(0, max(1, frames - overlap), settings.window - overlap))
    whole = state
    for n, start in enumerate(starts):
        stop = min(frames, start + settings.window)
        part = objective.with_targets(objective.targets.window(start, stop))
        done = anneal(part, state.window(start, stop), settings, layout)
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
    turn = rotmat_to_rotvec(np.swapaxes(before, -1, -2) @ part.rotations)
    rotations, transl, expression = whole.rotations.copy(), whole.transl.copy(), whole.expression.copy()
    rotations[at] = before @ rotvec_to_rotmat(turn * weight[:, None, None])
    transl[at] += weight[:, None] * (part.transl - transl[at])
    expression[at] += weight[:, None] * (part.expression - expression[at])
    return replace(whole, rotations=rotations, transl=transl, expression=expression)


def finish(
    objective: Objective, state: State, keypoints: Keypoints, usable: np.ndarray, body: str
) -> tuple[Motion, FitReport]:
    """Turn the state into the record, measure it, and flag frames that no number can be trusted in."""
    pixels, _ = objective.project(objective.pose(state).points, state.log_focal)
    error = np.linalg.norm(pixels - objective.targets.xy, axis=-1)
    weight = objective.targets.weight
    finite = np.isfinite(error).all(-1)
    capped = np.minimum(np.nan_to_num(error, nan=np.inf), objective.robust_scale * objective.pixel)
    residual = np.sum(weight * capped, -1) / np.maximum(weight.sum(-1), 1e-9)
    valid = usable & finite

    def mean(part: slice | list[slice]) -> float:
        parts = part if isinstance(part, list) else [part]
        w = np.concatenate([weight[valid][:, p] for p in parts], 1)
        e = np.concatenate([error[valid][:, p] for p in parts], 1)
        return float(np.sum(w * e) / w.sum()) if w.sum() else float("nan")

    motion = Motion.rest(
        len(weight),
        Camera.facing(keypoints.width, keypoints.height, float(np.exp(state.log_focal))),
        keypoints.fps,
        objective.model.n_betas,
        objective.model.n_expression,
        body,
    )
    motion = motion.with_pose(
        rotmat_to_rotvec(state.rotations),
        transl=state.transl.astype(np.float32),
        expression=state.expression.astype(np.float32),
        betas=state.betas.astype(np.float32),
        residual=residual.astype(np.float32),
        valid=valid,
        seen=parts_seen(keypoints, weight),
        starts=shot_starts(keypoints),
    )
    report = FitReport(
        mean(kp.BODY), mean([kp.LEFT_HAND, kp.RIGHT_HAND]), mean(kp.FACE), tuple(int(t) for t in np.flatnonzero(~valid))
    )
    return motion, report
