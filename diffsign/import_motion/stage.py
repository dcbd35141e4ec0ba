"""SMPL-X parameters of another tool in place of a video: a motion of our body, before a camera that frames it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diffsign.body.model import Body, load_body
from diffsign.config.import_motion import ImportMotionSettings
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.geometry.kinematics import forward
from diffsign.geometry.rotations import interpolate_rotations, rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.geometry.skeleton import JOINTS
from diffsign.geometry.world import Y_UP_TO_Z_UP, rotate_world
from diffsign.import_motion.formats import Parameters, read_parameters
from diffsign.import_motion.framing import framed
from diffsign.import_motion.hands import hand_angles
from diffsign.import_motion.retarget import retarget_arms
from diffsign.records.keypoints import COUNT, Keypoints, save_keypoints
from diffsign.records.motion import BODY_PARTS, Motion, save_motion

#: Rotations of a file's world to ours, with y up, by what is up in it.
TO_Y_UP = {"y": np.eye(3), "z": Y_UP_TO_Z_UP.T, "camera": np.diag([1.0, -1.0, -1.0])}

#: Frames per second that a motion keeps; a faster one has every second, third, … frame left.
FASTEST = 60


@dataclass(frozen=True)
class Inputs:
    """What is read: an ``.npz``, or a folder with one for every frame, and the body file to pose."""

    source: Path
    body: Path


@dataclass(frozen=True)
class Outputs:
    """What is written: the motion, and the points that its camera sees; None for none."""

    motion: Path
    keypoints: Path | None = None


def run(inputs: Inputs, outputs: Outputs, settings: ImportMotionSettings, *, threads: int = 1) -> str:
    """Import a motion; return the line that the command prints.

    Raises:
        DiffSignError: if the source is missing, a pickle, or no SMPL-X parameters; if it does not say its frame rate
            and the settings do not; or if hands need the body file of the source.
    """
    parameters = read_parameters(inputs.source)
    body = load_body(inputs.body)
    motion, notes = motion_of(parameters, body, settings, str(inputs.source))
    save_motion(outputs.motion, motion)
    if outputs.keypoints is not None:
        save_keypoints(outputs.keypoints, projected(motion, body))
    return f"{len(motion)} frames at {motion.fps:g} fps in '{outputs.motion}'; {'; '.join(notes)}."


def motion_of(
    parameters: Parameters, body: Body, settings: ImportMotionSettings, where: str
) -> tuple[Motion, list[str]]:
    """Return the motion of ``body`` that shows what the parameters say, and what was decided on the way."""
    fps = parameters.fps or settings.source_fps
    if fps is None or not 0 < fps <= 1000:
        raise DiffSignError(
            f"'{where}' does not say how many frames a second it has; say so by import_motion.source_fps in the config "
            "(--source-fps)."
        )
    source_body = load_body(settings.source_body) if settings.source_body is not None else None
    same = body.sha256 in (parameters.body_sha256, source_body.sha256 if source_body is not None else None)
    notes = list(parameters.notes)
    pose = np.concatenate(
        [
            parameters.root[:, None],
            parameters.body,
            parameters.jaw[:, None],
            parameters.eyes,
            *hand_angles(parameters, settings, body if same else source_body, where),
        ],
        axis=1,
    )
    local, transl, expression, good = bridged(
        rotvec_to_rotmat(pose), parameters.transl, parameters.expression, parameters.numbers
    )
    betas = _fitted(parameters.betas, body.n_betas) if same else np.zeros(body.n_betas)
    if same:
        notes.append("shape and expressions are of the same body file")
    elif source_body is not None:
        source_betas = _fitted(parameters.betas, source_body.n_betas)
        local = retarget_arms(local, body.rest_joints(betas), source_body.rest_joints(source_betas))
        notes.append("retargeted: hands are where they were to face and trunk; shape and expressions are left out")
    else:
        notes.append(
            "rotations alone were taken, as betas and expressions are of another body; name it (source_body) and hands "
            "are put where they were to face and trunk"
        )
    pelvis = body.rest_joints(betas)[0]
    up = settings.up if settings.up != "auto" else upright_axis(local, body.rest_joints(betas), where)
    root, transl = rotate_world(rotmat_to_rotvec(local[:, 0]), transl, pelvis, TO_Y_UP[up])
    local[:, 0] = rotvec_to_rotmat(root)
    notes.append(f"{'z' if up == 'z' else 'y'} {'points down' if up == 'camera' else 'is up'} in it")
    expression = expression if same else np.zeros((len(local), 0))
    rate = settings.fps or fps / np.ceil(fps / FASTEST)
    local, transl, expression, good = resample(local, transl, expression, good, fps, rate)
    rest = Motion.rest(len(local), Camera.facing(8, 8, 8.0), rate, body.n_betas, body.n_expression, body.sha256)
    motion = replace(rest, valid=good, seen=np.repeat(good[:, None], len(BODY_PARTS), axis=1)).with_pose(
        rotmat_to_rotvec(local),
        transl=transl.astype(np.float32),
        betas=betas.astype(np.float32),
        expression=np.stack([_fitted(row, body.n_expression) for row in expression]).astype(np.float32),
    )
    if parameters.camera is not None:
        camera = parameters.camera
        seen_from = Camera(camera.K, camera.R @ TO_Y_UP[up].T, camera.t, camera.width, camera.height)
        width = settings.width or 8 * round(settings.height * camera.width / camera.height / 8)
        notes.append("seen by its own camera")
        return replace(motion, camera=seen_from.resized(width, settings.height)), notes
    notes.append("a camera was chosen that frames the signer")
    turn = up != "camera"
    return framed(motion, body, settings.width or settings.height, settings.height, turn=turn), notes


def upright_axis(local: np.ndarray, rest: np.ndarray, where: str) -> str:
    """Return what is up in the world of rotations (T, 55, 3, 3): the direction from pelvis to neck tells.

    Raises:
        DiffSignError: if the signer is upright in none.
    """
    _, joints = forward(local, rest[None])
    trunk = (joints[:, JOINTS.index("neck")] - joints[:, JOINTS.index("pelvis")]).mean(axis=0)
    trunk /= np.linalg.norm(trunk)
    upright = {name: float((rotation @ trunk)[1]) for name, rotation in TO_Y_UP.items()}
    best = max(upright, key=lambda name: upright[name])
    if upright[best] < 0.7:
        raise DiffSignError(
            f"the signer of '{where}' is upright with neither y nor z up, nor with y down; turn the motion, or set "
            "import_motion.up (--up)."
        )
    return best


def _fitted(values: np.ndarray, count: int) -> np.ndarray:
    """Return ``count`` numbers: those there are, cut or filled with zeros."""
    return np.pad(values[:count], (0, max(0, count - len(values))))


def bridged(
    local: np.ndarray, transl: np.ndarray, expression: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return rotations (T, J, 3, 3), translations and expressions with the missing frames bridged, and which are given.

    ``numbers`` says of which frame each row is.
    """
    good = np.zeros(int(numbers[-1]) + 1, bool)
    good[numbers] = True
    if good.all():
        return local, transl, expression, good
    nearest = np.searchsorted(numbers, np.arange(len(good))).clip(0, len(numbers) - 1)
    between = interpolate_rotations(local[nearest], good)

    def fill(values: np.ndarray) -> np.ndarray:
        columns = [np.interp(np.arange(len(good)), numbers, column) for column in values.T]
        return np.stack(columns, axis=1) if columns else np.zeros((len(good), 0))

    return between, fill(transl), fill(expression), good


def resample(
    local: np.ndarray, transl: np.ndarray, expression: np.ndarray, good: np.ndarray, fps: float, target: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return rotations (T, J, 3, 3), translations, expressions and what is given (T,) at another rate."""
    if abs(fps - target) < 1e-6:
        return local, transl, expression, good
    frames = len(local)
    at = np.clip(np.arange(max(1, round(frames * target / fps))) * fps / target, 0, frames - 1)
    before = np.floor(at).astype(np.int64)
    after = np.minimum(before + 1, frames - 1)
    share = (at - before)[:, None]
    turn = rotmat_to_rotvec(np.asarray(np.swapaxes(local[before], -1, -2) @ local[after], np.float64))
    between = local[before] @ rotvec_to_rotmat(share[..., None] * turn)

    def mix(values: np.ndarray) -> np.ndarray:
        return values[before] + share * (values[after] - values[before])

    given = np.where(share[:, 0] < 0.5, good[before], good[after])
    return between, mix(transl), mix(expression), given


def projected(motion: Motion, body: Body) -> Keypoints:
    """Return the points of a motion as its camera sees them, those outside the picture missing."""
    camera = motion.camera
    xy = camera.project(body.keypoints(motion))
    with np.errstate(invalid="ignore"):
        inside = ((xy >= 0) & (xy < [camera.width, camera.height])).all(axis=-1)
    points = np.zeros((len(motion), COUNT, 3), np.float32)
    points[..., :2] = np.where(inside[..., None], xy, 0)
    points[..., 2] = inside
    return Keypoints(points, motion.fps, camera.width, camera.height, detector="SMPL-X parameters")
