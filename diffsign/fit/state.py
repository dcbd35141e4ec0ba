"""The parameters of a fit, which of them move, and a step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from diffsign.geometry.rotations import rotvec_to_rotmat


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

    def window(self, start: int, stop: int) -> State:
        """Return frames ``start`` to ``stop``."""
        cut = slice(start, stop)
        return replace(self, rotations=self.rotations[cut], transl=self.transl[cut], expression=self.expression[cut])


@dataclass(frozen=True)
class Layout:
    """Which parameters move: per frame 3 for each free joint, 3 of translation, E of expression; then the shared.

    Attributes:
        joints: (F,) free joints.
        expressions: (E',) expression coefficients that move: all that the model sees, or none.
        shape: whether betas move.
        focal: whether the focal length moves.
        translates: whether the translation moves.
    """

    joints: np.ndarray
    expressions: np.ndarray
    shape: bool
    focal: bool
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


def moved(state: State, layout: Layout, step: np.ndarray, shared: np.ndarray) -> State:
    """Return the state after a step: (T, P) of the frames, (S,) of the shared parameters."""
    frames = len(state.transl)
    turns = step[:, : 3 * len(layout.joints)].reshape(frames, -1, 3)
    rotations = state.rotations.copy()
    rotations[:, layout.joints] = rotations[:, layout.joints] @ rotvec_to_rotmat(turns)
    expression = state.expression.copy()
    expression[:, layout.expressions] += step[:, layout.expression]
    betas, log_focal = state.betas, state.log_focal
    if layout.shape:
        betas = betas + shared[: len(betas)]
    if layout.focal:
        log_focal = log_focal + float(shared[-1])
    transl = state.transl + step[:, layout.transl] if layout.translates else state.transl
    return State(rotations, transl, expression, betas, log_focal)
