"""Priors on the pose, each a sum of squares in the joints' rotation vectors.

Every prior returns its value, its gradient and its Gauss-Newton matrix (half the usual factors, so
that the value is ``Σ r²``, the gradient ``Jᵀ r`` and the matrix ``Jᵀ J``) over the 55 × 3 numbers of a
frame's rotation vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.core.settings.fit import StageSettings
from diffsign.fit.hinges import TENDON, TENDON_SIGMA, angle_table, hinge_frames

POSE_SIZE = 165
BODY = slice(1, 22)
JAW, EYES, HANDS = 22, slice(23, 25), slice(25, 55)
#: Joint, axis and sign of the published bending prior: exp(sign · angle) is large when over-stretched.
BENDING = ((18, 1, 1.0), (19, 1, -1.0), (4, 0, -1.0), (5, 0, -1.0))


@dataclass(frozen=True)
class Term:
    """A sum of squares: value (T,), gradient (T, n), Gauss-Newton matrix (T, n, n)."""

    value: np.ndarray
    gradient: np.ndarray
    matrix: np.ndarray

    def __add__(self, other: Term) -> Term:
        return Term(self.value + other.value, self.gradient + other.gradient, self.matrix + other.matrix)


def affine_term(pose: np.ndarray, rows: np.ndarray, offsets: np.ndarray) -> Term:
    """Return ``Σ (rows · pose − offsets)²`` for pose (T, n), rows (m, n), offsets (m,)."""
    residual = pose @ rows.T - offsets
    matrix = np.broadcast_to(rows.T @ rows, (len(pose), rows.shape[1], rows.shape[1]))
    return Term(np.sum(residual**2, -1), residual @ rows, matrix)


@dataclass(frozen=True)
class HandPrior:
    """Rows and offsets of the finger prior (one row a standard deviation), and the finger limits."""

    rows: np.ndarray
    offsets: np.ndarray
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
        packed[:, 75:] = np.array(rows).reshape(len(rows), 90)
        return cls(packed, np.array(offsets), frames, angle_table("low"), angle_table("high"))

    def angles(self, pose: np.ndarray) -> np.ndarray:
        """(T, 30, 3) flexion, sideways and twist of poses (T, 55, 3)."""
        return np.einsum("jab,tjb->tja", self.frames, pose[:, HANDS])

    def limits(self, pose: np.ndarray) -> Term:
        """Penalise angles outside their range, quadratically."""
        angles = self.angles(pose)
        past = angles - np.clip(angles, self.low, self.high)
        gradient = np.zeros_like(pose)
        gradient[:, HANDS] = np.einsum("jab,tja->tjb", self.frames, past)
        blocks = np.einsum("tja,jab,jac->tjbc", (past != 0).astype(float), self.frames, self.frames, optimize=True)
        matrix = np.zeros((len(pose), POSE_SIZE, POSE_SIZE))
        for j in range(30):
            at = slice(75 + 3 * j, 78 + 3 * j)
            matrix[:, at, at] = blocks[:, j]
        return Term(np.sum(past**2, (1, 2)), gradient.reshape(len(pose), -1), matrix)


def bending(pose: np.ndarray) -> Term:
    """Elbows and knees: exp of the signed angle, small when bent the natural way."""
    frames = len(pose)
    value, gradient = np.zeros(frames), np.zeros_like(pose)
    matrix = np.zeros((frames, POSE_SIZE, POSE_SIZE))
    for joint, axis, sign in BENDING:
        residual = np.exp(np.clip(sign * pose[:, joint, axis], -20, 20))
        value += residual**2
        gradient[:, joint, axis] += sign * residual**2
        matrix[:, 3 * joint + axis, 3 * joint + axis] += residual**2
    return Term(value, gradient.reshape(frames, -1), matrix)


def diagonal_rows(sigmas: dict[int, float | tuple[float, float, float]]) -> np.ndarray:
    """Return rows that measure joints' rotation vectors in standard deviations."""
    rows = np.zeros((3 * len(sigmas), POSE_SIZE))
    for n, (joint, sigma) in enumerate(sigmas.items()):
        rows[3 * n : 3 * n + 3, 3 * joint : 3 * joint + 3] = np.diag(1 / np.broadcast_to(sigma, 3))
    return rows


#: The l2 prior asks each body joint to stay at rest; the trunk and head of a signer move little.
L2_ROWS = diagonal_rows({joint: 1.0 for joint in range(1, 22)})
JAW_ROWS = diagonal_rows({JAW: (1.0, 0.1, 0.1)})
EYE_ROWS = diagonal_rows({joint: (0.15, 0.3, 0.05) for joint in (23, 24)})


def pose_terms(pose: np.ndarray, stage: StageSettings, hands: HandPrior, body: Term) -> Term:
    """Sum all priors on a pose.

    Args:
        pose: (T, 55, 3) rotation vectors.
        stage: weights, squared in the sum.
        hands: prior and limits of the fingers.
        body: the unweighted prior on the body's pose.
    """
    flat = pose.reshape(len(pose), -1)
    weighted = (
        (stage.body_prior, body),
        (stage.hand_prior, affine_term(flat, hands.rows, hands.offsets)),
        (stage.hand_prior, affine_term(flat, EYE_ROWS, np.zeros(len(EYE_ROWS)))),
        (stage.jaw, affine_term(flat, JAW_ROWS, np.zeros(len(JAW_ROWS)))),
        (stage.bending, bending(pose)),
        (stage.limits, hands.limits(pose)),
    )
    total = Term(np.zeros(len(pose)), np.zeros_like(flat), np.zeros((len(pose), POSE_SIZE, POSE_SIZE)))
    for weight, term in weighted:
        if weight:
            total = total + Term(weight**2 * term.value, weight**2 * term.gradient, weight**2 * term.matrix)
    return total
