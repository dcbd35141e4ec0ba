"""Handshapes: what is written in degrees is what the joints do, and no two look alike."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffsign.body.handshapes import SHAPES
from diffsign.geometry.skeleton import FINGERS
from diffsign.synthetic.handshapes import HANDSHAPES, LETTERS, hand_rotations

STRAIGHT_FINGERS = {
    "B": {"index", "middle", "ring", "pinky"},
    "D": {"index"},
    "F": {"middle", "ring", "pinky"},
    "I": {"pinky"},
    "L": {"index"},
    "S": set(),
    "V": {"index", "middle"},
    "W": {"index", "middle", "ring"},
    "Y": {"pinky"},
}


def chains(hand, rotations):
    """(5, 4, 3) points of the fingers in the hand's basis."""
    local = hand.basis.T @ rotations @ hand.basis
    points = []
    for finger in range(5):
        turn, line = np.eye(3), [hand.chains[finger, 0]]
        for bone in range(3):
            turn = turn @ local[3 * finger + bone]
            line.append(line[-1] + turn @ (hand.chains[finger, bone + 1] - hand.chains[finger, bone]))
        points.append(line)
    return np.array(points)


@pytest.fixture(scope="module")
def shapes(person):
    hand = person.physique.skeleton.hands["right"]
    return hand, {name: chains(hand, hand_rotations(hand, shape)) for name, shape in HANDSHAPES.items()}


def test_rotations_are_proper(person):
    for hand in person.physique.skeleton.hands.values():
        rotations = hand_rotations(hand, HANDSHAPES["F"])
        assert np.allclose(rotations @ rotations.swapaxes(1, 2), np.eye(3), atol=1e-9)
        assert np.allclose(np.linalg.det(rotations), 1)


@pytest.mark.parametrize("letter", STRAIGHT_FINGERS)
def test_the_right_fingers_are_straight(shapes, letter):
    _, found = shapes
    for finger in ("index", "middle", "ring", "pinky"):
        points = found[letter][FINGERS.index(finger)]
        direction = points[3] - points[0]
        length = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
        straight = np.linalg.norm(direction) > 0.97 * length and direction[0] > 0.85 * length
        assert straight == (finger in STRAIGHT_FINGERS[letter]), (letter, finger)


def test_bends_are_the_degrees_written(shapes):
    _, found = shapes
    for name, shape in HANDSHAPES.items():
        bones = np.diff(found[name][FINGERS.index("ring")], axis=0)
        bones /= np.linalg.norm(bones, axis=1, keepdims=True)
        bends = np.rad2deg(np.arccos(np.clip(np.sum(bones[:-1] * bones[1:], axis=1), -1, 1)))
        # The tip lies on the nail's side of the last bone's axis by a few degrees.
        assert bends == pytest.approx(shape.ring[1:3], abs=6.0), name


def test_thumb_touches_where_handshapes_ask_for_contact(shapes):
    hand, found = shapes
    for name, finger in (("F", "index"), ("O", "index"), ("D", "middle")):
        gap = np.linalg.norm(found[name][4, 3] - found[name][FINGERS.index(finger), 3])
        assert gap < 2.8 * hand.thickness, name


def test_no_finger_runs_through_the_thumb(shapes):
    hand, found = shapes
    for name, points in found.items():
        share = np.linspace(0, 1, 9)[:, None]
        thumb = np.concatenate([a + share * (b - a) for a, b in pairwise(points[4, 1:])])
        fingers = [a + share * (b - a) for finger in points[:4] for a, b in pairwise(finger)]
        gap = np.linalg.norm(thumb[:, None] - np.concatenate(fingers), axis=-1).min()
        assert gap > 1.1 * hand.thickness, name


def test_letters_differ(shapes):
    hand, found = shapes
    for a, b in combinations(LETTERS, 2):
        apart = np.linalg.norm(found[a] - found[b], axis=-1).max()
        assert apart > 1.2 * hand.thickness, (a, b)


def test_hands_mirror(person):
    hands = person.physique.skeleton.hands
    mirror = np.diag([-1.0, 1.0, 1.0])
    left, right = (hand_rotations(hands[side], HANDSHAPES["K"]) for side in ("left", "right"))
    difference = Rotation.from_matrix(left.swapaxes(1, 2) @ (mirror @ right @ mirror)).magnitude()
    assert np.rad2deg(difference).max() < 1.0


def test_fingers_are_as_the_inventory_says():
    """Straight fingers are straight and fists are folded, whatever a handshape writes of its own."""
    names = {"flat": "flat-hand", "bent": "bent-B"}
    for name, shape in HANDSHAPES.items():
        states = SHAPES[names.get(name, name)]
        for finger in ("index", "middle", "ring", "pinky"):
            knuckle, middle, last, _ = getattr(shape, finger)
            state = getattr(states, finger)
            if state == "straight":
                assert knuckle + middle + last < 30, (name, finger)
            elif state == "fist":
                assert knuckle + middle + last > 200, (name, finger)
            else:
                assert 30 <= knuckle + middle + last <= 200, (name, finger)
