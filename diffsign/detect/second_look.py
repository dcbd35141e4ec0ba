"""A second look for hands that were lost, with what is known of the frames on both sides.

The first pass sees only what came before. Here a hand that is missing while the body network sees its wrist in the
picture is looked for between where it was before and where it is after, larger, smaller and turned: a blurred hand, or
one that changes its shape, is often found in a region that fits it better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from diffsign.detect.hand_network import LEFT, RIGHT, HandLandmarks, HandNetwork, Region, region_of, same
from diffsign.detect.hands import GOOD, WRISTS, beyond_wrist, confidences, palm_by_shoulders

#: A hand is lost when its wrist is in the picture with this visibility.
WRIST_VISIBLE = 0.5
#: Hands before and after count if they are at most so many seconds away.
NEIGHBOURS = 0.5
#: A hand that is long lost is looked for every so many seconds.
SELDOM = 0.5
#: Sizes and rotations (radians) that are tried, as factors and offsets of the expected ones.
VARIANTS = [(1.0, 0.0), (1.35, 0.0), (1.0, 0.6), (1.0, -0.6), (0.75, 0.0), (1.35, 0.6), (1.35, -0.6)]
#: A hand that is found twice as surely as not is taken where a wrist says that there is one.
MIN_PRESENCE, MIN_CONFIDENCE = 0.35, 0.3


@dataclass
class Detection:
    """What was found in one picture.

    Attributes:
        body: (33, 4) MediaPipe's body: x, y in pixels, depth, visibility; None if nobody was found.
        hands: the left and the right hand with their confidences; None where there is none.
        starts: a shot begins here.
    """

    body: np.ndarray | None
    hands: list[tuple[HandLandmarks | None, float]]
    starts: bool = False


def lost_hands(detections: list[Detection], width: int, height: int) -> list[tuple[int, int]]:
    """Return (frame, side) of each hand that is missing while its wrist is seen in the picture."""
    lost = []
    for t, detection in enumerate(detections):
        if detection.body is None:
            continue
        for side in (LEFT, RIGHT):
            x, y, _, visibility = detection.body[WRISTS[side]]
            shown = 0 <= x <= width and 0 <= y <= height and visibility >= WRIST_VISIBLE
            if shown and detection.hands[side][0] is None:
                lost.append((t, side))
    return lost


def _neighbour(detections: list[Detection], t: int, side: int, step: int, reach: int) -> tuple[int, np.ndarray] | None:
    """Return the nearest frame in one direction that has the hand, and its joints relative to the body's wrist."""
    for distance in range(1, reach + 1):
        if step < 0 and detections[t - distance + 1].starts:
            return None
        number = t + step * distance
        if not 0 <= number < len(detections) or (step > 0 and detections[number].starts):
            return None
        hand, body = detections[number].hands[side][0], detections[number].body
        if hand is not None and body is not None:
            return number, hand.xy - body[WRISTS[side], :2]
    return None


def expected_joints(detections: list[Detection], t: int, side: int, reach: int) -> np.ndarray | None:
    """Return where a hand's joints (21, 2) should be, between its neighbours in time; None if it has none."""
    body = detections[t].body
    known = [found for step in (-1, 1) if (found := _neighbour(detections, t, side, step, reach)) is not None]
    if body is None or not known:
        return None
    weights = np.array([1 / abs(number - t) for number, _ in known])
    relative = np.tensordot(weights / weights.sum(), np.stack([joints for _, joints in known]), axes=1)
    return relative + body[WRISTS[side], :2]


def regions(detection: Detection, side: int, expected: np.ndarray | None) -> Iterator[Region]:
    """Yield the regions in which a lost hand is looked for, the likeliest first."""
    assert detection.body is not None
    bases = [] if expected is None else [region_of(expected)]
    beyond = beyond_wrist(detection.body, side, palm_by_shoulders(detection.body))
    if beyond is not None:
        # The palm by the shoulders is too small for a hand close to the camera; its neighbours know better.
        side_length = max([beyond.side, *(1.3 * base.side for base in bases)])
        bases.append(Region(beyond.centre, side_length, beyond.rotation))
    for scale, rotation in VARIANTS:
        for base in bases:
            yield Region(base.centre, scale * base.side, base.rotation + rotation)


def find_lost(
    image: np.ndarray, detection: Detection, side: int, expected: np.ndarray | None, network: HandNetwork
) -> tuple[HandLandmarks | None, float]:
    """Return the best hand of that side in a picture with its confidence; (None, 0.0) if there is none."""
    assert detection.body is not None
    other = detection.hands[RIGHT if side == LEFT else LEFT][0]
    places = [expected, None] if side == LEFT else [None, expected]
    best: tuple[HandLandmarks | None, float] = (None, 0.0)
    for region in regions(detection, side, expected):
        hand = network(image, region, MIN_PRESENCE)
        if hand is None or (other is not None and same(hand, other)):
            continue
        confidence = float(confidences(hand, detection.body, places)[side])
        if confidence > max(best[1], MIN_CONFIDENCE):
            best = hand, confidence
        if best[1] > GOOD:
            break
    return best


def look_again(images: Iterable[np.ndarray], detections: list[Detection], fps: float, network: HandNetwork) -> int:
    """Look for lost hands once more and put them into ``detections``; return how many were found.

    What is found says in the next frames where to look.

    Args:
        images: the clip's pictures, from the first on.
        detections: of all of them.
        fps: frames per second.
        network: the hand network.
    """
    reach, every, count = max(2, round(NEIGHBOURS * fps)), max(1, round(SELDOM * fps)), 0
    lost: dict[int, list[int]] = {}
    for number, image in enumerate(images):
        if number == 0:
            height, width = image.shape[:2]
            for t, side in lost_hands(detections, width, height):
                lost.setdefault(t, []).append(side)
        for side in lost.pop(number, []):
            expected = expected_joints(detections, number, side, reach)
            if expected is None and number % every:
                continue
            hand = find_lost(np.ascontiguousarray(image), detections[number], side, expected, network)
            if hand[0] is not None:
                detections[number].hands[side] = hand
                count += 1
        if not lost:
            break
    return count
