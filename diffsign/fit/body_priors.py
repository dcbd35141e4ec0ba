"""Priors on the pose of the body: rest, a mixture of Gaussians, or VPoser."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from diffsign.fit.priors import L2_PRIOR, Term


class BodyPrior(Protocol):
    """A prior on the 21 body joints."""

    def term(self, pose: np.ndarray) -> Term:
        """Return the unweighted prior on rotation vectors (T, 55, 3)."""
        ...


class L2Prior:
    """Every joint at rest, one radian a standard deviation."""

    def term(self, pose: np.ndarray) -> Term:
        """Return the unweighted prior on rotation vectors (T, 55, 3)."""
        return L2_PRIOR.term(pose)
