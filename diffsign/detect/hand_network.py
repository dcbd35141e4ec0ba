"""MediaPipe's hand network, run on any region of a picture.

It gives 21 points, metric 3D, the probability that there is a hand at all, and that it is a left one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LEFT, RIGHT = 0, 1

#: The place of a hand in the picture is found from palm and middle joints, as the network was trained.
PALM = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]

#: Below this probability there is no hand.
MIN_PRESENCE = 0.5
#: The network names a blurred hand, or one seen from its edge, left or right at random; no name is surer than this.
SUREST_NAME = 0.9
#: Hands whose joints are closer than this on average, or whose middles are closer than that, in palms of their own, are
#: the same hand.
SAME, SAME_MIDDLE = 0.5, 0.35

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
        """Return the probability that this is the signer's hand of that side, by its looks."""
        left = float(np.clip(self.left, 1 - SUREST_NAME, SUREST_NAME))
        return left if side == LEFT else 1.0 - left

    @property
    def palm(self) -> float:
        """Pixels from the wrist to the middle knuckle, or what the palm's width says if that is foreshortened."""
        length, width = np.linalg.norm(self.xy[9] - self.xy[0]), np.linalg.norm(self.xy[5] - self.xy[17])
        return float(max(length, 1.3 * width))


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

    def __call__(self, image: np.ndarray, place: Region, min_presence: float = MIN_PRESENCE) -> HandLandmarks | None:
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
        if result.hand_landmarks is None or presence < min_presence:
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


def same(a: HandLandmarks, b: HandLandmarks) -> bool:
    """Tell whether two finds are one hand: its joints lie alike, or its middle does while the network took it apart."""
    palm = max(a.palm, b.palm)
    joints = float(np.linalg.norm(a.xy - b.xy, axis=-1).mean())
    middles = float(np.linalg.norm(a.xy.mean(axis=0) - b.xy.mean(axis=0)))
    return joints < SAME * palm or middles < SAME_MIDDLE * palm
