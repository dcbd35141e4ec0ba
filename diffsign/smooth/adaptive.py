"""A filter as strong as each moment bears: holds are steadied, strokes stay where they were fitted.

Local quadratic regression is run with windows from narrow to wide. In every frame the widest window is taken that
moves no part of the limb by more than the fit is sure of: a millimetre or two across the picture, which shows it, and
ten times as much in depth, which it does not. That is the rule of intersecting confidence intervals (Goldenshluger and
Nemirovski, Mathematical Methods of Statistics 6, 1997), with the fit's own confidence. A stroke of a tenth of a second
leaves its wide averages at once; a hand that is held does not.

Limbs are filtered as one: the orientations of upper arm, forearm and hand in the world, under one window, so that what
one joint makes up for in another stays made up for. Distances are those of a limb of usual length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.geometry.rotations import inverse, rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.smooth.filters import window_weights

#: Cut-offs of the windows in Hz, from narrow to wide; those below the lowest that is asked for are left out.
CUTOFFS = (12.0, 9.0, 7.0, 5.5, 4.3, 3.4, 2.7, 2.1, 1.6, 1.2)
#: Metres a second at which a limb may be moved half as far as one at rest: a signer's slow movement.
QUICK = 0.08
#: How much of a movement along each axis counts as speed: depth is guessed, and its tremble must not pass for a stroke.
SURE = np.array([1.0, 1.0, 0.2])
#: Weights by which the choice of a window follows its neighbours, so that it does not change at once.
BLEND = np.array([0.25, 0.5, 0.25])


@dataclass(frozen=True)
class Tolerance:
    """By how much filtering may move a limb, metres: across the picture and in depth."""

    across: float
    depth: float


@dataclass(frozen=True)
class Ladder:
    """Windows over the frames of a shot.

    Attributes:
        matrices: (K, T, T) what each window makes of a signal; the first leaves it as it is.
    """

    matrices: np.ndarray

    @classmethod
    def of(cls, frames: int, lowest: float, fps: float) -> Ladder:
        """Build the windows down to the cut-off ``lowest``, Hz, for frames at ``fps`` a second."""
        cutoffs = [cutoff for cutoff in CUTOFFS if lowest < cutoff < 0.45 * fps] + [lowest]
        matrices = [np.eye(frames)]
        for cutoff in cutoffs:
            at, weights = window_weights(frames, cutoff, fps)
            matrix = np.zeros((frames, frames))
            np.add.at(matrix, (np.arange(frames)[:, None], at), weights)
            matrices.append(matrix)
        return cls(np.stack(matrices))

    def speeds(self, positions: np.ndarray, fps: float) -> np.ndarray:
        """Return (T,) metres a second of the fastest of points (T, n, 3), from a window of middle width."""
        steady = np.tensordot(self.matrices[len(self.matrices) // 2], positions, axes=1)
        step = np.zeros(positions.shape[:2])
        if len(positions) > 2:
            step[1:-1] = np.linalg.norm((steady[2:] - steady[:-2]) * SURE, axis=-1) / 2
            step[0], step[-1] = step[1], step[-2]
        return fps * step.max(-1)

    def choose(self, positions: np.ndarray, tolerance: Tolerance, speed: np.ndarray, doubt: np.ndarray) -> np.ndarray:
        """Return (T, T) what the widest windows make of a signal that move no point by more than the tolerance.

        Args:
            positions: (T, n, 3) metres, the last axis in depth.
            tolerance: how far points may be moved at rest; less the faster they are, so that strokes stay.
            speed: (T,) metres a second.
            doubt: (T,) factors on the tolerance, more than 1 where the fit is a guess.
        """
        count, frames, _ = self.matrices.shape
        scaled = positions / np.array([tolerance.across, tolerance.across, tolerance.depth])
        filtered = np.tensordot(self.matrices, scaled, axes=(2, 0))
        limit = doubt / (1 + (speed / QUICK) ** 2)
        allowed = (np.linalg.norm(filtered - scaled, axis=-1) <= limit[:, None]).all(-1)
        best = np.logical_and.accumulate(allowed, axis=0).sum(0) - 1
        # The neighbours' windows count as well: a step from one to the next would be a movement of its own.
        padded = np.pad(best, 1, mode="edge")
        best = np.minimum(best, np.minimum(padded[:-2], padded[2:]))
        share = np.pad(np.eye(count)[best], ((1, 1), (0, 0)), mode="edge")
        blended = sum(weight * share[i : i + frames] for i, weight in enumerate(BLEND))
        return np.einsum("tk,kts->ts", blended, self.matrices)


def apply_to_rotations(matrix: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return rotations (T, J, 3, 3) filtered by a matrix (T, T) in the tangent space of each frame's own."""
    out = np.empty_like(rotations)
    for t, row in enumerate(matrix):
        near = np.flatnonzero(row)
        relative = rotmat_to_rotvec(inverse(rotations[t]) @ rotations[near])
        out[t] = rotations[t] @ rotvec_to_rotmat(np.tensordot(row[near], relative, axes=1))
    return out
