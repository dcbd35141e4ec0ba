"""Who signs: a random but realistic body, and what the choreography needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.body.anny import load_anny, pose_anny
from diffsign.geometry.skeleton import FINGERS, JOINTS
from diffsign.synthetic.choreography import Physique
from diffsign.synthetic.kinematics import EYES, HEAD, NECK, PELVIS, SHOULDER, SPINE3, Skeleton
from diffsign.synthetic.solids import Column

#: Anny's ages: 1/3 is a child, 2/3 a young adult, 1 old.
AGES = {"child": (0.34, 0.48), "adult": (0.62, 0.84), "old": (0.88, 1.0)}

#: Features that make faces differ, by Anny's names; those of both sides change together.
FACE_CHANGES = (
    "head-fat-incr", "chin-width-incr", "chin-prominent-incr", "chin-height-incr", "nose-scale-horiz-incr",
    "nose-hump-incr", "nose-volume-incr", "nose-scale-vert-incr", "forehead-scale-vert-incr", "mouth-scale-horiz-incr",
    "mouth-lowerlip-volume-incr", "mouth-upperlip-volume-incr", "eyebrows-trans-up", "eyebrows-angle-up",
)  # fmt: skip
PAIRED_CHANGES = (
    "cheek-bones-incr",
    "cheek-volume-incr",
    "eye-scale-incr",
    "ear-scale-incr",
    "hand-fingers-length-incr",
)


@dataclass(frozen=True)
class Person:
    """A body.

    Attributes:
        phenotype: Anny's phenotype values.
        local_changes: Anny's finer changes of shape.
        noun: what to call the person in a caption.
        physique: joints and solids at rest.
        rest: (V, 3) metres, the body in SMPL-X's rest pose, in body-file order.
    """

    phenotype: dict[str, float]
    local_changes: dict[str, float]
    noun: str
    physique: Physique
    rest: np.ndarray

    @property
    def head_top(self) -> float:
        """Metres, the top of the head above the pelvis at rest."""
        return float(self.rest[:, 1].max())


def random_person(rng: np.random.Generator, age: str) -> Person:
    """Return a random person of an age group (a key of :data:`AGES`)."""
    female = bool(rng.random() < 0.5)
    phenotype = {
        "gender": float(rng.uniform(0.88, 1.0) if female else rng.uniform(0.0, 0.12)),
        "age": float(rng.uniform(*AGES[age])),
        "muscle": float(rng.uniform(0.35, 0.65)),
        "weight": float(rng.uniform(0.35, 0.68)),
        "height": float(rng.uniform(0.35, 0.65)),
        "proportions": float(rng.uniform(0.4, 0.8)),
    }
    strength = np.clip(rng.normal(0.0, 0.3, len(FACE_CHANGES) + len(PAIRED_CHANGES)), -0.6, 0.6).tolist()
    changes: dict[str, float] = dict(zip(FACE_CHANGES, strength, strict=False))
    for name, value in zip(PAIRED_CHANGES, strength[len(FACE_CHANGES) :], strict=True):
        changes |= {f"l-{name}": value, f"r-{name}": value}
    words = {"child": ("a girl", "a boy"), "adult": ("a woman", "a man"), "old": ("an old woman", "an old man")}
    physique, rest = _measure(phenotype, changes)
    return Person(phenotype, changes, words[age][0 if female else 1], physique, rest)


def _measure(phenotype: dict[str, float], changes: dict[str, float]) -> tuple[Physique, np.ndarray]:
    vertices, joints = pose_anny(phenotype, np.zeros((1, len(JOINTS), 3)), local_changes=changes)
    vertices, joints = vertices[0].astype(np.float64), joints[0]
    landmarks = load_anny().landmarks
    tips = np.array([[vertices[landmarks[f"{side}{finger}"]] for finger in FINGERS] for side in "lr"])
    neck = joints[HEAD] - joints[NECK]
    head = vertices[vertices[:, 1] > joints[HEAD, 1] - 0.7 * neck[1]]
    high, wide = joints[NECK, 1], joints[SHOULDER["left"], 0]
    inside = (
        (vertices[:, 1] > joints[PELVIS, 1] - 0.05) & (vertices[:, 1] < high) & (np.abs(vertices[:, 0]) < 0.98 * wide)
    )
    physique = Physique(
        skeleton=Skeleton(joints, tips),
        head=Column.around(head - joints[HEAD]),
        torso=Column.around(vertices[inside] - joints[SPINE3]),
        eyes=joints[list(EYES)].mean(axis=0) - joints[HEAD],
    )
    return physique, vertices
