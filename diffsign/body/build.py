"""Builds the default body file: SMPL-X's format, made from Anny."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from diffsign.body.anny import load_anny
from diffsign.body.correctives import arm_correctives, jaw_correctives
from diffsign.body.hands import hand_components
from diffsign.body.landmarks import FaceSurface
from diffsign.body.regions import face_regions
from diffsign.body.shape import MEANINGFUL, principal_components, sample_shapes, symmetric, zero_pose
from diffsign.body.skeleton import (
    expression_directions,
    fold_weights,
    give_jaw_weights,
    joint_regressor,
)
from diffsign.files import atomic
from diffsign.geometry.skeleton import JOINTS, PARENTS

log = logging.getLogger(__name__)

#: Layout of SMPL-X's ``shapedirs``: 300 shape directions, then 100 expression directions.
SHAPE_SPACE, EXPRESSION_SPACE = 300, 100

LICENSE = "CC0-1.0 (MakeHuman base mesh, targets and rig), processed with Anny (NAVER, Apache-2.0)"
SOURCE = "Built by `diffsign body build` from Anny's phenotypes; holds nothing of SMPL-X but its file format."


def build_body() -> dict[str, np.ndarray]:
    """Return the arrays of the body file."""
    log.info("Constructing Anny (minutes the first time on a machine, while it writes its cache).")
    anny = load_anny()
    shapes = sample_shapes(anny)
    log.info("Computing components, joints and landmarks.")
    components = principal_components(shapes.vertices, anny.mirror)
    template = components.mean
    expressions = expression_directions(anny)
    default = symmetric(zero_pose(anny, anny.rest({}))[0], anny.mirror)

    regressor = joint_regressor(anny, components, shapes.joints, expressions)
    joints = regressor @ template
    opened, left, right = (expressions[anny.actions.index(name)] for name in ("jawOpen", "jawLeft", "jawRight"))
    jaw = joints[JOINTS.index("jaw")]
    folded = fold_weights(anny)
    weights = give_jaw_weights(folded, template, jaw, opened)
    posedirs = np.zeros((len(template), 3, 9 * (len(JOINTS) - 1)), dtype=np.float32)
    correctives = jaw_correctives(weights, template, jaw, opened, (left - right) / 2) | arm_correctives(anny, folded)
    for row, offsets in correctives.items():
        posedirs[..., row] = offsets

    surface = FaceSurface(anny, default, weights, expressions)
    landmark_faces, landmark_weights = surface.landmarks()
    contour_faces, contour_weights = surface.contours(landmark_faces, landmark_weights)

    shapedirs = np.zeros((len(template), 3, SHAPE_SPACE + EXPRESSION_SPACE), dtype=np.float32)
    shapedirs[..., : components.directions.shape[-1]] = components.directions
    shapedirs[..., SHAPE_SPACE : SHAPE_SPACE + len(expressions)] = np.moveaxis(expressions, 0, -1)
    parents = np.array(PARENTS)
    return {
        "v_template": template.astype(np.float32),
        "f": anny.faces.astype(np.uint32),
        "weights": weights.astype(np.float32),
        "J_regressor": regressor.astype(np.float32),
        "kintree_table": np.stack([parents, np.arange(len(parents))]),
        "shapedirs": shapedirs,
        "posedirs": posedirs,
        **{name: array.astype(np.float32) for name, array in hand_components(joints).items()},
        "lmk_faces_idx": landmark_faces[17:],
        "lmk_bary_coords": landmark_weights[17:].astype(np.float32),
        "dynamic_lmk_faces_idx": contour_faces,
        "dynamic_lmk_bary_coords": contour_weights.astype(np.float32),
        "joint_names": np.array(JOINTS),
        "num_betas": np.array(MEANINGFUL),
        "num_expressions": np.array(len(expressions)),
        "expression_names": np.array(anny.actions),
        "shape_variance": components.explained,
        "face_region": face_regions(anny, surface, landmark_faces, landmark_weights),
        "mirror": anny.mirror,
        "license": np.array(LICENSE),
        "source": np.array(SOURCE),
    }


def write_body(path: str | Path) -> Path:
    """Build the body and write it to ``path`` (``.npz``); the same bits however many threads there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            arrays = build_body()
    finally:
        torch.set_num_threads(threads)
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return Path(path)
