"""Ground truth of a clip: where every vertex and joint was, and the camera that saw them.

A synthetic clip stores the recipe that its body was posed by (less than 0.1 MB for three seconds) and recomputes the
vertices; truth from elsewhere stores vertices or joints as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from diffsign.geometry.camera import Camera
from diffsign.geometry.skeleton import JOINTS
from diffsign.records.archive import save_archive

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

    def at(self, frames: slice | np.ndarray) -> Recipe:
        """Return the recipe of some frames."""
        return replace(self, rotvecs=self.rotvecs[frames], actions=self.actions[frames], transl=self.transl[frames])

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
