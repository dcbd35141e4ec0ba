"""Points that move as no body can: there and back at once, or at the end of a bone that is too long."""

from __future__ import annotations

import numpy as np

from diffsign.clean.scale import NUMBER, STEADY, Scale
from diffsign.records.keypoints import BODY, FACE, LEFT_HAND, RIGHT_HAND

#: Accelerations, in m/s², that a body reaches: arms and head; fingers in their hand; skin of the face on the head.
BODY_ACCELERATION, FINGER_ACCELERATION, FACE_ACCELERATION = 60.0, 35.0, 20.0
#: Jumps, in metres, that a detector's noise explains at any frame rate.
BODY_NOISE, FINGER_NOISE, FACE_NOISE = 0.04, 0.02, 0.01
#: Outliers may last so many seconds; what lasts longer is taken for a movement.
LONGEST = 0.21
#: A hand so far from the body's wrist, in metres, is not that wrist's hand.
STRAY_M = 0.22
#: Longest that bones appear in the picture, in metres, perspective included.
ARM_M, METACARPAL_M, PHALANX_M = 0.45, 0.17, 0.10

ARMS = [
    (NUMBER[f"{side}_{a}"], NUMBER[f"{side}_{b}"])
    for side in ("left", "right")
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"))
]
HAND_BONES = [(0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21)]


def _there_and_back(track: np.ndarray, times: np.ndarray, limit: float, longest: int) -> np.ndarray:
    """Tell which samples of one point's track (M, 2) leave and come back in impossible jumps.

    Args:
        track: pixels where the point was seen.
        times: (M,) frame numbers of the samples.
        limit: pixels that a point may jump aside within a frame.
        longest: frames that an excursion may last.

    An excursion is flagged if the jumps into it and out of it are both larger than the limit and than the distance
    between the samples around it. A jump is how far the next sample is from where the track was and from where
    it was going, so a steady movement has none. The limit grows with how much the track shakes nearby.
    """
    count = len(track)
    bad = np.zeros(count, dtype=bool)
    if count < 3:
        return bad
    bend = np.zeros(count)
    bend[1:-1] = np.linalg.norm(track[2:] - 2 * track[1:-1] + track[:-2], axis=-1) / 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(bend, 6, mode="reflect" if count > 6 else "edge"), 13)
    allowed = limit + 2.0 * np.median(windows, axis=1)
    gap = np.diff(times)
    velocity = np.diff(track, axis=0) / gap[:, None]
    step = np.linalg.norm(velocity, axis=-1)
    into, out_of = step.copy(), step.copy()
    into[1:] = np.minimum(step[1:], np.linalg.norm(velocity[1:] - velocity[:-1], axis=-1))
    out_of[:-1] = np.minimum(step[:-1], np.linalg.norm(velocity[:-1] - velocity[1:], axis=-1))
    for length in range(1, min(longest, count - 2) + 1):
        first = np.arange(1, count - length)
        last = first + length - 1
        around = np.linalg.norm(track[last + 1] - track[first - 1], axis=-1)
        jumps = np.minimum(into[first - 1], out_of[last])
        short = times[last] - times[first] < longest
        for start in first[(jumps > np.maximum(allowed[first], around)) & short]:
            # Of two excursions that overlap, the shorter one was found first and explains the jumps.
            if not bad[start - 1 : start + length + 1].any():
                bad[start : start + length] = True
    for end, second, third in ((0, 1, 2), (-1, -2, -3)):
        aside = np.linalg.norm(track[end] - (2 * track[second] - track[third]))
        if not bad[[second, third]].any() and aside > 2 * allowed[end]:
            bad[end] = True
    return bad


def excursions(tracks: np.ndarray, limit: float, longest: int) -> np.ndarray:
    """Return (T, N) bool: samples of tracks (T, N, 2), NaN where missing, that jump there and back."""
    bad = np.zeros(tracks.shape[:2], dtype=bool)
    if not np.isfinite(limit):
        return bad
    for point in range(tracks.shape[1]):
        times = np.flatnonzero(np.isfinite(tracks[:, point, 0]))
        bad[times, point] = _there_and_back(tracks[times, point], times, limit, longest)
    return bad


def _middle(xy: np.ndarray) -> np.ndarray:
    """Return the median (T, 1, 2) of a part where at least a third of its points are seen, NaN elsewhere."""
    enough = np.isfinite(xy[..., 0]).sum(axis=1) >= xy.shape[1] / 3
    middle = np.full((len(xy), 1, 2), np.nan)
    if enough.any():
        middle[enough, 0] = np.nanmedian(xy[enough], axis=1)
    return middle


def _too_long(xy: np.ndarray, bones: list[tuple[int, int]], limits: np.ndarray) -> np.ndarray:
    """Return (T, N) bool: the far ends of bones longer than ``limits`` (one a bone) in pixels."""
    bad = np.zeros(xy.shape[:2], dtype=bool)
    for (near, far), limit in zip(bones, limits, strict=True):
        bad[:, far] |= np.linalg.norm(xy[:, far] - xy[:, near], axis=-1) > limit
    return bad


def _limit(acceleration: float, noise: float, pixels_per_metre: float, fps: float) -> float:
    """Return the pixels that a point may jump aside from one frame to the next."""
    return pixels_per_metre * max(noise, acceleration / fps**2)


def find_glitches(xy: np.ndarray, fps: float, scale: Scale) -> np.ndarray:
    """Return (T, 137) bool: all points of the frames in which the whole signer jumps away and back.

    They go first, because a signer who is elsewhere for a moment looks as if left and right were exchanged.
    """
    longest = max(1, round(LONGEST * fps))
    away = excursions(_middle(xy[:, STEADY]), _limit(BODY_ACCELERATION, BODY_NOISE, scale.body, fps), longest)
    return away & np.isfinite(xy[..., 0])


def find_outliers(xy: np.ndarray, fps: float, scale: Scale) -> np.ndarray:
    """Tell which points of a shot are impossible.

    Args:
        xy: (T, 137, 2) pixels, NaN where missing.
        fps: frames per second.
        scale: of the signer.

    Returns:
        (T, 137) bool. A hand or face that jumps as a whole is flagged as a whole; its points are then judged
        relative to its middle.
    """
    bad = np.zeros(xy.shape[:2], dtype=bool)
    longest = max(1, round(LONGEST * fps))

    body_limit = _limit(BODY_ACCELERATION, BODY_NOISE, scale.body, fps)
    # A hand close to the camera moves more pixels than the body.
    near = max(scale.body, scale.hand)
    hand_limit = _limit(BODY_ACCELERATION, BODY_NOISE, near, fps)
    finger_limit = _limit(FINGER_ACCELERATION, FINGER_NOISE, scale.hand, fps)
    face_limit = _limit(FACE_ACCELERATION, FACE_NOISE, scale.face, fps)
    bad[:, BODY] = excursions(xy[:, BODY], body_limit, longest)
    body = np.where(bad[:, BODY, None], np.nan, xy[:, BODY])
    bad[:, BODY] |= _too_long(body, ARMS, np.full(len(ARMS), ARM_M * scale.body))
    bones = np.array([METACARPAL_M if near == 0 else PHALANX_M for near, _ in HAND_BONES]) * scale.hand
    for part, wrist in ((LEFT_HAND, NUMBER["left_wrist"]), (RIGHT_HAND, NUMBER["right_wrist"])):
        hand = xy[:, part]
        middle = _middle(hand)
        gone = excursions(middle, hand_limit, longest)[:, 0]
        gone |= np.linalg.norm(hand[:, 0] - np.where(bad[:, wrist, None], np.nan, xy[:, wrist]), axis=-1) > (
            STRAY_M * near
        )
        bad[:, part] = gone[:, None] & np.isfinite(hand[..., 0])
        bad[:, part] |= excursions(hand - middle, finger_limit, longest)
        # What is already known to be wrong does not make the bones that start there too long.
        bad[:, part] |= _too_long(np.where(bad[:, part, None], np.nan, hand), HAND_BONES, bones)
    face = xy[:, FACE]
    middle = _middle(face)
    bad[:, FACE] = excursions(middle, body_limit, longest) & np.isfinite(face[..., 0])
    bad[:, FACE] |= excursions(face - middle, face_limit, longest)
    return bad
