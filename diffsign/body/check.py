"""Measures a built body file against Anny: every measurement with the limit it is held to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diffsign.body.anny import JAW_OPEN, load_anny, pose_anny
from diffsign.body.archive import SHAPE_SPACE
from diffsign.body.hands import sample_hands
from diffsign.body.model import Body, load_body
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.geometry.skeleton import JOINTS, MIRROR
from diffsign.records.motion import Motion

#: People that the file is compared with Anny on; none was among the samples of its components.
PEOPLE: dict[str, dict[str, float]] = {
    "default": {},
    "woman": {"gender": 0.0, "age": 0.7},
    "strong man": {"gender": 1.0, "age": 0.75, "muscle": 0.8, "weight": 0.7},
    "child": {"age": 0.3},
    "small old woman": {"gender": 0.1, "age": 1.0, "weight": 0.8, "height": 0.2},
}
SEED = 20241208


@dataclass(frozen=True)
class Measurement:
    """What was measured, how much of which unit, and the limit (``least`` or ``most``) it is held to."""

    name: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def passed(self) -> bool:
        """Whether it keeps its limit."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)


def signing_poses(count: int, joints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return poses (N, 55, 3) as signing has them: forearms raised before the chest, handshapes, head and jaw moving.

    Args:
        count: N.
        joints: (55, 3) of the body at rest, for the axes of the fingers.
        rng: where they are drawn from.
    """
    poses = np.zeros((count, len(JOINTS), 3))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = [
            rng.normal(0, 0.3, count),
            -sign * rng.uniform(0.2, 0.8, count),
            -sign * rng.uniform(0.6, 1.3, count),
        ]
        elbow = [rng.normal(0, 0.4, count), -sign * rng.uniform(0.5, 2.2, count), np.zeros(count)]
        poses[:, JOINTS.index(f"{side}_shoulder")] = np.stack(shoulder, axis=1)
        poses[:, JOINTS.index(f"{side}_elbow")] = np.stack(elbow, axis=1)
        poses[:, JOINTS.index(f"{side}_wrist")] = rng.normal(0, 0.3, (count, 3))
        poses[:, JOINTS.index(f"{side}_collar")] = rng.normal(0, 0.08, (count, 3))
    for name, spread in (("head", 0.15), ("neck", 0.1), ("spine1", 0.05), ("spine2", 0.05), ("spine3", 0.05)):
        poses[:, JOINTS.index(name)] = rng.normal(0, spread, (count, 3))
    poses[:, JOINTS.index("jaw"), 0] = rng.uniform(0, 0.3, count)
    hands = sample_hands(joints, 2 * count, seed=int(rng.integers(1 << 30)))
    poses[:, 25:40] = hands[:count]
    poses[:, 40:55] = hands[count:] * [1.0, -1.0, -1.0]
    return poses


def random_poses(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return poses (N, 55, 3), every joint but jaw and toes turned about a random axis: 0.35 rad in each direction."""
    poses = rng.normal(0, 0.35, (count, len(JOINTS), 3))
    poses[:, [JOINTS.index(name) for name in ("jaw", "left_foot", "right_foot")]] = 0.0
    poses[:, 23:] *= 0.5
    return poses


def betas_of(body: Body, phenotype: dict[str, float]) -> np.ndarray:
    """Return the shape coefficients (n_betas,) that come nearest to an Anny of a phenotype, in least squares."""
    directions = body.model.shapedirs.numpy().reshape(-1, body.n_betas)
    target = pose_anny(phenotype, np.zeros((1, len(JOINTS), 3)))[0][0] - body.model.v_template.numpy()
    return np.linalg.lstsq(directions, target.reshape(-1), rcond=None)[0].astype(np.float32)


def motion_of(body: Body, poses: np.ndarray, betas: np.ndarray | None = None) -> Motion:
    """Return a motion with the poses (T, 55, 3) and the betas, at the origin."""
    rest = Motion.rest(len(poses), Camera.facing(512, 512, 800.0), 24.0, body.n_betas, body.n_expression, body.sha256)
    return replace(rest.with_pose(poses), betas=rest.betas if betas is None else betas)


def check_body(path: str | Path, frames: int = 12) -> Iterator[Measurement]:
    """Measure a file that ``diffsign body build`` wrote.

    Args:
        path: the file.
        frames: random poses of each kind and person.

    Raises:
        DiffSignError: if it is no body file, or another one than Anny's.
    """
    body = load_body(path)
    with np.load(path, allow_pickle=False) as archive:
        if "mirror" not in archive.files:
            raise DiffSignError(
                f"'{path}' is an SMPL-X file that `diffsign body build` did not write; it loads, and there is nothing "
                "to compare it with."
            )
        arrays = {name: archive[name] for name in archive.files}
    yield from _layout(path, arrays)
    yield from _symmetry(arrays)
    yield from _against_anny(body, frames)
    yield from _jaw(body)


def _layout(path: str | Path, arrays: dict[str, np.ndarray]) -> Iterator[Measurement]:
    import smplx

    # ``smplx.create`` takes the kind of model from the start of the file's name.
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / "SMPLX_NEUTRAL.npz"
        named.symlink_to(Path(path).resolve())
        loads = [
            smplx.create(str(named), model_type="smplx", ext="npz", **options)().joints.shape[1]
            for options in ({}, {"use_pca": False}, {"use_face_contour": True})
        ]
    yield Measurement("smplx.create loads it: joints and landmarks", min(loads), "", least=127)
    yield Measurement("vertices", len(arrays["v_template"]), "")
    variance = float(arrays["shape_variance"][int(arrays["num_betas"]) - 1])
    yield Measurement(f"variance of shape kept by {arrays['num_betas']} betas", 100 * variance, "%", least=98.0)
    yield Measurement("expressions", float(arrays["num_expressions"]), "", least=52)


def _symmetry(arrays: dict[str, np.ndarray]) -> Iterator[Measurement]:
    mirror, flip = arrays["mirror"], np.array([-1.0, 1.0, 1.0], dtype=np.float32)
    template = arrays["v_template"]
    yield Measurement(
        "rest pose against its mirror image",
        1000 * float(np.abs(template[mirror] * flip - template).max()),
        "mm",
        most=0.0,
    )
    weights = arrays["weights"]
    yield Measurement(
        "skinning weights likewise", float(np.abs(weights[mirror][:, MIRROR] - weights).max()), "", most=1e-6
    )
    directions = np.moveaxis(arrays["shapedirs"][..., : int(arrays["num_betas"])], -1, 0)
    off = np.abs(directions[:, mirror] * flip - directions).max()
    yield Measurement("shape directions likewise", 1000 * float(off), "mm", most=1e-3)
    joints = arrays["J_regressor"].astype(np.float64) @ template
    yield Measurement("joints likewise", 1000 * float(np.abs(joints[MIRROR] * flip - joints).max()), "mm", most=1e-3)
    moved = arrays["J_regressor"] @ np.moveaxis(arrays["shapedirs"][..., SHAPE_SPACE:], -1, 0)
    yield Measurement("joints moved by an expression", 1000 * float(np.abs(moved).max()), "mm", most=0.1)


def _against_anny(body: Body, frames: int) -> Iterator[Measurement]:
    rng = np.random.default_rng(SEED)
    rest_joints = body.joints(motion_of(body, np.zeros((1, len(JOINTS), 3))))[0]
    kinds = {
        "rest": np.zeros((1, len(JOINTS), 3)),
        "signing": signing_poses(frames, rest_joints, rng),
        "random": random_poses(frames, rng),
    }
    # Limits on joints (mean, max), vertices (mean, 95th percentile, max), hands (mean): millimetres.
    limits = {
        "rest": (0.5, 2.5, 0.6, 2.0, 6.0, 0.5),
        "signing": (1.0, 3.0, 1.0, 3.0, 15.0, 1.5),
        "random": (1.5, 3.5, 1.6, 4.0, 40.0, 2.0),
    }
    betas = {name: betas_of(body, phenotype) for name, phenotype in PEOPLE.items()}
    hands = np.concatenate([body.parts["left_hand"], body.parts["right_hand"]])
    for kind, poses in kinds.items():
        joint_errors, errors = [], []
        for name, phenotype in PEOPLE.items():
            vertices, joints = pose_anny(phenotype, poses)
            motion = motion_of(body, poses, betas[name])
            errors.append(1000 * np.linalg.norm(body.vertices(motion) - vertices, axis=2))
            joint_errors.append(1000 * np.linalg.norm(body.joints(motion) - joints, axis=2))
        error, joint_error = np.concatenate(errors), np.concatenate(joint_errors)
        measured = {
            "joints against Anny's bones, mean": joint_error.mean(),
            "joints against Anny's bones, max": joint_error.max(),
            "vertices against Anny, mean": error.mean(),
            "vertices against Anny, 95 %": np.percentile(error, 95),
            "vertices against Anny, max": error.max(),
            "hands against Anny, mean": error[:, hands].mean(),
        }
        for (name, value), limit in zip(measured.items(), limits[kind], strict=True):
            yield Measurement(f"{kind} poses: {name}", float(value), "mm", most=limit)


def _jaw(body: Body) -> Iterator[Measurement]:
    poses = np.zeros((1, len(JOINTS), 3))
    poses[0, JOINTS.index("jaw"), 0] = JAW_OPEN
    turned = body.vertices(motion_of(body, poses))[0]
    motion = motion_of(body, np.zeros((1, len(JOINTS), 3)))
    expression = np.zeros_like(motion.expression)
    expression[0, load_anny().actions.index("jawOpen")] = 1.0
    shaped = body.vertices(replace(motion, expression=expression))[0]
    opened = 1000 * np.linalg.norm(shaped - body.vertices(motion)[0], axis=1).max()
    yield Measurement("chin moved by the jaw's full turn", float(opened), "mm", least=25.0)
    yield Measurement(
        "jaw joint against Anny's jawOpen, max", 1000 * float(np.abs(turned - shaped).max()), "mm", most=0.1
    )
