"""The avatar with its skeleton and animation (``.glb``, ``.blend``), built and written by Blender.

A rig is skinned: each vertex follows the joints by its weights, and the face its expressions. What the body model adds
to that in bent elbows and an open jaw is left out, and cloth and hair follow the body's weights.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from diffsign import processes
from diffsign.avatar.blender import blender_command, script_path
from diffsign.avatar.job import material_spec
from diffsign.avatar.outfit import Outfit, dress, rest_body
from diffsign.avatar.surfaces import Shell, Solid
from diffsign.body.model import Body
from diffsign.config.render import RenderSettings
from diffsign.errors import DiffSignError, missing_library
from diffsign.files import scratch
from diffsign.geometry.skeleton import JOINTS, PARENTS
from diffsign.records.motion import Motion

#: Joints that move one vertex; glTF viewers take four.
INFLUENCES = 4
#: An expression that never reaches this is left out.
EXPRESSED = 1e-3


def write_rig(motion: Motion, body: Body, settings: RenderSettings, out: Path) -> None:
    """Write the rig to ``out``, ``.glb`` or ``.blend``.

    Raises:
        DiffSignError: if Blender is missing or fails.
    """
    command = script_path("export_rig.py")
    with scratch("rig") as folder:
        _write_job(motion, body, settings, folder)
        done = processes.run(
            blender_command(settings.blender, command, str(folder), str(out.absolute())),
            env=os.environ | {"TMPDIR": str(folder)},
        )
    if done.returncode or not out.stat().st_size:
        said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
        if advice := missing_library(said):
            raise DiffSignError(f"Blender ({settings.blender or 'the bpy package'}) does not start: {advice}.")
        lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.startswith("problem ")]
        reason = lines[-1].removeprefix("problem ") if lines else f"it stopped with status {done.returncode}"
        raise DiffSignError(
            f"Blender ({settings.blender or 'the bpy package'}) could not write the rig: {reason}. Check that it runs "
            "here (pip install bpy, or give the path of an installed Blender)."
        )


def _write_job(motion: Motion, body: Body, settings: RenderSettings, folder: Path) -> None:
    resting = rest_body(body, betas=motion.betas)
    outfit = dress(resting, settings)
    used = np.flatnonzero(np.abs(motion.expression).max(axis=0) > EXPRESSED)
    names = body.expression_names or tuple(f"expression {i}" for i in range(body.n_expression))
    quaternions = Rotation.from_rotvec(motion.full_pose.reshape(-1, 3)).as_quat().reshape(len(motion), -1, 4)
    arrays: dict[str, np.ndarray] = {
        "rest": body.rest_joints(motion.betas),
        "rotations": _continuous(quaternions[..., [3, 0, 1, 2]]),
        "location": motion.transl,
        "expression": motion.expression[:, used],
    }
    objects: list[dict[str, Any]] = []
    materials = [material for mesh in outfit.meshes for material in mesh.materials]
    start = 0
    for index, mesh in enumerate(outfit.meshes):
        has_face = mesh.name == "body"
        arrays |= _mesh_arrays(outfit, index, resting.vertices, body, used if has_face else used[:0])
        count = len(mesh.materials)
        shapes = [names[i] for i in used] if has_face else []
        objects.append({"name": mesh.name, "materials": list(range(start, start + count)), "shapes": shapes})
        start += count
    rig = {
        "joints": JOINTS,
        "parents": PARENTS,
        "fps": motion.fps,
        "materials": [material_spec(material, i, folder) for i, material in enumerate(materials)],
        "objects": objects,
    }
    (folder / "rig.json").write_text(json.dumps(rig), encoding="utf-8")
    np.savez(folder / "rig.npz", **arrays)


def _mesh_arrays(
    outfit: Outfit, index: int, vertices: np.ndarray, body: Body, expressions: np.ndarray
) -> dict[str, np.ndarray]:
    mesh, part = outfit.meshes[index], outfit.parts[index]
    joints, weights = _strongest(_weights(part, body.skinning_weights))
    arrays = {
        "vertices": part.positions(vertices[None].astype(np.float32))[0],
        "faces": mesh.faces,
        "material": mesh.face_material,
        "joints": joints,
        "weights": weights,
    }
    if mesh.uv is not None:
        arrays["uv"] = mesh.uv
    if len(expressions) and isinstance(part, Shell):
        directions = body.expression_directions[..., expressions]
        flat = part.matrix @ directions.reshape(len(directions), -1)
        arrays["shapes"] = np.moveaxis(flat.reshape(-1, 3, len(expressions)), -1, 0)
    return {f"{mesh.name} {name}": array for name, array in arrays.items()}


def _weights(part: Shell | Solid, weights: np.ndarray) -> np.ndarray:
    """Return the weights (N, 55) of a surface's vertices for those of the body, (V, 55)."""
    if isinstance(part, Shell):
        return np.asarray(part.matrix @ weights)
    return np.tile(weights[part.anchors].mean(axis=0), (len(part.points), 1))


def _strongest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the joints (N, 4) that move each vertex most, and their weights, which sum to one."""
    joints = np.argsort(-weights, axis=1)[:, :INFLUENCES]
    strongest = np.maximum(np.take_along_axis(weights, joints, axis=1), 0)
    strongest[strongest < 1e-4] = 0
    return joints, strongest / strongest.sum(axis=1, keepdims=True)


def _continuous(quaternions: np.ndarray) -> np.ndarray:
    """Return quaternions (T, J, 4) without a change of sign from one frame to the next."""
    turns = np.sign((quaternions[1:] * quaternions[:-1]).sum(axis=-1))
    turns[turns == 0] = 1
    signs = np.concatenate([np.ones((1, quaternions.shape[1])), np.cumprod(turns, axis=0)])
    return quaternions * signs[..., None]
