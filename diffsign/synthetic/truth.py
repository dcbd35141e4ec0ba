"""Ground truth of a clip: where every vertex and joint was, and the camera that saw them.

A synthetic clip stores the recipe that its body was posed by (a third of a megabyte) and recomputes the vertices; truth
from elsewhere stores vertices or joints as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError, nearest
from diffsign.geometry.camera import Camera
from diffsign.geometry.skeleton import JOINTS
from diffsign.records.archive import load_archive, save_archive

KIND, VERSION = "diffsign-truth", 1


@dataclass(frozen=True)
class Recipe:
    """What an Anny body was posed by; the arguments of :func:`diffsign.body.anny.pose_anny`.

    Attributes:
        phenotype: phenotype values by name, in [0, 1].
        local_changes: finer shape by name, in [−1, 1].
        rotvecs: (T, 55, 3) float32, axis-angle in radians relative to the parent joint.
        actions: (T, 52) float32, facial actions in [0, 1].
        transl: (T, 3) float32, metres, the pelvis in the world.
    """

    phenotype: dict[str, float]
    local_changes: dict[str, float]
    rotvecs: np.ndarray
    actions: np.ndarray
    transl: np.ndarray

    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Return vertices (T, V, 3) float32 in body-file order and joints (T, 55, 3) float64, metres, in the world."""
        from diffsign.body.anny import pose_anny

        return pose_anny(self.phenotype, self.rotvecs, self.actions, self.transl, self.local_changes)


@dataclass(frozen=True)
class Truth:
    """What is known about a clip.

    Attributes:
        joints: (T, 55, 3) float32 metres in the world, in the order of SMPL-X; NaN where a joint is not known.
        camera: the clip's camera.
        fps: frames per second, or None where the file does not say.
        recipe: what the body was posed by, for a synthetic clip.
        given_vertices: (T, V, 3) vertices as stored, for truth from elsewhere.
        seed: the synthetic signer's seed, or None.
        caption: the signer and the background in words; empty if unknown.
        glosses: sign at each frame (letters as ``#A``), empty in transitions; an empty list if unknown.
    """

    joints: np.ndarray
    camera: Camera
    fps: float | None
    recipe: Recipe | None = None
    given_vertices: np.ndarray | None = None
    seed: int | None = None
    caption: str = ""
    glosses: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def vertices(self) -> np.ndarray | None:
        """(T, V, 3) float32 metres in the world, in the body file's order; None where only joints are known."""
        return self.given_vertices if self.recipe is None else self.recipe.pose()[0]


def save_truth(path: str | Path, truth: Truth) -> None:
    """Write a truth to ``.npz`` (format ``diffsign-truth``); a recipe is stored instead of the vertices it makes."""
    arrays = {"joints": truth.joints.astype(np.float32), "joint_names": np.array(JOINTS)} | truth.camera.arrays()
    if truth.recipe is not None:
        recipe = truth.recipe
        arrays |= {
            "phenotype_names": np.array(list(recipe.phenotype), dtype=str),
            "phenotype_values": np.array(list(recipe.phenotype.values()), dtype=np.float64),
            "local_change_names": np.array(list(recipe.local_changes), dtype=str),
            "local_change_values": np.array(list(recipe.local_changes.values()), dtype=np.float64),
            "rotvecs": recipe.rotvecs.astype(np.float32),
            "actions": recipe.actions.astype(np.float32),
            "transl": recipe.transl.astype(np.float32),
        }
    elif truth.given_vertices is not None:
        arrays["vertices"] = truth.given_vertices.astype(np.float32)
    if truth.fps is not None:
        arrays["fps"] = np.array(truth.fps)
    if truth.seed is not None:
        arrays["seed"] = np.array(truth.seed)
    arrays |= {"caption": np.array(truth.caption), "glosses": np.array(truth.glosses, dtype=str)}
    save_archive(path, KIND, VERSION, arrays)


def load_truth(path: str | Path) -> Truth:
    """Read a truth: one written by :func:`save_truth`, or an archive from elsewhere.

    From elsewhere it needs ``K`` (3, 3), ``R`` (3, 3) and ``t`` (3,) as in :mod:`diffsign.geometry.camera`,
    and ``vertices`` (T, V, 3) in the body file's order, or ``joints`` (T, N, 3) with ``joint_names`` (N,) of SMPL-X's
    bones, or both. ``image_size`` (width, height), ``fps`` and ``caption`` are optional; without ``image_size`` the
    principal point is taken as the picture's middle.

    Raises:
        DiffSignError: if the file is missing, is no ``.npz``, lacks or misshapes one of these, or if its points are no
            person in metres before its camera.
    """
    arrays = load_archive(path, KIND, VERSION, foreign=True)
    for name in ("K", "R", "t", "vertices", "joints", "fps", "image_size"):
        if name in arrays and not np.issubdtype(arrays[name].dtype, np.number):
            raise DiffSignError(f"truth '{path}': '{name}' must hold numbers, not {arrays[name].dtype}.")
    camera = _camera(path, arrays)
    recipe = _recipe(arrays) if "rotvecs" in arrays else None
    vertices = arrays.get("vertices")
    fps = float(arrays["fps"]) if "fps" in arrays else None
    if fps is not None and not fps > 0:
        raise DiffSignError(f"truth '{path}': 'fps' must be above 0, not {fps:g}.")
    if vertices is not None and (vertices.ndim != 3 or vertices.shape[2] != 3):
        raise DiffSignError(f"'{path}': 'vertices' must have the shape (frames, vertices, 3), not {vertices.shape}.")
    joints = _joints(path, arrays, vertices)
    if vertices is not None and len(vertices) != len(joints):
        raise DiffSignError(f"'{path}': 'vertices' has {len(vertices)} frames and 'joints' has {len(joints)}.")
    _check_view(path, camera, joints if vertices is None else vertices)
    return Truth(
        joints=joints,
        camera=camera,
        fps=fps,
        recipe=recipe,
        given_vertices=None if vertices is None else vertices.astype(np.float32),
        seed=int(arrays["seed"]) if "seed" in arrays else None,
        caption=str(arrays.get("caption", "")),
        glosses=tuple(str(gloss) for gloss in arrays.get("glosses", ())),
    )


def _camera(path: str | Path, arrays: dict[str, np.ndarray]) -> Camera:
    for name, shape in (("K", (3, 3)), ("R", (3, 3)), ("t", (3,))):
        if name not in arrays:
            raise DiffSignError(
                f"truth '{path}' has no camera: '{name}' {shape} is missing (it holds {', '.join(arrays)})."
            )
        if arrays[name].shape != shape:
            raise DiffSignError(f"truth '{path}': '{name}' must have the shape {shape}, not {arrays[name].shape}.")
    rotation, intrinsics = arrays["R"].astype(np.float64), arrays["K"].astype(np.float64)
    if not (np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) and np.linalg.det(rotation) > 0):
        raise DiffSignError(f"truth '{path}': 'R' must be a rotation, from the world's axes to the camera's.")
    if not (np.isfinite(intrinsics).all() and intrinsics[0, 0] > 0 and intrinsics[1, 1] > 0):
        raise DiffSignError(f"truth '{path}': 'K' must have positive focal lengths, in pixels, on its diagonal.")
    if "image_size" in arrays and arrays["image_size"].shape != (2,):
        raise DiffSignError(f"truth '{path}': 'image_size' must be width and height, not {arrays['image_size']}.")
    if "image_size" not in arrays:
        arrays["image_size"] = np.round(2 * arrays["K"][:2, 2]).astype(int)
    return Camera.from_arrays(arrays)


def _check_view(path: str | Path, camera: Camera, points: np.ndarray) -> None:
    """Refuse points (T, N, 3) that are no person in metres before the camera: mistakes with units and axes."""
    known = points[np.isfinite(points).all(-1)]
    if not len(known):
        raise DiffSignError(f"truth '{path}' has no frame with a point that is a number.")
    frame = next(rows[np.isfinite(rows).all(-1)] for rows in points if np.isfinite(rows).all(-1).any())
    size = float(np.ptp(frame, axis=0).max())
    if len(frame) > 2 and not 0.05 < size < 5:
        raise DiffSignError(
            f"truth '{path}': the person is {size:.3g} m large; 'vertices' and 'joints' must be in metres."
        )
    seen = camera.to_camera(known)
    if np.median(seen[:, 2]) <= 0:
        raise DiffSignError(
            f"truth '{path}': the person is behind the camera; a world point X must be seen at R @ X + t, with x "
            "right, y down and z forward (docs/formats.md)."
        )
    pixels = camera.project(known[seen[:, 2] > 0])
    if not np.all((pixels >= 0) & (pixels <= [camera.width, camera.height]), axis=-1).any():
        raise DiffSignError(
            f"truth '{path}': no point of the person falls into the picture of {camera.width}x{camera.height} pixels; "
            "'K', 'R', 't' and 'image_size' must belong to the video."
        )


def _recipe(arrays: dict[str, np.ndarray]) -> Recipe:
    def table(kind: str) -> dict[str, float]:
        names, values = arrays[f"{kind}_names"], arrays[f"{kind}_values"]
        return {str(name): float(value) for name, value in zip(names, values, strict=True)}

    return Recipe(
        table("phenotype"), table("local_change"), arrays["rotvecs"], arrays["actions"], arrays["transl"]
    )  # fmt: skip


def _joints(path: str | Path, arrays: dict[str, np.ndarray], vertices: np.ndarray | None) -> np.ndarray:
    if "joints" not in arrays:
        if vertices is None:
            raise DiffSignError(
                f"truth '{path}' holds neither 'vertices' nor 'joints' (it holds {', '.join(arrays)}); "
                "see docs/formats.md."
            )
        return np.full((len(vertices), len(JOINTS), 3), np.nan, dtype=np.float32)
    given, names = arrays["joints"], [str(name) for name in arrays.get("joint_names", ())]
    if given.ndim != 3 or given.shape[1:] != (len(names), 3):
        raise DiffSignError(
            f"truth '{path}': 'joints' must have the shape (frames, {len(names)}, 3), one joint for each of the "
            f"{len(names)} 'joint_names', not {given.shape}."
        )
    joints = np.full((len(given), len(JOINTS), 3), np.nan, dtype=np.float32)
    for column, name in enumerate(names):
        if name not in JOINTS:
            raise DiffSignError(f"truth '{path}': there is no joint '{name}'{nearest(name, JOINTS)}.")
        joints[:, JOINTS.index(name)] = given[:, column]
    return joints
