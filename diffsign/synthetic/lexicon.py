"""Signs, as sign linguistics takes them apart: handshape, place, orientation, movement, and what the face does.

Directions and places of a hand are written from its own side: ``(out, up, forward)``, so that both hands of a symmetric
sign are written once. Lengths are shares of the signer's arm (shoulder to wrist).
The signs follow well-known signs of American Sign Language closely enough to look like signing; they are test material,
and no dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Vector = tuple[float, float, float]

OUT, IN, UP, DOWN, FORWARD, BACK = (
    (1.0, 0.0, 0.0),
    (-1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, -1.0, 0.0),
    (0.0, 0.0, 1.0),
    (0.0, 0.0, -1.0),
)

Place = Literal[
    "space", "torso", "forehead", "temple", "eye", "nose", "cheek", "mouth", "chin", "ear", "before_face"
]  # fmt: skip
Contact = Literal["palm", "index", "middle", "thumb", "tips", "knuckles", "wrist"]


@dataclass(frozen=True)
class Posture:
    """One hand standing still.

    Attributes:
        shape: name in :data:`diffsign.synthetic.handshapes.HANDSHAPES`.
        place: what the offset is measured from: ``space`` is the middle between the shoulders.
        offset: (out, up, forward) in arm lengths.
        fingers: where the fingers point (as the flat hand would), from the hand's own side.
        palm: where the palm faces, from the hand's own side.
        contact: the point of the hand that is brought to the place.
    """

    shape: str
    place: Place
    offset: Vector
    fingers: Vector
    palm: Vector
    contact: Contact = "palm"


@dataclass(frozen=True)
class Movement:
    """How a hand moves during a sign.

    Attributes:
        path: (out, up, forward) in arm lengths, how far it goes from where it starts; a repeated movement comes back.
        arc: (out, up, forward) in arm lengths, how far the path bulges at its middle.
        circle: (out, up, forward) axis of circles of that radius (in arm lengths) instead; zero for none.
        repeats: how often.
        turn: degrees by which the palm turns about the fingers' direction, to palm up.
        nod: degrees by which the wrist bends to the palm.
        shape: handshape at the end of the movement; the first one stays by default.
        flutter: degrees by which the fingers wiggle.
    """

    path: Vector = (0.0, 0.0, 0.0)
    arc: Vector = (0.0, 0.0, 0.0)
    circle: Vector = (0.0, 0.0, 0.0)
    repeats: int = 1
    turn: float = 0.0
    nod: float = 0.0
    shape: str | None = None
    flutter: float = 0.0


STILL = Movement()


@dataclass(frozen=True)
class Sign:
    """One entry of the lexicon.

    Attributes:
        gloss: its name.
        dominant: how the dominant hand starts.
        movement: how it moves.
        other: how the other hand starts; ``same`` mirrors the dominant one, ``None`` leaves it at ease.
        other_movement: how the other hand moves; ``same`` mirrors, ``alternate`` mirrors half a cycle later.
        seconds: length of the movement.
        face: name in :data:`FACES`.
        mouth: mouth pictures in the order of speaking, names in :data:`MOUTHS`.
        head: (nod, turn, tilt) of the head in degrees at the middle of the sign.
    """

    gloss: str
    dominant: Posture
    movement: Movement
    other: Posture | Literal["same"] | None = None
    other_movement: Movement | Literal["same", "alternate"] = STILL
    seconds: float = 0.5
    face: str = "neutral"
    mouth: tuple[str, ...] = ()
    head: Vector = (0.0, 0.0, 0.0)


#: Facial actions (ARKit's names) of the non-manual markers.
FACES: dict[str, dict[str, float]] = {
    "neutral": {},
    "raised": {"browInnerUp": 0.8, "browOuterUpLeft": 0.9, "browOuterUpRight": 0.9, "eyeWideLeft": 0.5,
         "eyeWideRight": 0.5},
    "furrowed": {"browDownLeft": 0.95, "browDownRight": 0.95, "eyeSquintLeft": 0.4, "eyeSquintRight": 0.4,
                 "noseSneerLeft": 0.25, "noseSneerRight": 0.25},
    "smile": {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4,
              "browOuterUpLeft": 0.2, "browOuterUpRight": 0.2},
    "doubt": {"browInnerUp": 0.7, "mouthFrownLeft": 0.6, "mouthFrownRight": 0.6, "mouthShrugLower": 0.5},
    "puffed": {"cheekPuff": 0.9, "browDownLeft": 0.3, "browDownRight": 0.3},
}  # fmt: skip

#: Facial actions of mouth pictures; ``jaw`` is the opening of the jaw in degrees.
MOUTHS: dict[str, dict[str, float]] = {
    "a": {"jaw": 11.0, "mouthLowerDownLeft": 0.3, "mouthLowerDownRight": 0.3, "mouthUpperUpLeft": 0.2,
         "mouthUpperUpRight": 0.2},
    "e": {"jaw": 5.0, "mouthStretchLeft": 0.5, "mouthStretchRight": 0.5, "mouthSmileLeft": 0.25,
         "mouthSmileRight": 0.25},
    "o": {"jaw": 8.0, "mouthFunnel": 0.7},
    "u": {"jaw": 3.0, "mouthPucker": 0.8},
    "m": {"mouthPressLeft": 0.6, "mouthPressRight": 0.6, "mouthRollLower": 0.3, "mouthRollUpper": 0.3},
    "f": {"jaw": 2.0, "mouthRollLower": 0.5, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3},
}  # fmt: skip

#: Arms hanging, below the picture, where a clip starts; and the relaxed hand at the waist between signs.
LOWERED = Posture("rest", "space", (0.42, -0.98, 0.22), (-0.25, -0.75, 0.6), (-1.0, 0.0, -0.2), "wrist")
AT_EASE = Posture("rest", "space", (0.08, -0.62, 0.46), (-0.75, 0.15, 0.6), (-0.35, -0.5, -0.8), "palm")
LAP = Posture("rest", "space", (0.08, -0.80, 0.44), (-0.85, -0.15, 0.5), (-0.3, 0.1, -0.95), "palm")
#: Where letters are spelled: before the own shoulder, the palm to the viewer.
SPELLING = Posture("A", "space", (0.34, -0.10, 0.50), (-0.10, 1.0, 0.12), FORWARD, "wrist")
#: Letters whose fingers point sideways.
SIDEWAYS = {"G", "H"}

_TWO = "same"

SIGNS: tuple[Sign, ...] = (
    Sign("BOOK", Posture("flat", "space", (0.03, -0.36, 0.52), (0.0, 0.35, 1.0), IN),
         Movement(turn=65.0, path=(0.10, 0.0, 0.0)),
         _TWO, "same", 0.55, mouth=("u",)),
    Sign("HOUSE", Posture("flat", "space", (0.03, 0.02, 0.52), (-0.62, 0.78, 0.25), (-0.75, -0.62, 0.1), "tips"),
         Movement(path=(0.22, -0.36, 0.0), arc=(0.10, 0.06, 0.0)), _TWO, "same", 0.65, mouth=("a", "u")),
    Sign("WHAT", Posture("5", "space", (0.28, -0.48, 0.50), (0.25, 0.1, 1.0), UP),
         Movement(path=(0.12, 0.0, 0.0), repeats=2), _TWO, "same", 0.7, "furrowed", ("u", "a"), (6.0, 0.0, 4.0)),
    Sign("MEET", Posture("1", "space", (0.30, -0.24, 0.50), UP, IN), Movement(path=(-0.24, 0.0, 0.0)),
         _TWO, "same", 0.5, mouth=("m", "e")),
    Sign("MORE", Posture("O", "space", (0.15, -0.30, 0.50), (-0.85, 0.45, 0.3), (-0.45, -0.85, -0.2), "tips"),
         Movement(path=(-0.11, 0.0, 0.0), repeats=2), _TWO, "same", 0.55, "raised", ("m", "o")),
    Sign("WORK", Posture("S", "space", (0.05, -0.22, 0.50), (-0.35, 0.1, 1.0), DOWN), Movement(path=(0.0, -0.09, 0.0),
         repeats=2),
         Posture("S", "space", (0.03, -0.44, 0.52), (-0.55, 0.0, 1.0), DOWN), STILL, 0.55, mouth=("u",)),
    Sign("NAME", Posture("H", "space", (0.02, -0.22, 0.50), (-0.8, 0.15, 0.6), (-0.5, -0.1, -0.8), "middle"),
         Movement(path=(0.0, -0.08, 0.0), repeats=2),
         Posture("H", "space", (0.02, -0.37, 0.50), (-0.8, 0.15, 0.6), (-0.5, -0.1, -0.8), "middle"),
         STILL, 0.5, mouth=("e", "m")),
    Sign("MAYBE", Posture("flat", "space", (0.24, -0.40, 0.52), (0.0, 0.05, 1.0), UP),
         Movement(path=(0.0, 0.16, 0.0), repeats=2), _TWO, "alternate", 0.75, "doubt", ("m", "e"), (2.0, 0.0, 7.0)),
    Sign("SIGNING", Posture("1", "space", (0.16, -0.28, 0.50), (-0.75, 0.6, 0.3), (-0.5, -0.1, 0.85)),
         Movement(circle=(0.10, 0.0, 0.0), repeats=2), _TWO, "alternate", 0.8, mouth=("a",)),
    Sign("WANT", Posture("claw", "space", (0.24, -0.40, 0.66), (0.0, 0.2, 1.0), UP), Movement(path=(0.0, -0.04, -0.16)),
         _TWO, "same", 0.5, "raised", ("o",)),
    Sign("DIFFERENT", Posture("1", "space", (0.04, -0.18, 0.52), (-0.55, 0.75, 0.3), FORWARD),
         Movement(path=(0.30, 0.10, 0.0), arc=(0.0, 0.06, 0.0)),
         _TWO, "same", 0.5, mouth=("e", "f")),
    Sign("HELLO", Posture("flat", "temple", (0.06, 0.04, 0.04), (-0.35, 0.9, -0.05), (-0.35, -0.1, 0.95), "index"),
         Movement(path=(0.22, 0.06, 0.12), nod=-12.0), seconds=0.5, face="smile", mouth=("e", "o"),
         head=(-2.0, 0.0, 3.0)),
    Sign("THANK-YOU", Posture("flat", "chin", (0.0, -0.01, 0.03), (-0.25, 0.95, -0.2), BACK, "tips"),
         Movement(path=(0.02, -0.20, 0.34), nod=-30.0), seconds=0.55, face="smile", mouth=("a", "u"),
         head=(6.0, 0.0, 0.0)),
    Sign("KNOW", Posture("bent", "temple", (0.01, 0.02, 0.03), (-0.55, 0.85, 0.15), (-0.75, -0.1, -0.65), "tips"),
         Movement(path=(0.07, 0.0, 0.07), repeats=2), seconds=0.5, mouth=("o",)),
    Sign("SEE", Posture("V", "eye", (0.0, -0.03, 0.05), (-0.2, 0.98, -0.1), BACK, "tips"),
         Movement(path=(0.05, -0.04, 0.34), nod=-25.0), seconds=0.55, face="raised", mouth=("e",)),
    Sign("DEAF", Posture("1", "ear", (0.01, 0.0, 0.04), (-0.6, 0.75, -0.1), (-0.3, -0.2, 0.9), "index"),
         Movement(path=(-0.03, -0.20, 0.12), arc=(0.10, 0.0, 0.06)), seconds=0.6, mouth=("e", "f")),
    Sign("WATER", Posture("W", "chin", (0.0, 0.0, 0.04), (-0.25, 0.95, 0.0), (-0.9, -0.2, -0.1), "index"),
         Movement(path=(0.02, 0.0, 0.09), repeats=2), seconds=0.5, mouth=("o", "a")),
    Sign("COLOUR", Posture("5", "chin", (0.0, 0.02, 0.05), (-0.25, 0.95, -0.1), BACK, "tips"),
         Movement(flutter=22.0, repeats=3), seconds=0.6, face="raised", mouth=("o",)),
    Sign("FACE", Posture("1", "before_face", (0.0, -0.10, 0.0), (-0.30, 0.9, -0.3), BACK, "index"),
         Movement(circle=(0.0, 0.0, 0.19)), seconds=0.75, mouth=("e",)),
    Sign("BEAUTIFUL", Posture("5", "before_face", (0.02, -0.10, 0.02), (-0.30, 0.92, -0.1), BACK, "tips"),
         Movement(circle=(0.0, 0.0, 0.15), shape="O"), seconds=0.75, face="smile", mouth=("u", "e")),
    Sign("TOMORROW", Posture("A", "cheek", (0.02, 0.0, 0.03), (-0.3, 0.9, 0.1), (-0.9, -0.2, -0.3), "thumb"),
         Movement(path=(0.04, 0.02, 0.30), arc=(0.0, 0.10, 0.0), nod=-10.0), seconds=0.55, mouth=("o",)),
    Sign("CALL", Posture("Y", "cheek", (0.04, 0.03, 0.04), (-0.45, -0.1, 0.9), (-0.9, 0.1, -0.4), "thumb"),
         Movement(path=(0.10, -0.05, 0.16)), seconds=0.5, face="raised", mouth=("o",)),
    Sign("WHO", Posture("L", "chin", (0.0, -0.01, 0.04), (-0.55, 0.8, 0.1), (-0.85, -0.2, -0.4), "thumb"),
         Movement(shape="X", repeats=2), seconds=0.6, face="furrowed", mouth=("u",), head=(6.0, 0.0, -5.0)),
    Sign("MY", Posture("flat", "torso", (-0.03, -0.32, 0.05), (-0.95, 0.25, 0.0), BACK),
         Movement(path=(0.0, 0.0, 0.09), repeats=2),
         seconds=0.45, mouth=("a",), head=(3.0, 0.0, 0.0)),
    Sign("YES", Posture("S", "space", (0.30, -0.16, 0.52), (-0.1, 0.9, 0.5), (-0.25, -0.3, 0.9), "wrist"),
         Movement(nod=38.0, repeats=2), seconds=0.6, face="smile", mouth=("e",), head=(7.0, 0.0, 0.0)),
)  # fmt: skip

#: Signs that touch the head, the chest or the palm of the other hand: what contact is measured on.
TOUCHES: tuple[Sign, ...] = (
    Sign("MOTHER", Posture("5", "chin", (0.0, 0.0, 0.0), (-0.45, 0.85, 0.1), (-0.9, -0.2, -0.2), "thumb"),
         Movement(path=(0.0, 0.0, 0.07), repeats=2), seconds=0.5, mouth=("m", "a")),
    Sign("EAT", Posture("O", "mouth", (0.0, 0.0, 0.0), (-0.35, 0.35, -0.85), (-0.1, -0.9, -0.4), "tips"),
         Movement(path=(0.0, -0.03, 0.09), repeats=2), seconds=0.5, mouth=("a",)),
    Sign("FINE", Posture("5", "torso", (-0.02, -0.20, 0.0), (-0.45, 0.7, 0.5), (-0.9, -0.1, -0.2), "thumb"),
         Movement(path=(0.0, 0.02, 0.09), repeats=2), seconds=0.5, face="smile", mouth=("a",)),
    Sign("PLEASE", Posture("flat", "torso", (-0.03, -0.30, 0.0), (-0.95, 0.25, 0.0), BACK),
         Movement(circle=(0.0, 0.0, 0.07), repeats=2), seconds=0.8, face="raised", mouth=("e",)),
    Sign("SORRY", Posture("A", "torso", (-0.03, -0.30, 0.0), (-0.85, 0.45, 0.1), BACK, "knuckles"),
         Movement(circle=(0.0, 0.0, 0.07), repeats=2), seconds=0.8, face="doubt", mouth=("o",)),
    Sign("SCHOOL", Posture("flat", "space", (0.0, -0.36, 0.50), (-0.75, 0.1, 0.6), DOWN),
         Movement(path=(0.0, 0.12, 0.0), repeats=2),
         Posture("flat", "space", (0.0, -0.36, 0.50), (-0.3, 0.1, 0.95), UP), STILL, 0.6, mouth=("u",)),
    Sign("NICE", Posture("flat", "space", (0.0, -0.36, 0.46), (-0.75, 0.1, 0.6), DOWN),
         Movement(path=(-0.05, 0.0, 0.16)),
         Posture("flat", "space", (0.0, -0.36, 0.50), (-0.3, 0.1, 0.95), UP), STILL, 0.5, "smile", ("a", "e")),
    Sign("HELP", Posture("A", "space", (0.0, -0.39, 0.50), (-0.5, 0.1, 0.85), IN, "wrist"),
         Movement(path=(0.0, 0.14, 0.0)),
         Posture("flat", "space", (0.0, -0.42, 0.50), (-0.5, 0.1, 0.85), UP), Movement(path=(0.0, 0.14, 0.0)), 0.6,
         "raised", ("e",)),
)  # fmt: skip

#: Words to spell: short, of letters that stand still, neighbours differing.
NAMES = ("ALI", "BOB", "CARL", "DAVE", "EVA", "FAY", "IDA", "KAI", "LEO", "LUC", "ROY", "RUBI", "SAL", "VAL", "YULI",
         "OSKAR", "BEA", "FLOR", "COY")  # fmt: skip


def letter(name: str) -> Sign:
    """Return the sign that spells one letter."""
    start = replace(SPELLING, shape=name)
    if name in SIDEWAYS:
        start = replace(start, fingers=(-1.0, 0.1, 0.15), palm=(0.0, 0.0, -1.0))
    return Sign(name, start, STILL, seconds=0.13)


def smaller(sign: Sign, scale: float) -> Sign:
    """Return a sign whose movements are ``scale`` times as large."""

    def scaled(movement: Movement) -> Movement:
        path, arc, circle = (
            (vector[0] * scale, vector[1] * scale, vector[2] * scale)
            for vector in (movement.path, movement.arc, movement.circle)
        )
        return replace(
            movement, path=path, arc=arc, circle=circle, turn=movement.turn * scale, nod=movement.nod * scale
        )

    other = sign.other_movement
    return replace(
        sign, movement=scaled(sign.movement), other_movement=other if isinstance(other, str) else scaled(other)
    )
