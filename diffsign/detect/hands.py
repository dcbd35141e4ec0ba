"""Hands: MediaPipe's hand network run on places where a hand is expected, and the choice among what it finds.

Holistic looks for each hand where the body network sees its wrist. It loses hands that move fast or
touch, and it takes one hand for the other when both are close. Here its finds are looked at again by the
full hand network, which also gives metric 3D, the probability that this is a hand at all, and that it is a
left one; a hand that is lost or doubtful is looked for where it was a moment ago.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from diffsign.detect.hand_network import LEFT, RIGHT, HandLandmarks, HandNetwork, Region, region_of, same

#: Numbers of the wrists and elbows among MediaPipe's body landmarks, left and right.
WRISTS, ELBOWS, SHOULDERS = (15, 16), (13, 14), (11, 12)

#: A palm's length as a part of the shoulders' width: the unit in which distances are judged.
PALM_OF_SHOULDERS = 0.25

#: A hand found by Holistic that scores this much is not looked for elsewhere.
GOOD = 0.6
#: A hand that scores less is not believed.
MIN_SCORE = 0.08
#: How near its wrist a hand is when the body's wrist is no evidence.
ANYWHERE = 0.3
#: A side whose hand was not there a moment ago expects it so much.
NEW = 0.5
#: A lost hand is looked for where it was for so many frames.
MEMORY = 8


@dataclass(frozen=True)
class Memory:
    """Where a hand was: its joints relative to the body's wrist (21, 2), the wrist (2,), and how many frames ago."""

    relative: np.ndarray
    wrist: np.ndarray
    age: int = 0


def palm_by_shoulders(body: np.ndarray) -> float:
    """Return how long a palm is in pixels, by the shoulders of a body (33, 4)."""
    shoulders = float(np.linalg.norm(body[SHOULDERS[0], :2] - body[SHOULDERS[1], :2]))
    return max(PALM_OF_SHOULDERS * shoulders, 6.0)


def beyond_wrist(body: np.ndarray, side: int, palm: float) -> Region | None:
    """Return the region beyond the wrist that the forearm points to, if the wrist is in sight."""
    wrist, elbow = body[WRISTS[side], :2], body[ELBOWS[side], :2]
    if body[WRISTS[side], 3] < 0.3:
        return None
    along = wrist - elbow
    length = float(np.linalg.norm(along))
    centre = wrist + (along / length * palm if length > 1 else 0.0)
    return Region(centre=centre, side=5.0 * palm, rotation=float(np.arctan2(along[0], -along[1])))


def nearness(hand: HandLandmarks, side: int, body: np.ndarray) -> float:
    """Return how near a hand is to the body's wrist, in 0 to 1; a wrist that is not seen says little."""
    palm = max(palm_by_shoulders(body), hand.palm)
    distance = float(np.linalg.norm(hand.xy[0] - body[WRISTS[side], :2])) / palm
    visibility = float(np.clip(body[WRISTS[side], 3], 0.0, 1.0))
    return visibility * float(np.exp(-0.5 * (distance / 1.5) ** 2)) + (1 - visibility) * ANYWHERE


def steadiness(hand: HandLandmarks, expected: np.ndarray | None, body: np.ndarray) -> float:
    """Return how well a hand agrees with where that side's hand was, in 0 to 1."""
    if expected is None:
        return NEW
    palm = max(palm_by_shoulders(body), hand.palm)
    jump = float(np.linalg.norm(hand.xy.mean(axis=0) - expected.mean(axis=0))) / palm
    return 0.3 + 0.7 * float(np.exp(-0.5 * (jump / 2.0) ** 2))


def confidences(hand: HandLandmarks, body: np.ndarray, expected: list[np.ndarray | None]) -> np.ndarray:
    """Return how sure a hand is as the left and as the right one, (2,) in 0 to 1.

    Args:
        hand: what the network found.
        body: (33, 4) MediaPipe's body.
        expected: where the left and the right hand's joints (21, 2) should be, None where nothing says.

    Presence times the geometric mean of two agreements: that it is the hand of this side and not of the other, and that
    it is near the wrist that the body network sees.
    """
    near = np.array([nearness(hand, side, body) for side in (LEFT, RIGHT)])
    steady = np.array([steadiness(hand, expected[side], body) for side in (LEFT, RIGHT)])
    belongs = np.array([hand.probability(side) for side in (LEFT, RIGHT)]) * near * steady
    belongs = belongs / max(float(belongs.sum()), 1e-9)
    return hand.presence * np.sqrt(belongs * near)


def choose(
    candidates: list[HandLandmarks], body: np.ndarray, expected: list[np.ndarray | None]
) -> list[tuple[HandLandmarks | None, float]]:
    """Give each side a candidate or none, never one hand to both, so that the confidences' sum is highest."""
    none = len(candidates)
    confidence = np.zeros((2, none + 1))
    for number, hand in enumerate(candidates):
        confidence[:, number] = confidences(hand, body, expected)
    score = confidence.copy()
    score[:, none] = MIN_SCORE
    pairs = [
        (a, b)
        for a, b in itertools.product(range(none + 1), repeat=2)
        if none in (a, b) or (a != b and not same(candidates[a], candidates[b]))
    ]
    best = max(pairs, key=lambda pair: score[LEFT, pair[0]] + score[RIGHT, pair[1]])
    return [
        (candidates[number], float(confidence[side, number])) if number < none else (None, 0.0)
        for side, number in zip((LEFT, RIGHT), best, strict=True)
    ]


class HandTracker:
    """Follow both hands through a clip, one picture at a time."""

    def __init__(self, network: HandNetwork) -> None:
        self._network = network
        self._memory: list[Memory | None] = [None, None]

    def update(
        self, image: np.ndarray, body: np.ndarray, found: tuple[np.ndarray | None, np.ndarray | None]
    ) -> tuple[tuple[HandLandmarks | None, float], tuple[HandLandmarks | None, float]]:
        """Return the left and the right hand of the picture, each with its confidence (None, 0.0 where there is none).

        Args:
            image: (H, W, 3) uint8 RGB.
            body: (33, 4) MediaPipe's body: x, y in pixels, depth, visibility.
            found: (21, 2) pixels of the left and right hand that Holistic found, or None.
        """
        unit = palm_by_shoulders(body)
        expected = [self._expected(side, body) for side in (LEFT, RIGHT)]
        candidates: list[HandLandmarks] = []

        def look(place: Region | None) -> None:
            hand = self._network(image, place) if place is not None else None
            if hand is not None:
                candidates.append(hand)

        for xy in found:
            look(None if xy is None else region_of(xy))
        chosen = choose(candidates, body, expected)
        for side in (LEFT, RIGHT):
            if chosen[side][1] < GOOD:
                place = expected[side]
                look(None if place is None else region_of(place))
                if not candidates or chosen[side][0] is None:
                    look(beyond_wrist(body, side, unit))
        chosen = choose(candidates, body, expected)
        for side in (LEFT, RIGHT):
            self._remember(side, chosen[side][0], body)
        return chosen[LEFT], chosen[RIGHT]

    def _expected(self, side: int, body: np.ndarray) -> np.ndarray | None:
        """Return where the joints of a hand seen a moment ago should be: it moves with the body's wrist."""
        memory = self._memory[side]
        return None if memory is None else memory.relative + body[WRISTS[side], :2]

    def _remember(self, side: int, hand: HandLandmarks | None, body: np.ndarray) -> None:
        wrist = body[WRISTS[side], :2]
        old = self._memory[side]
        if hand is not None:
            self._memory[side] = Memory(hand.xy - wrist, wrist)
        elif old is not None:
            self._memory[side] = Memory(old.relative, wrist, old.age + 1) if old.age < MEMORY else None
