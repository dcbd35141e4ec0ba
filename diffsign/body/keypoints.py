"""The 137 OpenPose points on a body of SMPL-X's format: which joints and vertices each is made of."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.geometry.skeleton import JOINTS
from diffsign.records.keypoints import BODY_NAMES, COUNT, NAMES


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


def _vertex_ids() -> dict[str, int]:
    """Return the vertices of nose, eyes, ears, fingertips and feet by the names that ``smplx`` gives them.

    Its table is read without importing the package, which would import torch for two seconds.
    """
    spec = find_spec("smplx")
    if spec is None or spec.origin is None:
        raise DiffSignError("the package smplx is missing; run `pip install smplx`.")
    return run_path(str(Path(spec.origin).with_name("vertex_ids.py")))["vertex_ids"]["smplx"]


def landmark_definition(arrays: dict[str, np.ndarray], faces: np.ndarray) -> LandmarkDefinition:
    """Return what the points are made of, for the arrays of a body file and its triangles (F, 3)."""
    ids = _vertex_ids()
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
