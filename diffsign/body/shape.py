"""Shape directions: principal components of Anny's phenotypes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.body.anny import AnnyBody, AnnyShape, world_rotations
from diffsign.progress import track

#: Phenotypes that the components are computed from, and how many components have a meaning.
SAMPLES = 240
MEANINGFUL = 20
SEED = 20241205


@dataclass(frozen=True)
class Shapes:
    """Many bodies in SMPL-X's zero pose, the pelvis at the origin, left and right alike.

    Attributes:
        vertices: (N, V, 3) float32, metres, body-file order.
        joints: (N, 55, 3) float64.
    """

    vertices: np.ndarray
    joints: np.ndarray


@dataclass(frozen=True)
class Components:
    """Principal components of shapes.

    Attributes:
        mean: (V, 3) float64.
        directions: (V, 3, K) float64, metres for one standard deviation.
        explained: (K,) float64, share of the variance that the first 1..K components keep.
        mixing: (K, N) float64, with which the directions are made of the samples' offsets from their mean;
            what else varies with the samples (their joints) has its own directions by it.
    """

    mean: np.ndarray
    directions: np.ndarray
    explained: np.ndarray
    mixing: np.ndarray


def draw_phenotypes(count: int, rng: np.random.Generator) -> list[dict[str, float]]:
    """Draw phenotypes of people who sign: a fifth are children, a fifth are old, builds vary about the middle."""
    group = rng.permutation(np.arange(count) % 5)
    low = np.choose(group, [0.15, 0.60, 0.60, 0.60, 0.85])
    high = np.choose(group, [0.60, 0.85, 0.85, 0.85, 1.00])
    values = {
        "gender": rng.beta(0.6, 0.6, count),
        "age": low + (high - low) * rng.random(count),
        **{name: rng.beta(2.0, 2.0, count) for name in ("muscle", "weight", "height", "proportions")},
    }
    return [{name: float(value[i]) for name, value in values.items()} for i in range(count)]


def zero_pose(anny: AnnyBody, rest: AnnyShape) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices (V, 3) in body-file order and joints (55, 3) of a body in SMPL-X's zero pose."""
    world = world_rotations(np.zeros((1, 55, 3)))
    vertices, heads = anny.skin(rest, world, rest.vertices[None])
    return vertices[0, anny.order], anny.joints(rest, heads, world)[0]


def symmetric(points: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return points (..., V, 3) made equal to their mirror image, in which ``mirror`` (V,) swaps the vertices."""
    return (points + points[..., mirror, :] * [-1.0, 1.0, 1.0]) / 2


def sample_shapes(anny: AnnyBody, count: int = SAMPLES, seed: int = SEED) -> Shapes:
    """Return ``count`` bodies of random phenotypes (:func:`draw_phenotypes`)."""
    from diffsign.geometry.skeleton import MIRROR

    people = draw_phenotypes(count, np.random.default_rng(seed))
    vertices = np.empty((count, len(anny.order), 3), dtype=np.float32)
    joints = np.empty((count, 55, 3))
    for i, phenotype in enumerate(track(people, "bodies")):
        body, skeleton = zero_pose(anny, anny.rest(phenotype))
        vertices[i] = symmetric(body, anny.mirror)
        joints[i] = (skeleton + skeleton[MIRROR] * [-1.0, 1.0, 1.0]) / 2
    return Shapes(vertices, joints)


def principal_components(vertices: np.ndarray, mirror: np.ndarray, count: int = MEANINGFUL) -> Components:
    """Return the first ``count`` principal components of shapes (N, V, 3).

    The sign of each is fixed: a larger coefficient makes the body taller.
    """
    samples = len(vertices)
    mean = vertices.mean(axis=0, dtype=np.float64)
    offsets = (vertices - mean).reshape(samples, -1)
    values, vectors = np.linalg.eigh(offsets @ offsets.T)
    order = np.argsort(values)[::-1][:count]
    explained = np.cumsum(values[::-1])[:count] / values.sum()
    mixing = vectors[:, order].T / np.sqrt(samples - 1)
    directions = (mixing @ offsets).reshape(count, *mean.shape)
    height = directions[:, mean[:, 1].argmax(), 1] - directions[:, mean[:, 1].argmin(), 1]
    sign = np.where(height < 0, -1.0, 1.0)
    directions = symmetric(directions * sign[:, None, None], mirror)
    return Components(symmetric(mean, mirror), np.moveaxis(directions, 0, -1), explained, mixing * sign[:, None])
