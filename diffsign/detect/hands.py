"""Hands: MediaPipe's hand network run on places where a hand is expected, and the choice among what it finds.

Holistic looks for each hand where the body network sees its wrist. It loses hands that move fast or
touch, and it takes one hand for the other when both are close. Here its finds are looked at again by the
full hand network, which also gives metric 3D, the probability that this is a hand at all, and that it is a
left one; a hand that is lost or doubtful is looked for where it was a moment ago.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LEFT, RIGHT = 0, 1

#: Numbers of the wrists and elbows among MediaPipe's body landmarks, left and right.
WRISTS, ELBOWS, SHOULDERS = (15, 16), (13, 14), (11, 12)

#: The place of a hand in the picture is found from palm and middle joints, as the network was trained.
PALM = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]

#: A palm's length as a part of the shoulders' width: the unit in which distances are judged.
PALM_OF_SHOULDERS = 0.25

#: Below this probability there is no hand.
MIN_PRESENCE = 0.5
#: A hand found by Holistic that scores this much is not looked for elsewhere.
GOOD = 0.6
#: A hand that scores less is not believed.
MIN_SCORE = 0.08
#: Hands whose joints are closer than this, in palms, are the same.
SAME = 0.5
#: A lost hand is looked for where it was for so many frames.
MEMORY = 8

_GRAPH = """
input_stream: "image"
input_stream: "roi"
input_side_packet: "model_complexity"
output_stream: "hand_landmarks"
output_stream: "hand_world_landmarks"
output_stream: "handedness"
node {
  calculator: "HandLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  output_stream: "LANDMARKS:hand_landmarks"
  output_stream: "WORLD_LANDMARKS:hand_world_landmarks"
  output_stream: "HANDEDNESS:handedness"
}
"""


@dataclass(frozen=True)
class Region:
    """A square in the picture that a hand is expected in: its middle in pixels, side in pixels, rotation in radians."""

    centre: np.ndarray
    side: float
    rotation: float


@dataclass(frozen=True)
class HandLandmarks:
    """What the hand network found.

    Attributes:
        xy: (21, 2) pixels.
        world: (21, 3) metres in camera axes, from the wrist.
        presence: probability that this is a hand.
        left: probability that it is a left hand.
    """

    xy: np.ndarray
    world: np.ndarray
    presence: float
    left: float

    def probability(self, side: int) -> float:
        """Return the probability that this is the signer's hand of that side."""
        return self.left if side == LEFT else 1.0 - self.left


def region_of(xy: np.ndarray) -> Region:
    """Return the square around a hand (21, 2) in pixels, its fingers pointing up."""
    up = ((xy[5] + xy[13]) / 2 + xy[9]) / 2 - xy[0]
    rotation = float(np.arctan2(up[0], -up[1]))
    cosine, sine = np.cos(rotation), np.sin(rotation)
    upright = np.array([[cosine, sine], [-sine, cosine]])
    palm = xy[PALM] @ upright.T
    low, high = palm.min(axis=0), palm.max(axis=0)
    extent = high - low
    return Region(
        centre=((low + high) / 2 - [0, 0.1 * extent[1]]) @ upright, side=2.0 * float(extent.max()), rotation=rotation
    )


class HandNetwork:
    """MediaPipe's hand landmark network, run on a given place of a picture."""

    def __init__(self) -> None:
        import mediapipe
        from mediapipe.framework.formats import rect_pb2
        from mediapipe.python import solution_base
        from mediapipe.python._framework_bindings import resource_util, validated_graph_config

        resource_util.set_resource_dir(str(Path(mediapipe.__file__).parents[1]))
        graph = validated_graph_config.ValidatedGraphConfig()
        graph.initialize(graph_config=_GRAPH)
        # Expanded, so that the probability of a hand inside the subgraph can be observed and nothing is withheld.
        self._graph = solution_base.SolutionBase(
            graph_config=graph.text_config + '\noutput_stream: "handlandmarkcpu__hand_presence_score"\n',
            side_inputs={"model_complexity": 1},
            calculator_params={"handlandmarkcpu__ThresholdingCalculator.threshold": 0.0},
        )
        self._rect: Any = vars(rect_pb2)["NormalizedRect"]

    def __call__(self, image: np.ndarray, place: Region) -> HandLandmarks | None:
        """Return what is found at ``place`` of an RGB picture; None if it is no hand or out of the picture."""
        height, width = image.shape[:2]
        x, y = place.centre / [width, height]
        if not (np.isfinite(place.side) and place.side >= 4 and -0.2 <= x <= 1.2 and -0.2 <= y <= 1.2):
            return None
        rect = self._rect(
            x_center=x, y_center=y, width=place.side / width, height=place.side / height, rotation=place.rotation
        )
        result: Any = self._graph.process({"image": image, "roi": rect})
        presence = float(result.handlandmarkcpu__hand_presence_score or 0.0)
        if result.hand_landmarks is None or presence < MIN_PRESENCE:
            return None
        xy = np.array([(p.x * width, p.y * height) for p in result.hand_landmarks.landmark])
        world = np.array([(p.x, p.y, p.z) for p in result.hand_world_landmarks.landmark])
        named = result.handedness.classification[0]
        # MediaPipe names hands as in a mirror: the hand that it calls right is the signer's left.
        left = named.score if named.label == "Right" else 1.0 - named.score
        return HandLandmarks(xy=xy, world=world - world[0], presence=presence, left=float(left))

    def close(self) -> None:
        """Free the network."""
        self._graph.close()


@dataclass(frozen=True)
class Memory:
    """Where a hand was: its joints relative to the body's wrist (21, 2), the wrist (2,), and how many frames ago."""

    relative: np.ndarray
    wrist: np.ndarray
    age: int = 0


def _same(a: np.ndarray, b: np.ndarray, unit: float) -> bool:
    return float(np.linalg.norm(a - b, axis=-1).mean()) < SAME * unit


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

        The confidence is the hand's presence times the geometric mean of two agreements: that it is a hand of this
        side, and that it is near the wrist that the body network sees.
        """
        unit = max(PALM_OF_SHOULDERS * float(np.linalg.norm(body[SHOULDERS[0], :2] - body[SHOULDERS[1], :2])), 6.0)
        expected = [self._expected(side, body) for side in (LEFT, RIGHT)]
        candidates: list[HandLandmarks] = []

        def look(place: Region | None) -> None:
            hand = self._network(image, place) if place is not None else None
            if hand is None:
                return
            twin = next((i for i, other in enumerate(candidates) if _same(hand.xy, other.xy, unit)), None)
            if twin is None:
                candidates.append(hand)
            elif hand.presence > candidates[twin].presence:
                candidates[twin] = hand

        for xy in found:
            look(None if xy is None else region_of(xy))
        chosen = self._choose(candidates, body, expected, unit)
        for side in (LEFT, RIGHT):
            if chosen[side][1] < GOOD:
                place = expected[side]
                look(None if place is None else region_of(place))
                if not candidates or chosen[side][0] is None:
                    look(self._from_arm(side, body, unit))
        chosen = self._choose(candidates, body, expected, unit)
        for side in (LEFT, RIGHT):
            self._remember(side, chosen[side][0], body)
        return chosen[LEFT], chosen[RIGHT]

    def _expected(self, side: int, body: np.ndarray) -> np.ndarray | None:
        """Return where the joints of a hand seen a moment ago should be: it moves with the body's wrist."""
        memory = self._memory[side]
        return None if memory is None else memory.relative + body[WRISTS[side], :2]

    def _from_arm(self, side: int, body: np.ndarray, unit: float) -> Region | None:
        """Return the place beyond the wrist that the forearm points to, if the wrist is in sight."""
        wrist, elbow = body[WRISTS[side], :2], body[ELBOWS[side], :2]
        if body[WRISTS[side], 3] < 0.3:
            return None
        along = wrist - elbow
        length = float(np.linalg.norm(along))
        centre = wrist + (along / length * unit if length > 1 else 0.0)
        return Region(centre=centre, side=5.0 * unit, rotation=float(np.arctan2(along[0], -along[1])))

    def _remember(self, side: int, hand: HandLandmarks | None, body: np.ndarray) -> None:
        wrist = body[WRISTS[side], :2]
        old = self._memory[side]
        if hand is not None:
            self._memory[side] = Memory(hand.xy - wrist, wrist)
        elif old is not None:
            self._memory[side] = Memory(old.relative, wrist, old.age + 1) if old.age < MEMORY else None

    def _agreements(self, hand: HandLandmarks, side: int, body: np.ndarray, unit: float) -> float:
        distance = float(np.linalg.norm(hand.xy[0] - body[WRISTS[side], :2])) / unit
        visibility = float(np.clip(body[WRISTS[side], 3], 0.0, 1.0))
        near = 1.0 - visibility * (1.0 - float(np.exp(-0.5 * (distance / 1.5) ** 2)))
        return float(np.sqrt(hand.probability(side) * near))

    def _choose(
        self, candidates: list[HandLandmarks], body: np.ndarray, expected: list[np.ndarray | None], unit: float
    ) -> list[tuple[HandLandmarks | None, float]]:
        """Give each side the candidate that agrees best, so that the sum over both sides is highest."""
        confidence = np.zeros((2, len(candidates) + 1))
        score = np.full((2, len(candidates) + 1), MIN_SCORE)
        for side, (number, hand) in itertools.product((LEFT, RIGHT), enumerate(candidates)):
            confidence[side, number] = hand.presence * self._agreements(hand, side, body, unit)
            steady = 1.0
            place = expected[side]
            if place is not None:
                jump = float(np.linalg.norm(hand.xy.mean(axis=0) - place.mean(axis=0))) / unit
                steady = 0.3 + 0.7 * float(np.exp(-0.5 * (jump / 2.0) ** 2))
            score[side, number] = confidence[side, number] * steady
        none = len(candidates)
        pairs = [(a, b) for a, b in itertools.product(range(none + 1), repeat=2) if a != b or a == none]
        best = max(pairs, key=lambda pair: score[LEFT, pair[0]] + score[RIGHT, pair[1]])
        return [
            (candidates[number], float(confidence[side, number])) if number < none else (None, 0.0)
            for side, number in zip((LEFT, RIGHT), best, strict=True)
        ]
