"""Reading the ground truth of a clip, the synthetic signer's or anybody else's, for the benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError, nearest
from diffsign.geometry.camera import Camera
from diffsign.geometry.skeleton import JOINTS
from diffsign.records.archive import load_archive
from diffsign.synthetic.truth import KIND, VERSION, Recipe, Truth


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
