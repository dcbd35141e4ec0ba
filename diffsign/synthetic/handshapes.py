"""Handshapes as the synthetic signer makes them, and how a given hand takes them.

A handshape is written in degrees from the straight finger: how far each finger bends at its three joints and
how far it leans to the thumb's side. The thumb is written as where its tip goes, because the contact is what
tells handshapes apart and what differs between hands: a small solver bends the thumb there and keeps it out of
the fingers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from diffsign.body.handshapes import SHAPES
from diffsign.geometry.skeleton import FINGERS as FINGER_ORDER
from diffsign.synthetic.kinematics import RestingHand, unit

Bend = tuple[float, float, float, float]

#: Bends of one finger in degrees, by the states of :mod:`diffsign.body.handshapes`: knuckle, middle joint, last joint,
#: lean to the thumb's side. They are the signer's own, not those of the population that hand poses are learned from.
BENDS: dict[str, Bend] = {
    "straight": (0, 3, 2, 0),
    "relaxed": (22, 28, 16, 0),
    "curved": (35, 38, 25, 0),
    "claw": (10, 95, 55, 0),
    "flat": (78, 8, 4, 0),
    "hook": (54, 62, 36, 0),
    "fist": (82, 100, 65, 0),
}


@dataclass(frozen=True)
class Thumb:
    """Where the tip of the thumb goes.

    Attributes:
        finger: the finger it is measured from, or ``palm`` for the flat hand at the knuckle of the middle finger.
        point: position along that finger: 0 knuckle, 1 middle joint, 2 last joint, 3 tip.
        offset: in finger radii along the bone there, to the thumb's side, and to the bone's inner side.
        weight: how much the place matters against a comfortable thumb.
    """

    finger: str
    point: float
    offset: tuple[float, float, float]
    weight: float = 1.0


@dataclass(frozen=True)
class Handshape:
    """Bends of the four fingers (see :data:`Bend`) and the thumb's place."""

    index: Bend
    middle: Bend
    ring: Bend
    pinky: Bend
    thumb: Thumb


def leaning(degrees: float) -> Bend:
    """Return the straight finger, leaning ``degrees`` to the thumb's side."""
    return (*BENDS["straight"][:3], degrees)


def _made(name: str, thumb: Thumb, **exactly: Bend) -> Handshape:
    """Return a handshape of the inventory with the thumb at a place, and some fingers bent exactly so."""
    states = SHAPES[name]
    bends = {
        finger: exactly.get(finger, BENDS[getattr(states, finger)]) for finger in FINGER_ORDER if finger != "thumb"
    }
    return Handshape(**bends, thumb=thumb)


BESIDE = Thumb("index", 0.7, (0.0, 2.1, -0.4))
ACROSS_FIST = Thumb("middle", 1.3, (0.0, 0.0, -2.0))
ON_MIDDLE = Thumb("middle", 1.4, (0.0, 0.4, -2.0))
ON_RING = Thumb("ring", 1.4, (0.0, 0.4, -2.0))
IN_PALM = Thumb("palm", 0.0, (-2.0, -1.0, 2.2))
OUT = Thumb("palm", 0.0, (-2.2, 8.4, 1.8))
ASIDE = Thumb("palm", 0.0, (-1.0, 6.0, 3.5), 0.5)
ALONG = Thumb("palm", 0.0, (2.6, 4.7, 0.8))

#: Handshapes as the signer makes them: which finger is in which state says :mod:`diffsign.body.handshapes`.
HANDSHAPES: dict[str, Handshape] = {
    "rest": _made("rest", ASIDE, index=(18, 24, 14, 2), ring=(26, 32, 18, -1), pinky=(28, 34, 20, -3)),
    "A": _made("A", BESIDE),
    "S": _made("S", ACROSS_FIST),
    "B": _made("B", IN_PALM),
    "flat": _made("flat-hand", ALONG),
    "bent": _made("bent-B", ALONG),
    "C": _made("C", Thumb("index", 3, (-0.5, 0.0, 4.6))),
    "D": _made("D", Thumb("middle", 3, (0.0, 0.3, 1.6)), middle=(58, 62, 35, 0), ring=(60, 64, 36, 0),
               pinky=(62, 66, 38, 0)),
    "E": _made("E", Thumb("middle", 3, (1.5, 0.3, 0.3))),
    "F": _made("F", Thumb("index", 3, (0.0, 0.2, 1.6)), index=(58, 66, 36, 0), middle=leaning(3), ring=leaning(-6),
               pinky=leaning(-16)),
    "G": _made("G", Thumb("index", 1.3, (0.0, 0.5, 3.0)), index=(8, 4, 2, 0)),
    "H": _made("H", ON_RING, index=(4, 3, 2, -3), middle=(4, 3, 2, 3)),
    "I": _made("I", ON_MIDDLE, pinky=leaning(-8)),
    "K": _made("K", Thumb("middle", 0.8, (0.0, 1.6, 0.8)), index=leaning(8), middle=(38, 6, 4, -4)),
    "L": _made("L", OUT),
    "O": _made("O", Thumb("index", 3, (0.3, 0.0, 1.6)), middle=(56, 62, 36, 0), ring=(58, 64, 38, 0),
               pinky=(60, 66, 40, 0)),
    "R": _made("R", ON_RING, index=(14, 6, 3, -12), middle=(0, 6, 3, 12)),
    "U": _made("U", ON_RING, index=leaning(-3), middle=leaning(3)),
    "V": _made("V", ON_RING, index=leaning(14), middle=leaning(-12)),
    "W": _made("W", Thumb("pinky", 1.6, (0.0, 0.4, -2.0)), index=leaning(14), ring=leaning(-14), pinky=(70, 85, 50, 0)),
    "X": _made("X", ON_MIDDLE, index=(12, 92, 50, 0)),
    "Y": _made("Y", OUT, pinky=leaning(-18)),
    "1": _made("1", ON_MIDDLE),
    "3": _made("3", OUT, index=leaning(12), middle=leaning(-8)),
    "4": _made("4", IN_PALM, index=leaning(14), middle=leaning(4), ring=leaning(-8), pinky=leaning(-20)),
    "5": _made("5", OUT, index=leaning(16), middle=leaning(4), ring=leaning(-8), pinky=leaning(-22)),
    "claw": _made("claw", Thumb("palm", 0.0, (3.0, 7.0, 6.0)), index=(16, 52, 34, 13), middle=(18, 54, 34, 3),
                  ring=(18, 54, 34, -7), pinky=(18, 52, 34, -18)),
}  # fmt: skip

#: Letters that can be spelled: one-handed, without movement.
LETTERS = "ABCDEFIKLORSUVWXY"

# The thumb's joints: base (bend, palmar abduction, roll), knuckle and last joint, in degrees from rest.
THUMB_LOW = np.array([-40.0, -35.0, -25.0, -15.0, -20.0])
THUMB_HIGH = np.array([50.0, 55.0, 40.0, 60.0, 75.0])
THUMB_EASE = np.array([0.0, 0.0, 0.0, 10.0, 10.0])
#: Where the search for the thumb's angles starts, from ease: at ease, opposed, stretched.
THUMB_STARTS = np.array([[0, 0, 0, 0, 0], [25, 35, 10, 20, 20], [-20, 0, 0, 0, 0]])
INDEX, MIDDLE, PINKY, RING, THUMB = range(5)
ALONG_AXIS, SIDE_AXIS, PALM_AXIS = np.eye(3)


def _turn(axis: np.ndarray, degrees: float) -> np.ndarray:
    return Rotation.from_rotvec(np.deg2rad(degrees) * unit(axis)).as_matrix()


def _knuckle(flexion: float, leaning: float) -> np.ndarray:
    return _turn(PALM_AXIS, leaning) @ _turn(-SIDE_AXIS, flexion)


def _finger(chain: np.ndarray, bend: Bend) -> np.ndarray:
    """Rotations (3, 3, 3) that bend one finger, whose joints and tip at rest are ``chain`` (4, 3)."""
    bones = np.diff(chain, axis=0)
    along, side, palm = bones[0]
    at_rest = _knuckle(np.rad2deg(np.arctan2(palm, np.hypot(along, side))), np.rad2deg(np.arctan2(side, along)))
    axis = at_rest @ -SIDE_AXIS
    rotations = [_knuckle(bend[0], bend[3]) @ at_rest.T]
    for before, after, target in zip(bones, bones[1:], bend[1:3], strict=False):
        ahead = unit(before - axis * (before @ axis))
        rest = np.rad2deg(np.arctan2(after @ np.cross(axis, ahead), after @ ahead))
        rotations.append(_turn(axis, target - rest))
    return np.stack(rotations)


def _pose_chain(chain: np.ndarray, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (4, 3) and bone orientations (3, 3, 3) of a finger after its rotations (3, 3, 3)."""
    points, orientations = [chain[0]], [np.eye(3)]
    for bone, rotation in zip(np.diff(chain, axis=0), rotations, strict=True):
        orientations.append(orientations[-1] @ rotation)
        points.append(points[-1] + orientations[-1] @ bone)
    return np.stack(points), np.stack(orientations[1:])


def _thumb(chain: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Rotations (3, 3, 3) of the thumb for its five angles."""
    along = unit(chain[2] - chain[0])
    toward = np.array([0.0, -0.85, 0.53])
    lift = unit(toward - along * (toward @ along))
    bend = np.cross(along, lift)
    base = _turn(lift, degrees[1]) @ _turn(bend, degrees[0]) @ _turn(along, degrees[2])
    return np.stack([base, _turn(bend, degrees[3]), _turn(bend, degrees[4])])


def _target(thumb: Thumb, chains: np.ndarray, bends: np.ndarray, thickness: float) -> np.ndarray:
    """Where the thumb's tip goes: (3,) metres in the hand's basis."""
    offset = np.array(thumb.offset) * thickness
    if thumb.finger == "palm":
        return chains[MIDDLE, 0] + offset
    finger = FINGER_ORDER.index(thumb.finger)
    points, orientations = _pose_chain(chains[finger], bends[finger])
    bone = min(int(thumb.point), 2)
    share = thumb.point - bone
    # At rest bones are nearly along the hand: the frame of a bone is the hand's, turned so that it follows the bone.
    ahead = unit(points[bone + 1] - points[bone])
    side = orientations[bone] @ SIDE_AXIS
    side = unit(side - ahead * (side @ ahead))
    frame = np.stack([ahead, side, np.cross(ahead, side)], axis=1)
    return points[bone] * (1 - share) + points[bone + 1] * share + frame @ offset


def _samples(points: np.ndarray, count: int) -> np.ndarray:
    """``count`` points on each bone of a chain (4, 3)."""
    share = np.linspace(0, 1, count)[:, None]
    return np.concatenate([a * (1 - share) + b * share for a, b in pairwise(points)])


def hand_rotations(hand: RestingHand, shape: Handshape) -> np.ndarray:
    """Return the rotations (15, 3, 3) from the rest pose that give ``hand`` a handshape, in the world's axes."""
    bends = np.stack([_finger(hand.chains[i], getattr(shape, FINGER_ORDER[i])) for i in range(4)])
    fingers = np.concatenate([_samples(_pose_chain(hand.chains[i], bends[i])[0], 5) for i in range(4)])
    # The palm: from the wrist to the four knuckles, as thick as a finger and a half.
    palm = (hand.chains[:4, 0, None] * np.linspace(0.35, 1.0, 4)[:, None]).reshape(-1, 3)
    solid = np.concatenate([fingers, palm])
    reach = np.concatenate([np.full(len(fingers), 1.9), np.full(len(solid) - len(fingers), 2.2)]) * hand.thickness
    chain = hand.chains[THUMB]
    target = _target(shape.thumb, hand.chains, bends, hand.thickness)

    def misfit(degrees: np.ndarray) -> np.ndarray:
        points, _ = _pose_chain(chain, _thumb(chain, degrees))
        moving = _samples(points[1:], 5)
        gap = np.linalg.norm(moving[:, None] - solid, axis=-1)
        return np.concatenate(
            [
                shape.thumb.weight * (points[3] - target) / hand.thickness,
                1.5 * np.maximum(reach - gap, 0).max(axis=1) / hand.thickness,
                (degrees - THUMB_EASE) / 150,
            ]
        )

    starts = THUMB_EASE + THUMB_STARTS
    solution = min(
        (least_squares(misfit, start, bounds=(THUMB_LOW, THUMB_HIGH), max_nfev=40) for start in starts),
        key=lambda result: result.cost,
    )
    rotations = np.concatenate([bends.reshape(12, 3, 3), _thumb(chain, solution.x)])
    # The basis of a right hand is a mirrored one; turning into the world's axes and back keeps rotations proper.
    return hand.basis @ rotations @ hand.basis.T
