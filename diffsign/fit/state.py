"""The parameters of a fit, which of them move, and a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.geometry.skeleton import JOINTS


@dataclass(frozen=True)
class State:
    """Parameters of T frames.

    Attributes:
        rotations: (T, 55, 3, 3) relative to the parent joint.
        transl: (T, 3) metres.
        expression: (T, E).
        betas: (B,).
        log_focal: logarithm of the focal length in pixels.
    """

    rotations: np.ndarray
    transl: np.ndarray
    expression: np.ndarray
    betas: np.ndarray
    log_focal: float

    def frames(self, chosen: slice | np.ndarray) -> State:
        """Return some frames."""
        return replace(
            self,
            rotations=self.rotations[chosen],
            transl=self.transl[chosen],
            expression=self.expression[chosen],
        )

    def where(self, kept: np.ndarray, other: State) -> State:
        """Return this state in the frames ``kept`` (T,), the other elsewhere; what is shared is this one's."""
        return replace(
            self,
            rotations=np.where(kept[:, None, None, None], self.rotations, other.rotations),
            transl=np.where(kept[:, None], self.transl, other.transl),
            expression=np.where(kept[:, None], self.expression, other.expression),
        )


@dataclass(frozen=True)
class Variables:
    """Which parameters move: per frame 3 for each free joint, 3 of translation, E of expression; then the shared.

    Attributes:
        joints: (F,) free joints.
        expressions: (E',) expression coefficients that move: all that the model sees, or none.
        betas: how many betas there are.
        shape: whether they move.
        focal: whether the focal length moves.
        translates: whether the translation moves.
    """

    joints: np.ndarray
    expressions: np.ndarray
    betas: int = 0
    shape: bool = False
    focal: bool = False
    translates: bool = True

    @property
    def triples(self) -> int:
        """Rotations and translations of a frame, three numbers each."""
        return len(self.joints) + int(self.translates)

    @property
    def size(self) -> int:
        """Parameters of a frame."""
        return 3 * self.triples + len(self.expressions)

    @property
    def shared(self) -> int:
        """Parameters that all frames share."""
        return int(self.betas if self.shape else 0) + int(self.focal)

    @property
    def total(self) -> int:
        """Parameters of a frame and those that all share."""
        return self.size + self.shared

    @cached_property
    def slots(self) -> np.ndarray:
        """(55,) where each joint is among the free ones, −1 for one that does not move."""
        out = np.full(len(JOINTS), -1)
        out[self.joints] = np.arange(len(self.joints))
        return out

    def joint_columns(self, joints: np.ndarray) -> np.ndarray:
        """Return (..., 3) the parameters of joints (...), −1 for one that does not move."""
        slot = self.slots[joints][..., None]
        return np.where(slot >= 0, 3 * slot + np.arange(3), -1)

    @property
    def transl(self) -> slice:
        """Where the translation is."""
        return slice(3 * len(self.joints), 3 * self.triples)

    @property
    def expression(self) -> slice:
        """Where the expression is."""
        return slice(3 * self.triples, self.size)

    def coupled(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column, inside a frame's block, of the entries that time couples."""
        rows, columns = [], []
        for f in range(self.triples):
            for a in range(3):
                rows += [3 * f + a] * 3
                columns += [3 * f + b for b in range(3)]
        rest = list(range(3 * self.triples, self.size))
        return np.array(rows + rest), np.array(columns + rest)


def moved(state: State, variables: Variables, step: np.ndarray, shared: np.ndarray) -> State:
    """Return the state after a step: (T, P) of the frames, (S,) of the shared parameters."""
    frames = len(state.transl)
    turns = step[:, : 3 * len(variables.joints)].reshape(frames, -1, 3)
    rotations = state.rotations.copy()
    rotations[:, variables.joints] = rotations[:, variables.joints] @ rotvec_to_rotmat(turns)
    expression = state.expression.copy()
    expression[:, variables.expressions] += step[:, variables.expression]
    betas, log_focal = state.betas, state.log_focal
    if variables.shape:
        betas = betas + shared[: len(betas)]
    if variables.focal:
        log_focal = log_focal + float(shared[-1])
    transl = state.transl + step[:, variables.transl] if variables.translates else state.transl
    return State(rotations, transl, expression, betas, log_focal)
