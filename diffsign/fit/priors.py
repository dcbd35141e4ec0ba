"""Priors on the pose, each a sum of squares in the joints' rotation vectors.

Values, gradients and Gauss-Newton matrices leave out the usual factors of a half and two: the value
is ``Σ r²``, the gradient ``Jᵀ r``, the matrix ``Jᵀ J``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.hinges import TENDON, TENDON_SIGMA, angle_table, hinge_frames

JOINTS = 55
POSE_SIZE = 3 * JOINTS
JAW, EYES, HANDS = 22, slice(23, 25), slice(25, 55)
#: Joint, axis and sign of the published bending prior: exp(sign · angle) is large when over-stretched.
BENDING = ((18, 1, 1.0), (19, 1, -1.0), (4, 0, -1.0), (5, 0, -1.0))


@dataclass(frozen=True)
class Term:
    """A sum of squares of T poses, its matrix given by the blocks that are not zero.

    Attributes:
        value: (T,).
        gradient: (T, 55, 3).
        blocks: (T, 55, 3, 3) the matrix's blocks on the diagonal, one a joint.
        pairs: (n, 2) int, joints i ≠ j whose block (i, j) is not zero; each pair once.
        couplings: (T, n, 3, 3) those blocks.
    """

    value: np.ndarray
    gradient: np.ndarray
    blocks: np.ndarray
    pairs: np.ndarray
    couplings: np.ndarray

    def __add__(self, other: Term) -> Term:
        return Term(
            self.value + other.value,
            self.gradient + other.gradient,
            self.blocks + other.blocks,
            np.concatenate([self.pairs, other.pairs]),
            np.concatenate([self.couplings, other.couplings], axis=1),
        )

    def weighted(self, weight: float) -> Term:
        """Return the term times the square of ``weight``."""
        w = weight**2
        return Term(w * self.value, w * self.gradient, w * self.blocks, self.pairs, w * self.couplings)


def uncoupled(value: np.ndarray, gradient: np.ndarray, blocks: np.ndarray) -> Term:
    """Return a term that couples no joints."""
    return Term(value, gradient, blocks, np.zeros((0, 2), int), np.zeros((len(value), 0, 3, 3)))


@dataclass(frozen=True)
class Affine:
    """``Σ (rows · pose − offsets)²`` in normal form.

    Attributes:
        matrix: (165, 165) rowsᵀ rows.
        vector: (165,) rowsᵀ offsets.
        constant: offsets².
    """

    matrix: np.ndarray
    vector: np.ndarray
    constant: float

    @classmethod
    def of(cls, rows: np.ndarray, offsets: np.ndarray | None = None) -> Affine:
        """Build the prior from rows (m, 165) and offsets (m,), zero if not given."""
        offsets = np.zeros(len(rows)) if offsets is None else offsets
        return cls(rows.T @ rows, rows.T @ offsets, float(offsets @ offsets))

    def __add__(self, other: Affine) -> Affine:
        return Affine(self.matrix + other.matrix, self.vector + other.vector, self.constant + other.constant)

    def weighted(self, weight: float) -> Affine:
        """Return the prior times the square of ``weight``."""
        return Affine(weight**2 * self.matrix, weight**2 * self.vector, weight**2 * self.constant)

    def term(self, pose: np.ndarray) -> Term:
        """Evaluate at rotation vectors (T, 55, 3)."""
        frames = len(pose)
        flat = pose.reshape(frames, POSE_SIZE)
        product = flat @ self.matrix
        value = np.sum(flat * (product - 2 * self.vector), -1) + self.constant
        tiles = self.matrix.reshape(JOINTS, 3, JOINTS, 3).swapaxes(1, 2)
        linked = np.tril(np.abs(tiles).max((2, 3)) > 0, -1)
        pairs = np.argwhere(linked)
        couplings = np.broadcast_to(tiles[pairs[:, 0], pairs[:, 1]], (frames, len(pairs), 3, 3))
        own = tiles[np.arange(JOINTS), np.arange(JOINTS)]
        gradient = (product - self.vector).reshape(frames, JOINTS, 3)
        return Term(value, gradient, np.broadcast_to(own, (frames, JOINTS, 3, 3)), pairs, couplings)


def diagonal_rows(sigmas: dict[int, float | tuple[float, float, float]]) -> np.ndarray:
    """Return rows that measure joints' rotation vectors in standard deviations."""
    rows = np.zeros((3 * len(sigmas), POSE_SIZE))
    for n, (joint, sigma) in enumerate(sigmas.items()):
        rows[3 * n : 3 * n + 3, 3 * joint : 3 * joint + 3] = np.diag(1 / np.broadcast_to(sigma, 3))
    return rows


#: Every joint of the body at rest, a radian a standard deviation.
L2_PRIOR = Affine.of(diagonal_rows(dict.fromkeys(range(1, 22), 1.0)))
#: The jaw opens; it hardly turns or shifts.
JAW_PRIOR = Affine.of(diagonal_rows({JAW: (1.0, 0.1, 0.1)}))
EYE_PRIOR = Affine.of(diagonal_rows(dict.fromkeys((23, 24), (0.15, 0.3, 0.05))))
#: A signer stands or sits up; turning about and a camera that is not level cost nothing.
UPRIGHT = Affine.of(diagonal_rows({0: (0.3, np.inf, np.inf)}))
UPRIGHT_WEIGHT = 5.0


@dataclass(frozen=True)
class ShapePrior:
    """A Gaussian over the shape coefficients.

    Attributes:
        mean: (B,).
        precision: (B, B).
    """

    mean: np.ndarray
    precision: np.ndarray

    def value(self, betas: np.ndarray) -> float:
        """Return the squared distance of betas (B,) from the mean, in standard deviations."""
        away = betas - self.mean
        return float(away @ self.precision @ away)

    def gradient(self, betas: np.ndarray) -> np.ndarray:
        """Return half the gradient of the value (B,)."""
        return self.precision @ (betas - self.mean)


@dataclass(frozen=True)
class HandPrior:
    """Prior and limits of the fingers of one body.

    Attributes:
        habit: usual angles, one row a standard deviation.
        frames: (30, 3, 3) axes of flexion, sideways and twist.
        low: (30, 3) least angles, radians.
        high: (30, 3) greatest angles.
    """

    habit: Affine
    frames: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, joints: np.ndarray) -> HandPrior:
        """Build the prior for a body with these rest joints (55, 3)."""
        frames = hinge_frames(joints)
        mean, sigma = angle_table("mean"), angle_table("sigma")
        rows, offsets = [], []
        for j in range(30):
            for axis in range(3):
                row = np.zeros((30, 3))
                row[j] = frames[j, axis] / sigma[j, axis]
                rows.append(row)
                offsets.append(mean[j, axis] / sigma[j, axis])
            finger, joint = divmod(j % 15, 3)
            if joint == 2 and finger < 4:
                row = np.zeros((30, 3))
                row[j], row[j - 1] = frames[j, 0] / TENDON_SIGMA, -TENDON * frames[j - 1, 0] / TENDON_SIGMA
                rows.append(row)
                offsets.append(0.0)
        packed = np.zeros((len(rows), POSE_SIZE))
        packed[:, 3 * HANDS.start :] = np.array(rows).reshape(len(rows), -1)
        return cls(Affine.of(packed, np.array(offsets)), frames, angle_table("low"), angle_table("high"))

    def angles(self, pose: np.ndarray) -> np.ndarray:
        """(T, 30, 3) flexion, sideways and twist of poses (T, 55, 3)."""
        return (self.frames @ pose[:, HANDS, :, None])[..., 0]

    def limits(self, pose: np.ndarray) -> Term:
        """Penalise angles outside their range, quadratically."""
        angles = self.angles(pose)
        past = angles - np.clip(angles, self.low, self.high)
        back = np.swapaxes(self.frames, -1, -2)
        gradient = np.zeros_like(pose)
        gradient[:, HANDS] = (back @ past[..., None])[..., 0]
        blocks = np.zeros((len(pose), JOINTS, 3, 3))
        blocks[:, HANDS] = back @ ((past != 0)[..., None] * self.frames)
        return uncoupled(np.sum(past**2, (1, 2)), gradient, blocks)


def bending(pose: np.ndarray) -> Term:
    """Elbows and knees: exp of the signed angle, small when bent the natural way."""
    frames = len(pose)
    value, gradient, blocks = np.zeros(frames), np.zeros_like(pose), np.zeros((frames, JOINTS, 3, 3))
    for joint, axis, sign in BENDING:
        residual = np.exp(np.clip(sign * pose[:, joint, axis], -20, 20))
        value += residual**2
        gradient[:, joint, axis] += sign * residual**2
        blocks[:, joint, axis, axis] += residual**2
    return uncoupled(value, gradient, blocks)


def pose_terms(pose: np.ndarray, stage: StageSettings, hands: HandPrior, body: Term) -> Term:
    """Sum all priors on a pose.

    Args:
        pose: (T, 55, 3) rotation vectors.
        stage: weights, squared in the sum.
        hands: prior and limits of the fingers.
        body: the unweighted prior on the body's pose.
    """
    affine = (
        (hands.habit + EYE_PRIOR).weighted(stage.hand_prior)
        + JAW_PRIOR.weighted(stage.jaw)
        + UPRIGHT.weighted(UPRIGHT_WEIGHT)
    )
    return (
        affine.term(pose)
        + body.weighted(stage.body_prior)
        + bending(pose).weighted(stage.bending)
        + hands.limits(pose).weighted(stage.limits)
    )
