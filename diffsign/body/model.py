"""Bodies in SMPL-X's file format: read, posed in batches, and looked at as OpenPose keypoints.

Reads the default body file (``diffsign body build``) and the official ``SMPLX_NEUTRAL.npz`` alike. Nothing is
unpickled: object arrays, of which the official file has some, are never read.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.geometry.kinematics import forward, world_rotations
from diffsign.geometry.skeleton import FINGERS, JOINTS
from diffsign.records.keypoints import BODY_NAMES, COUNT, NAMES
from diffsign.records.motion import Motion

#: Arrays of an SMPL-X file that are needed, with the number of dimensions each has.
NEEDED = {
    "v_template": 2,
    "f": 2,
    "weights": 2,
    "J_regressor": 2,
    "kintree_table": 2,
    "shapedirs": 3,
    "posedirs": 3,
    "hands_meanl": 1,
    "hands_meanr": 1,
    "hands_componentsl": 2,
    "hands_componentsr": 2,
    "lmk_faces_idx": 1,
    "lmk_bary_coords": 2,
    "dynamic_lmk_faces_idx": 2,
    "dynamic_lmk_bary_coords": 3,
}

#: Vertices and joints of models that are taken for SMPL-X.
RELATIVES = {(6890, 24): "SMPL", (6890, 52): "SMPL-H", (778, 16): "MANO", (5023, 5): "FLAME"}

#: Coefficients used of an official file, as SMPLify-X does.
OFFICIAL_BETAS, OFFICIAL_EXPRESSIONS = 10, 10
SHAPE_SPACE = 300

#: Every value that ``Body.face_regions`` can take.
REGIONS = (
    *("head", "neck", "torso", "upper_arm", "forearm", "hand", "hips", "leg", "foot"),
    *("scalp", "brow", "eye", "mouth", "lips"),
)

#: Region of the triangles that a joint moves most.
JOINT_REGION = {
    "pelvis": "hips",
    "hip": "leg",
    "knee": "leg",
    "ankle": "foot",
    "foot": "foot",
    "spine1": "torso",
    "spine2": "torso",
    "spine3": "torso",
    "collar": "torso",
    "neck": "neck",
    "head": "head",
    "jaw": "head",
    "eye_smplhf": "eye",
    "shoulder": "upper_arm",
    "elbow": "forearm",
    "wrist": "hand",
    **{f"{finger}{i}": "hand" for finger in FINGERS for i in (1, 2, 3)},
}

#: Frames that are skinned at once.
CHUNK = 64


def joint_regions() -> list[str]:
    """Return the region of each of the 55 joints."""
    return [JOINT_REGION[name.removeprefix("left_").removeprefix("right_")] for name in JOINTS]


def limb_regions(weights: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the region (F,) of each triangle by the joint that moves its corners (``weights``: (V, 55)) most."""
    return np.array(joint_regions(), dtype="<U9")[weights[faces].sum(axis=1).argmax(axis=1)]


@dataclass(frozen=True)
class LandmarkDefinition:
    """The 137 OpenPose points as weighted means of joints and of a few vertices.

    ``joint_weights @ joints + vertex_weights @ vertices[used]`` are the points, in the order of
    :data:`diffsign.records.keypoints.NAMES`, with the face's contour as seen from the front.

    Attributes:
        joint_weights: (137, 55) float32.
        used: (M,) int64, the vertices needed, those of the turned contours included.
        vertex_weights: (137, M) float32.
        contour_weights: (79, 17, M) float32, the contour (points 67 to 83) by the head's turn:
            row :func:`contour_row`.
    """

    joint_weights: np.ndarray
    used: np.ndarray
    vertex_weights: np.ndarray
    contour_weights: np.ndarray


def contour_row(turn: np.ndarray) -> np.ndarray:
    """Return the row of the contour table for the head's turn in radians, positive to the signer's left.

    The order of the rows is that of ``smplx``: 0 to −39°, then 1 to 39°.
    """
    degrees = np.clip(np.rint(np.degrees(turn)), -39, 39).astype(np.int64)
    return np.where(degrees <= 0, -degrees, degrees + 39)


@dataclass(frozen=True)
class Body:
    """A body model. Get one from :func:`load_body`.

    Attributes:
        model: ``smplx.SMPLX`` with full hand poses about the flat hand and the face's contour.
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

    model: Any = field(repr=False)
    faces: np.ndarray = field(repr=False)
    n_betas: int
    n_expression: int
    expression_names: tuple[str, ...] = field(repr=False)
    sha256: str
    parts: dict[str, np.ndarray] = field(repr=False)
    face_regions: np.ndarray = field(repr=False)
    landmarks: LandmarkDefinition = field(repr=False)
    _arrays: dict[str, np.ndarray] = field(repr=False)

    def landmark_definition(self) -> LandmarkDefinition:
        """Return what each of the 137 points is made of, for code that skins only what it needs."""
        return self.landmarks

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
    """
    path = require_file(path, "body file")
    arrays, extra, has_objects = _read(path)
    _check_shapes(path, arrays)
    known_betas = int(extra.get("num_betas", OFFICIAL_BETAS))
    known_expressions = int(extra.get("num_expressions", OFFICIAL_EXPRESSIONS))
    n_betas = min(n_betas or known_betas, SHAPE_SPACE)
    n_expression = min(n_expression or known_expressions, arrays["shapedirs"].shape[-1] - SHAPE_SPACE)
    with _without_objects(path, arrays, has_objects) as plain:
        model = _make_model(plain, n_betas, n_expression)
    faces = arrays["f"].astype(np.int64)
    weights = arrays["weights"].astype(np.float32)
    regions = extra.get("face_region", limb_regions(weights, faces))
    return Body(
        model=model,
        faces=faces,
        n_betas=n_betas,
        n_expression=n_expression,
        expression_names=tuple(str(name) for name in extra.get("expression_names", ())[:n_expression]),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        parts=_parts(weights, arrays, faces),
        face_regions=regions,
        landmarks=_landmarks(arrays, faces),
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


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], bool]:
    """Return the needed arrays, ours besides, and whether the file holds pickled objects (which stay unread)."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            start = stream.read(2)
        kind = "is a Python pickle" if start[:1] == b"\x80" or path.suffix == ".pkl" else "is no .npz archive"
        raise DiffSignError(
            f"body file '{path}' {kind}; give SMPL-X's .npz file, or make the default one with `diffsign body build`."
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            _check_kind(path, archive)
            arrays = {name: archive[name] for name in NEEDED}
            extra = {
                name: archive[name]
                for name in ("num_betas", "num_expressions", "expression_names", "face_region")
                if name in archive.files
            }
        with zipfile.ZipFile(path) as archive:
            has_objects = any(_is_object(archive, name) for name in archive.namelist())
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, DiffSignError):
            raise
        raise DiffSignError(f"body file '{path}' cannot be read as an SMPL-X .npz: {error}.") from error
    return arrays, extra, has_objects


def _is_object(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(stream)[2].hasobject


def _check_kind(path: Path, archive: Any) -> None:
    missing = [name for name in NEEDED if name not in archive.files]
    if "v_template" in archive.files and "weights" in archive.files:
        size = (len(archive["v_template"]), archive["weights"].shape[-1])
        if size in RELATIVES:
            raise DiffSignError(
                f"body file '{path}' is a {RELATIVES[size]} model ({size[0]} vertices, {size[1]} joints), but SMPL-X "
                "(hands and face included, 55 joints) is needed; give SMPLX_NEUTRAL.npz or the file that "
                "`diffsign body build` writes."
            )
    if missing:
        raise DiffSignError(
            f"body file '{path}' is no SMPL-X .npz: it lacks {', '.join(missing)}; give SMPLX_NEUTRAL.npz or the file "
            "that `diffsign body build` writes."
        )


def _check_shapes(path: Path, arrays: dict[str, np.ndarray]) -> None:
    vertices = len(arrays["v_template"])
    expected = {
        "v_template": (vertices, 3),
        "weights": (vertices, 55),
        "J_regressor": (55, vertices),
        "kintree_table": (2, 55),
        "posedirs": (vertices, 3, 486),
        "lmk_faces_idx": (51,),
        "lmk_bary_coords": (51, 3),
        "dynamic_lmk_faces_idx": (79, 17),
        "dynamic_lmk_bary_coords": (79, 17, 3),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise DiffSignError(
                f"'{name}' of body file '{path}' has the shape {arrays[name].shape}, but SMPL-X has {shape}."
            )
    columns = arrays["shapedirs"].shape[-1]
    if arrays["shapedirs"].shape[:2] != (vertices, 3) or columns <= SHAPE_SPACE:
        raise DiffSignError(
            f"'shapedirs' of body file '{path}' has {columns} columns, but 300 for the shape and up to 100 for the "
            "expression are needed; SMPL-X files of 2019 (version 1.0, 20 columns) have to be replaced by version 1.1."
        )


@contextmanager
def _without_objects(path: Path, arrays: dict[str, np.ndarray], has_objects: bool) -> Iterator[Path]:
    """Give a file that ``smplx``, which unpickles whatever it finds, reads safely: ``path`` or a copy of the arrays."""
    if not has_objects:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "body.npz"
        np.savez(copy, **arrays)  # type: ignore[arg-type]
        yield copy


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
        "joints": regressor @ template,
        "joint_directions": np.tensordot(regressor, directions, axes=1),
        "corrective_rows": rows,
        "correctives": np.ascontiguousarray(np.moveaxis(arrays["posedirs"][..., rows], -1, 0), dtype=np.float32),
    }


def _parts(weights: np.ndarray, arrays: dict[str, np.ndarray], faces: np.ndarray) -> dict[str, np.ndarray]:
    """Vertex numbers of the parts, by the joint that moves each vertex most; the face by its landmarks' extent."""
    regions = np.array(joint_regions())[weights.argmax(axis=1)]
    side = np.array(["right" if name.startswith("right_") else "left" for name in JOINTS])[weights.argmax(axis=1)]
    head = np.isin(regions, ("head", "eye"))
    marks = faces[np.concatenate([arrays["lmk_faces_idx"], arrays["dynamic_lmk_faces_idx"][0]]).astype(np.int64)]
    points = arrays["v_template"][marks.ravel()]
    low, high = points.min(axis=0), points.max(axis=0)
    inside = np.all(
        (arrays["v_template"] >= low - 1e-6)[:, [0, 2]] & (arrays["v_template"] <= high + 0.02)[:, [0, 2]], axis=1
    )
    tall = (arrays["v_template"][:, 1] >= low[1] - 1e-6) & (arrays["v_template"][:, 1] <= high[1] + 0.03)
    return {
        "upper_body": np.flatnonzero(np.isin(regions, ("torso", "neck", "upper_arm", "forearm", "head", "eye"))),
        "left_hand": np.flatnonzero((regions == "hand") & (side == "left")),
        "right_hand": np.flatnonzero((regions == "hand") & (side == "right")),
        "head": np.flatnonzero(head),
        "face": np.flatnonzero(head & inside & tall),
    }


def _landmarks(arrays: dict[str, np.ndarray], faces: np.ndarray) -> LandmarkDefinition:
    from smplx.vertex_ids import vertex_ids

    ids = vertex_ids["smplx"]
    corners = faces[arrays["lmk_faces_idx"].astype(np.int64)]
    turned = faces[arrays["dynamic_lmk_faces_idx"].astype(np.int64)]
    used, place = np.unique(np.concatenate([corners.ravel(), turned.ravel(), list(ids.values())]), return_inverse=True)
    corners, turned = np.split(place[: corners.size + turned.size], [corners.size])
    by_id = dict(zip(ids, place[-len(ids) :], strict=True))
    vertex_weights = np.zeros((COUNT, len(used)), dtype=np.float32)
    joint_weights = np.zeros((COUNT, len(JOINTS)), dtype=np.float32)
    inner = np.arange(84, 135)
    np.add.at(vertex_weights, (np.repeat(inner, 3), corners), arrays["lmk_bary_coords"].ravel())
    contour_weights = np.zeros((79, 17, len(used)), dtype=np.float32)
    rows, columns = np.divmod(np.repeat(np.arange(79 * 17), 3), 17)
    np.add.at(contour_weights, (rows, columns, turned), arrays["dynamic_lmk_bary_coords"].ravel())
    vertex_weights[67:84] = contour_weights[0]
    for point, (kind, name) in openpose_sources().items():
        if kind == "vertex":
            vertex_weights[point, by_id[name]] = 1.0
        else:
            for joint in name.split():
                joint_weights[point, JOINTS.index(joint)] = 1.0 / len(name.split())
    return LandmarkDefinition(joint_weights, used, vertex_weights, contour_weights)


def openpose_sources() -> dict[int, tuple[str, str]]:
    """Return for each OpenPose point but the face's 68 its source: ("joint", names) or ("vertex", name in smplx)."""
    vertices = {
        "nose": "nose",
        **{f"{side}_{part}": f"{side[0]}{part}" for side in ("left", "right") for part in ("eye", "ear")},
        **{f"{side}_pupil": f"{side[0]}eye" for side in ("left", "right")},
        **{
            f"{side}_{toe}": side[0].upper() + smplx_name
            for side in ("left", "right")
            for toe, smplx_name in (("big_toe", "BigToe"), ("small_toe", "SmallToe"), ("heel", "Heel"))
        },
    }
    joints = {"neck": "left_shoulder right_shoulder", "mid_hip": "left_hip right_hip"}
    sources: dict[int, tuple[str, str]] = {}
    for point, name in enumerate(NAMES):
        if name.startswith("face_"):
            continue
        tip = name.endswith("4") and name not in BODY_NAMES
        if "_hand_" in name:
            side, part = name.split("_hand_")
            sources[point] = ("vertex", side[0] + part[:-1]) if tip else ("joint", f"{side}_{part}")
        elif name in vertices:
            sources[point] = ("vertex", vertices[name])
        else:
            sources[point] = ("joint", joints.get(name, name))
    return sources
