"""What is fitted to what: the camera's view, the targets, the terms; and one state of it, looked at lazily."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from diffsign.fit.points import PointModel, Posed
from diffsign.fit.state import State
from diffsign.fit.targets import Targets
from diffsign.geometry.rotations import inverse, rotmat_to_rotvec

if TYPE_CHECKING:
    from diffsign.fit.terms import Terms

#: Points nearer to the camera (metres) are projected as if they were this far.
NEAREST = 0.05


@dataclass(frozen=True)
class View:
    """A camera at the world's origin.

    Attributes:
        centre: (2,) principal point in pixels.
        rotation: (3, 3) world to camera.
        pixel: the unit of image distance in pixels (picture height / 1000).
        focal: focal length that is expected, pixels.
        focal_sigma: how sure that is, standard deviation of its logarithm.
    """

    centre: np.ndarray
    rotation: np.ndarray
    pixel: float
    focal: float
    focal_sigma: float

    def project(self, points: np.ndarray, log_focal: float) -> tuple[np.ndarray, np.ndarray]:
        """Return pixels (T, K, 2) and camera coordinates (T, K, 3) of points in the world."""
        in_camera = points @ self.rotation.T
        depth = np.maximum(in_camera[..., 2:], NEAREST)
        return self.centre + np.exp(log_focal) * in_camera[..., :2] / depth, in_camera


@dataclass(frozen=True)
class Problem:
    """A fit.

    Attributes:
        model: the reduced body.
        targets: what it is drawn to.
        view: the camera.
        terms: what is minimised.
    """

    model: PointModel
    targets: Targets
    view: View
    terms: Terms

    def with_targets(self, targets: Targets) -> Problem:
        """Return the problem on other targets."""
        return replace(self, targets=targets)

    def pose(self, state: State) -> Posed:
        """Pose the points of a state."""
        return self.model.pose(state.rotations, state.transl, state.betas, state.expression)


class Evaluation:
    """A state of a problem; what several terms need is computed once, and only when asked for."""

    def __init__(self, problem: Problem, state: State) -> None:
        self.problem, self.state = problem, state

    @property
    def targets(self) -> Targets:
        """What the problem is drawn to."""
        return self.problem.targets

    @cached_property
    def posed(self) -> Posed:
        """The body's points."""
        return self.problem.pose(self.state)

    @cached_property
    def rotvec(self) -> np.ndarray:
        """(T, 55, 3) rotation vectors of the joints."""
        return rotmat_to_rotvec(self.state.rotations, exact=True)

    @cached_property
    def projection(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (T, 137, 2) and camera coordinates (T, 137, 3)."""
        return self.problem.view.project(self.posed.points, self.state.log_focal)

    @cached_property
    def velocity(self) -> np.ndarray:
        """(T − 1, 55, 3) rotation vectors from each frame to the next."""
        rotations = self.state.rotations
        return rotmat_to_rotvec(inverse(rotations[:-1]) @ rotations[1:], exact=True)
