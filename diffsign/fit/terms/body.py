"""Priors on the pose of trunk, head, arms and legs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import StageSettings
from diffsign.fit.terms.base import PoseTerm
from diffsign.geometry.skeleton import JOINTS

PELVIS = JOINTS.index("pelvis")


class BodyPrior(PoseTerm):
    """A prior on the 21 body joints, weighted by ``body_prior``."""

    def weight(self, stage: StageSettings) -> float:
        """Return the stage's weight."""
        return stage.body_prior


class L2Prior(BodyPrior):
    """Every joint at rest, one radian a standard deviation."""

    joints = np.arange(1, 22)[:, None]

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 21, 3) radians."""
        return pose[:, 1:22]

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (1, 21, 3, 1, 3)."""
        del pose
        return np.broadcast_to(np.eye(3)[None, None, :, None], (1, 21, 3, 1, 3))


class Bending(PoseTerm):
    """Elbows and knees: exp of the signed angle, small when bent the natural way."""

    #: Joint, axis and sign of the published prior: exp(sign · angle) is large when over-stretched.
    hinges = ((18, 1, 1.0), (19, 1, -1.0), (4, 0, -1.0), (5, 0, -1.0))
    joints = np.array([joint for joint, _, _ in hinges])[:, None]
    _axes = np.array([axis for _, axis, _ in hinges])
    _signs = np.array([sign for _, _, sign in hinges])

    def weight(self, stage: StageSettings) -> float:
        """Return the stage's weight."""
        return stage.bending

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 4, 1)."""
        angle = self._signs * pose[:, self.joints[:, 0], self._axes]
        return np.exp(np.clip(angle, -20, 20))[..., None]

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 4, 1, 1, 3)."""
        out = np.zeros((len(pose), len(self.hinges), 1, 1, 3))
        out[:, np.arange(len(self.hinges)), 0, 0, self._axes] = self._signs * self.residual(pose)[..., 0]
        return out


class Upright(PoseTerm):
    """A signer stands or sits up; turning about and a camera that is not level cost nothing."""

    joints = np.array([[PELVIS]])
    #: Radians of leaning, one standard deviation; and the weight in every stage.
    sigma, strength = 0.3, 5.0

    def weight(self, stage: StageSettings) -> float:
        """Return a weight that no stage changes."""
        del stage
        return self.strength

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 1, 1)."""
        return pose[:, [PELVIS], :1] / self.sigma

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (1, 1, 1, 1, 3)."""
        del pose
        return np.array([1 / self.sigma, 0, 0]).reshape(1, 1, 1, 1, 3)


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
TRUNK = {
    **dict.fromkeys((3, 6, 9), 0.12),
    12: 0.25,
    15: 0.25,
    **dict.fromkeys((1, 2), 0.5),
    **dict.fromkeys((4, 5), (0.7, 0.1, 0.1)),
    **dict.fromkeys((7, 8, 10, 11), 0.3),
}


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

    def likeliest(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which component is likeliest at values (T, n), (T,), and its −2 log density (T,)."""
        scores = np.sum(((values[:, None] - self.means) / self.spreads) ** 2, -1) + self.constants
        best = scores.argmin(1)
        return best, scores[np.arange(len(values)), best]


SIGNING_ARMS = Gaussians.of(COMPONENTS)


class MixturePrior(BodyPrior):
    """A mixture of Gaussians over each arm; trunk, head and legs are Gaussian about the resting pose.

    One mixture serves both arms, mirrored. Its components are an arm that signs before the body, elbow bent and low,
    and an arm that hangs at rest; spreads are wide, because signs use most of what an arm can do. Of the sum of
    exponentials only the greatest counts (Olson and Agarwal, IJRR 2013), so that a residual remains.
    """

    joints = np.array([*(joint for arm, _ in ARMS for joint in arm), *TRUNK])[:, None]
    _trunk = np.array([np.broadcast_to(sigma, 3) for sigma in TRUNK.values()])

    def _components(self, pose: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return joints, mirror and likeliest component (T,) of each arm."""
        out = []
        for joints, mirror in ARMS:
            values = (pose[:, joints] * mirror).reshape(len(pose), -1)
            out.append((joints, mirror, SIGNING_ARMS.likeliest(values)[0]))
        return out

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, G, 4): three angles in standard deviations, and what the arm's component costs by itself."""
        out = np.zeros((len(pose), len(self.joints), 4))
        at = 0
        for joints, mirror, best in self._components(pose):
            shape = (len(pose), len(joints), 3)
            mean, spread = SIGNING_ARMS.means[best].reshape(shape), SIGNING_ARMS.spreads[best].reshape(shape)
            out[:, at : at + len(joints), :3] = (pose[:, joints] * mirror - mean) / spread
            out[:, at, 3] = np.sqrt(SIGNING_ARMS.constants[best])
            at += len(joints)
        out[:, at:, :3] = pose[:, self.joints[at:, 0]] / self._trunk
        return out

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, G, 4, 1, 3)."""
        out = np.zeros((len(pose), len(self.joints), 4, 1, 3))
        axes, at = np.arange(3), 0
        for joints, mirror, best in self._components(pose):
            spread = SIGNING_ARMS.spreads[best].reshape(len(pose), len(joints), 3)
            out[:, at : at + len(joints), axes, 0, axes] = mirror / spread
            at += len(joints)
        out[:, at:, axes, 0, axes] = 1 / self._trunk
        return out
