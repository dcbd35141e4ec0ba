"""A prior on signing arms: a mixture of Gaussians over collar, shoulder, elbow and wrist.

One mixture serves both arms, mirrored. Its components are an arm that signs before the body, elbow bent and low, and
an arm that hangs at rest; spreads are wide, because signs use most of what an arm can do. Trunk, head and legs are
Gaussian about the resting pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.fit.priors import Affine, Term, diagonal_rows

#: Collar, shoulder, elbow, wrist of each arm, and the factor that mirrors a rotation vector onto the left one's.
ARMS = ((np.array([13, 16, 18, 20]), np.ones(3)), (np.array([14, 17, 19, 21]), np.array([1.0, -1.0, -1.0])))

#: (weight, mean, spread) of the components: rotation vectors of collar, shoulder, elbow, wrist of the left arm.
COMPONENTS = (
    (
        0.8,
        ((0, 0, 0), (0.1, -0.4, -1.0), (0.1, -1.3, 0.1), (0.1, 0, 0.1)),
        ((0.08, 0.12, 0.15), (0.6, 0.6, 0.5), (0.5, 0.7, 0.4), (0.5, 0.35, 0.5)),
    ),
    (
        0.2,
        ((0, 0, 0), (0, -0.1, -1.35), (0, -0.3, 0), (0, 0, 0)),
        ((0.06, 0.08, 0.1), (0.3, 0.3, 0.2), (0.3, 0.25, 0.15), (0.3, 0.25, 0.3)),
    ),
)

#: How far trunk, head and legs usually turn, radians.
TRUNK = Affine.of(
    diagonal_rows(
        {
            **dict.fromkeys((3, 6, 9), 0.12),
            12: 0.25,
            15: 0.25,
            **dict.fromkeys((1, 2), 0.5),
            **dict.fromkeys((4, 5), (0.7, 0.1, 0.1)),
            **dict.fromkeys((7, 8, 10, 11), 0.3),
        }
    )
)


@dataclass(frozen=True)
class Gaussians:
    """Means (C, n), spreads (C, n) and constants (C,) of a mixture's −2 log density, the least constant 0."""

    means: np.ndarray
    spreads: np.ndarray
    constants: np.ndarray

    @classmethod
    def of(cls, components: tuple) -> Gaussians:
        """Build the mixture from (weight, mean, spread) triples."""
        weights, means, spreads = zip(*components, strict=True)
        spread = np.array(spreads, dtype=float).reshape(len(components), -1)
        constants = 2 * np.log(spread).sum(1) - 2 * np.log(weights)
        return cls(np.array(means, dtype=float).reshape(len(components), -1), spread, constants - constants.min())

    def nearest(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return value (T,), gradient (T, n) and precision (T, n) of the likeliest component at values (T, n)."""
        difference = values[:, None] - self.means
        scores = np.sum((difference / self.spreads) ** 2, -1) + self.constants
        best = scores.argmin(1)
        rows = np.arange(len(values))
        precision = 1 / self.spreads[best] ** 2
        return scores[rows, best], difference[rows, best] * precision, precision


SIGNING_ARMS = Gaussians.of(COMPONENTS)


class MixturePrior:
    """Arms from the mixture, the rest of the body about its resting pose."""

    def term(self, pose: np.ndarray) -> Term:
        """Return the unweighted prior on rotation vectors (T, 55, 3)."""
        frames = len(pose)
        total = TRUNK.term(pose)
        value, gradient = total.value.copy(), total.gradient.copy()
        blocks = np.array(total.blocks)
        axes = np.arange(3)
        for joints, mirror in ARMS:
            sign = np.tile(mirror, len(joints))
            score, slope, precision = SIGNING_ARMS.nearest(pose[:, joints].reshape(frames, -1) * sign)
            value += score
            gradient[:, joints] += (slope * sign).reshape(frames, -1, 3)
            blocks[:, joints[:, None], axes, axes] += precision.reshape(frames, -1, 3)
        return Term(value, gradient, blocks, total.pairs, total.couplings)
