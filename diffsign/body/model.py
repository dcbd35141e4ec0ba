"""Bodies in SMPL-X's file format: read, posed in batches, and looked at as OpenPose keypoints.

Reads the default body file (``diffsign body build``) and the official ``SMPLX_NEUTRAL.npz`` alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from diffsign.body.archive import SHAPE_SPACE, read_arrays, without_objects
from diffsign.body.keypoints import LandmarkDefinition, contour_row, landmark_definition
from diffsign.body.parts import limb_regions, vertex_parts
from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.geometry.kinematics import forward, world_rotations
from diffsign.geometry.skeleton import JOINTS
from diffsign.records.motion import Motion

#: Coefficients used of an official file, as SMPLify-X does.
OFFICIAL_BETAS, OFFICIAL_EXPRESSIONS = 10, 10

#: Frames that are skinned at once.
CHUNK = 64


@dataclass(frozen=True)
class Body:
    """A body model. Get one from :func:`load_body`.

    Examples:
        Raise the right arm by 60° and see where the wrist is:

        >>> from diffsign.geometry.camera import Camera
        >>> from diffsign.geometry.skeleton import JOINTS
        >>> body = load_body(body_path)
        >>> motion = Motion.rest(1, Camera.facing(512, 512, 800.0), 24.0, body.n_betas, body.n_expression)
        >>> pose = motion.full_pose
        >>> pose[0, JOINTS.index("right_shoulder")] = [0, 0, -np.pi / 3]
        >>> raised = body.joints(motion.with_pose(pose))
        >>> bool(raised[0, JOINTS.index("right_wrist"), 1] > body.joints(motion)[0, JOINTS.index("head"), 1])
        True
        >>> body.vertices(motion).shape, body.keypoints(motion).shape
        ((1, 13718, 3), (1, 137, 3))

    Attributes:
        path: the file.
        faces: (F, 3) int64 triangles.
        n_betas: how many shape coefficients have a meaning.
        n_expression: how many expression coefficients have a meaning.
        expression_names: their names, if the file has any.
        sha256: of the file.
        parts: vertex numbers by name: "upper_body" (without the hands), "left_hand", "right_hand", "head"
            (scalp, ears and neck included, as far as the head moves them), "face".
        face_regions: (F,) one of :data:`REGIONS`.
        landmarks: what the OpenPose points are made of.
    """

    path: Path
    faces: np.ndarray = field(repr=False)
    n_betas: int
    n_expression: int
    expression_names: tuple[str, ...] = field(repr=False)
    sha256: str
    parts: dict[str, np.ndarray] = field(repr=False)
    face_regions: np.ndarray = field(repr=False)
    landmarks: LandmarkDefinition = field(repr=False)
    _arrays: dict[str, np.ndarray] = field(repr=False)

    @cached_property
    def model(self) -> Any:
        """``smplx.SMPLX`` with full hand poses about the flat hand and the face's contour.

        Made when it is first asked for, because importing torch takes longer than posing a clip.
        """
        arrays, _, has_objects = read_arrays(self.path)
        with without_objects(self.path, arrays, has_objects) as plain:
            return _make_model(plain, self.n_betas, self.n_expression)

    @property
    def skinning_weights(self) -> np.ndarray:
        """(V, 55) float32, by how much each joint moves each vertex."""
        return self._arrays["weights"]

    @property
    def expression_directions(self) -> np.ndarray:
        """(V, 3, n_expression) float32, metres that each expression moves each vertex at rest."""
        return self._arrays["directions"][..., self.n_betas :]

    @property
    def joint_regressor(self) -> np.ndarray:
        """(55, V) float64, the joints at rest as means of the vertices at rest."""
        return self._arrays["regressor"]

    def coefficients(self, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
        """Return betas (n_betas,) and expression (T, n_expression) of a motion, cut or filled with zeros.

        Raises:
            DiffSignError: if the motion uses a coefficient that this body does not have.
        """
        return (
            _fit_columns(motion.betas[None], self.n_betas, "shape")[0],
            _fit_columns(motion.expression, self.n_expression, "expression"),
        )

    def joints(self, motion: Motion) -> np.ndarray:
        """Return the joints (T, 55, 3) float32 in the world, metres."""
        joints = self._pose(motion)[0]
        return (joints + motion.transl[:, None]).astype(np.float32)

    def rest_joints(self, betas: np.ndarray) -> np.ndarray:
        """Return the joints (55, 3) float64 at rest, metres, of the shape ``betas`` with a neutral face."""
        coefficients = np.zeros(self.n_betas + self.n_expression)
        coefficients[: self.n_betas] = _fit_columns(np.asarray(betas)[None], self.n_betas, "shape")[0]
        return self._arrays["joints"] + self._arrays["joint_directions"] @ coefficients

    def vertices(self, motion: Motion, only: np.ndarray | None = None) -> np.ndarray:
        """Return vertices (T, V, 3) float32 in the world, metres.

        Args:
            motion: what to pose.
            only: vertex numbers, to skin no others; all by default.
        """
        _, transforms, coefficients, feature = self._pose(motion)
        arrays = self._arrays
        pick = slice(None) if only is None else np.asarray(only)
        template, weights = arrays["template"][pick], arrays["weights"][pick]
        directions, correctives = arrays["directions"][pick], arrays["correctives"][:, pick]
        count = len(template)
        out = np.empty((len(motion), count, 3), dtype=np.float32)
        flat_directions = np.moveaxis(directions, -1, 0).reshape(directions.shape[-1], -1)
        flat_correctives = correctives.reshape(len(correctives), count * 3)
        for start in range(0, len(motion), CHUNK):
            part = slice(start, start + CHUNK)
            shaped = coefficients[part] @ flat_directions + feature[part] @ flat_correctives
            shaped = shaped.reshape(-1, count, 3) + template
            blended = (weights @ transforms[part].reshape(len(shaped), 55, 12)).reshape(-1, count, 3, 4)
            posed = np.einsum("tvij,tvj->tvi", blended[..., :3], shaped) + blended[..., 3]
            out[part] = posed + motion.transl[part, None]
        return out

    def keypoints(self, motion: Motion) -> np.ndarray:
        """Return the 137 OpenPose points (T, 137, 3) float32 in the world, metres.

        Neck and mid-hip are the middles of the shoulders and of the hips, as OpenPose marks them; the eyes and
        pupils are the fronts of the eyeballs; the contour of the face follows the head's turn to the camera.
        """
        joints = self.joints(motion)
        definition = self.landmarks
        vertices = self.vertices(motion, definition.used)
        points = definition.joint_weights @ joints + definition.vertex_weights @ vertices
        contour = definition.contour_weights[contour_row(self.head_turn(motion))]
        points[:, 67:84] = contour @ vertices
        return points.astype(np.float32)

    def head_turn(self, motion: Motion) -> np.ndarray:
        """Return by how much the head is turned from the camera (T,), radians, positive to the signer's left."""
        rotations = Rotation.from_rotvec(motion.full_pose.reshape(-1, 3)).as_matrix().reshape(-1, 55, 3, 3)
        world = world_rotations(rotations)
        ahead = world[:, JOINTS.index("head"), :, 2] @ motion.camera.R.T
        return np.arctan2(ahead[:, 0], -ahead[:, 2])

    def _pose(self, motion: Motion) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Joints (T, 55, 3), transforms (T, 55, 3, 4), coefficients (T, B + E), pose features (T, P)."""
        betas, expression = self.coefficients(motion)
        frames = len(motion)
        coefficients = np.concatenate([np.tile(betas, (frames, 1)), expression], axis=1).astype(np.float32)
        rest = self._arrays["joints"] + np.tensordot(coefficients, self._arrays["joint_directions"], axes=(1, 2))
        local = Rotation.from_rotvec(motion.full_pose.reshape(-1, 3)).as_matrix().reshape(frames, 55, 3, 3)
        world, joints = forward(local, rest)
        offset = joints - np.einsum("tjab,tjb->tja", world, rest)
        transforms = np.concatenate([world, offset[..., None]], axis=-1).astype(np.float32)
        feature = (local[:, 1:] - np.eye(3)).reshape(frames, -1)[:, self._arrays["corrective_rows"]]
        return joints, transforms, coefficients, feature.astype(np.float32)


def _fit_columns(values: np.ndarray, count: int, what: str) -> np.ndarray:
    have = values.shape[-1]
    if have > count and np.any(values[..., count:]):
        used = int(np.flatnonzero(np.any(values.reshape(-1, have) != 0, axis=0)).max()) + 1
        raise DiffSignError(
            f"the motion uses {used} {what} coefficients, but this body has only {count}; "
            "pose it with the body file that it was fitted with."
        )
    return np.pad(values[..., :count], ((0, 0), (0, max(0, count - have))))


def load_body(path: str | Path, n_betas: int | None = None, n_expression: int | None = None) -> Body:
    """Read a body file in the format of SMPL-X.

    Args:
        path: ``.npz``: what ``diffsign body build`` wrote, or an official SMPL-X file.
        n_betas: shape coefficients to use; all that have a meaning by default (of an official file 10).
        n_expression: expression coefficients to use; likewise.

    Raises:
        DiffSignError: if the file is missing, is no SMPL-X ``.npz`` (SMPL, SMPL-H, MANO and FLAME files are
            recognised, pickles refused), or lacks arrays.

    Examples:
        >>> body = load_body(body_path)  # resources/body/body.npz after `snakemake --cores 2`
        >>> body.faces.shape, body.n_betas, body.expression_names[3]
        ((27420, 3), 20, 'browOuterUpLeft')
    """
    path = require_file(path, "body file")
    arrays, extra, _ = read_arrays(path)
    known_betas = int(extra.get("num_betas", OFFICIAL_BETAS))
    known_expressions = int(extra.get("num_expressions", OFFICIAL_EXPRESSIONS))
    n_betas = min(n_betas or known_betas, SHAPE_SPACE)
    n_expression = min(n_expression or known_expressions, arrays["shapedirs"].shape[-1] - SHAPE_SPACE)
    faces = arrays["f"].astype(np.int64)
    weights = arrays["weights"].astype(np.float32)
    regions = extra.get("face_region", limb_regions(weights, faces))
    return Body(
        path=path,
        faces=faces,
        n_betas=n_betas,
        n_expression=n_expression,
        expression_names=tuple(str(name) for name in extra.get("expression_names", ())[:n_expression]),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        parts=vertex_parts(weights, arrays, faces),
        face_regions=regions,
        landmarks=landmark_definition(arrays, faces),
        _arrays=_skinning_arrays(arrays, n_betas, n_expression),
    )


def _make_model(path: Path, n_betas: int, n_expression: int) -> Any:
    import smplx

    return smplx.SMPLX(
        str(path),
        ext="npz",
        num_betas=n_betas,
        num_expression_coeffs=n_expression,
        use_pca=False,
        flat_hand_mean=True,
        use_face_contour=True,
    )


def _skinning_arrays(arrays: dict[str, np.ndarray], n_betas: int, n_expression: int) -> dict[str, np.ndarray]:
    shapedirs = arrays["shapedirs"]
    directions = np.concatenate(
        [shapedirs[..., :n_betas], shapedirs[..., SHAPE_SPACE : SHAPE_SPACE + n_expression]], axis=-1
    ).astype(np.float32)
    template = arrays["v_template"].astype(np.float32)
    regressor = arrays["J_regressor"].astype(np.float64)
    rows = np.flatnonzero(np.any(arrays["posedirs"], axis=(0, 1)))
    return {
        "template": template,
        "directions": directions,
        "weights": arrays["weights"].astype(np.float32),
        "regressor": regressor,
        "joints": regressor @ template,
        "joint_directions": np.tensordot(regressor, directions, axes=1),
        "corrective_rows": rows,
        "correctives": np.ascontiguousarray(np.moveaxis(arrays["posedirs"][..., rows], -1, 0), dtype=np.float32),
    }
