"""Smoothing of a motion, shot by shot."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from diffsign.config.smooth import SmoothSettings
from diffsign.geometry.rotations import interpolate_rotations, rotmat_to_rotvec, rotvec_to_rotmat
from diffsign.records.motion import Motion
from diffsign.smooth.filters import filter_rotations, filter_values, interpolate_values
from diffsign.smooth.limbs import filter_limbs

#: Joints of SMPL-X's order that move as a group: trunk, arms and legs; jaw and eyes; wrists and fingers.
FACE_JOINTS = np.array([22, 23, 24])
HAND_JOINTS = np.array([20, 21, *range(25, 55)])
BODY_JOINTS = np.setdiff1d(np.arange(55), np.concatenate([FACE_JOINTS, HAND_JOINTS]))
#: Frames of a long shot that are filtered together.
BLOCK = 192
#: A residual below this share of the picture's height is never bad, however steady the rest of the clip.
GOOD_RESIDUAL = 0.004


@dataclass(frozen=True)
class SmoothReport:
    """Frames that were bridged, and the number of shots."""

    bridged: tuple[int, ...]
    shots: int

    def summary(self) -> str:
        """Return the line that the command prints."""
        listed = f" ({', '.join(map(str, self.bridged[:12]))}{', …' if len(self.bridged) > 12 else ''})"
        shots = "one shot" if self.shots == 1 else f"{self.shots} shots, not smoothed across"
        return f"{shots}; {len(self.bridged)} frames bridged{listed if self.bridged else ''}"


def trusted_frames(motion: Motion, max_residual: float) -> np.ndarray:
    """(T,) bool: valid, made of numbers, and not far worse than the clip's median residual."""
    numbers = np.isfinite(motion.full_pose).all((1, 2)) & np.isfinite(motion.transl).all(1)
    numbers &= np.isfinite(motion.expression).all(1) & np.isfinite(motion.residual)
    good = motion.valid & numbers
    if not good.any():
        return good
    limit = max(max_residual * float(np.median(motion.residual[good])), GOOD_RESIDUAL * motion.camera.height)
    return good & (np.nan_to_num(motion.residual, nan=np.inf) <= limit)


def smooth_motion(motion: Motion, settings: SmoothSettings) -> tuple[Motion, SmoothReport]:
    """Flag and bridge bad frames, then filter each shot.

    Args:
        motion: as fitted.
        settings: cut-offs and the limit on the residual.

    Returns:
        The motion, ``valid`` False where a frame was bridged, and the report.
    """
    good = trusted_frames(motion, settings.max_residual)
    rotations = rotvec_to_rotmat(np.nan_to_num(motion.full_pose.astype(np.float64)))
    transl = np.nan_to_num(motion.transl.astype(np.float64))
    expression = np.nan_to_num(motion.expression.astype(np.float64))
    edges = np.unique([0, *np.flatnonzero(motion.starts), len(good)])
    for start, stop in itertools.pairwise(edges):
        shot = slice(int(start), int(stop))
        known = good[shot]
        pose = interpolate_rotations(rotations[shot], known)
        place, face = interpolate_values(transl[shot], known), interpolate_values(expression[shot], known)
        if settings.is_adaptive:
            limbs, transl[shot] = filter_blocks(pose, place, motion.seen[shot] & known[:, None], settings, motion.fps)
        else:
            limbs, transl[shot] = pose.copy(), filter_values(place, settings.body_cutoff, motion.fps)
            for joints, cutoff in ((BODY_JOINTS, settings.body_cutoff), (HAND_JOINTS, settings.hand_cutoff)):
                limbs[:, joints] = filter_rotations(pose[:, joints], cutoff, motion.fps)
        limbs[:, FACE_JOINTS] = filter_rotations(pose[:, FACE_JOINTS], settings.face_cutoff, motion.fps)
        rotations[shot] = limbs
        expression[shot] = filter_values(face, settings.face_cutoff, motion.fps)
    smoothed = motion.with_pose(
        rotmat_to_rotvec(rotations),
        transl=transl.astype(np.float32),
        expression=expression.astype(np.float32),
        residual=np.nan_to_num(motion.residual).astype(np.float32),
        valid=good,
    )
    return smoothed, SmoothReport(tuple(int(t) for t in np.flatnonzero(~good)), len(edges) - 1)


def filter_blocks(
    rotations: np.ndarray, transl: np.ndarray, seen: np.ndarray, settings: SmoothSettings, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Filter the limbs of a shot, a long one block after block, each with enough of its neighbours around it."""
    frames, reach = len(transl), int(np.ceil(2 * fps / settings.hold_cutoff))
    out, moved = rotations.copy(), transl.copy()
    for start in range(0, frames, BLOCK):
        stop = min(frames, start + BLOCK)
        first, last = max(0, start - reach), min(frames, stop + reach)
        part = slice(first, last)
        filtered, shifted = filter_limbs(rotations[part], transl[part], seen[part], settings, fps)
        kept = slice(start - first, stop - first)
        out[start:stop], moved[start:stop] = filtered[kept], shifted[kept]
    return out, moved
