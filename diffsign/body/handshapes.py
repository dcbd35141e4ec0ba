"""The inventory of handshapes: in which state each finger is, by the names of sign linguistics.

Letters follow the American manual alphabet. The population that the body's hand poses are made of (``body/hands.py``)
and the synthetic signer (``synthetic/handshapes.py``) take their handshapes from here, each with angles of its own: a
signer who bent every finger just as the model's prior expects would make the fit look better than it is.
"""

from __future__ import annotations

from typing import NamedTuple


class Fingers(NamedTuple):
    """States of the fingers: ``straight``, ``relaxed``, ``curved``, ``claw``, ``flat``, ``hook`` or ``fist``.

    A flat finger bends at the knuckle alone, a claw at the two outer joints alone; a hook bends at all three. The thumb
    lies ``along`` the index finger, ``across`` palm or fingers, is ``opposed`` to a fingertip, stretched ``out``, or
    ``relaxed``.
    """

    index: str
    middle: str
    ring: str
    pinky: str
    thumb: str


SHAPES: dict[str, Fingers] = {
    name: Fingers(*states.split())
    for name, states in {
        "flat-hand": "straight straight straight straight along",
        "rest": "relaxed relaxed relaxed relaxed relaxed",
        "A": "fist fist fist fist along",
        "B": "straight straight straight straight across",
        "C": "curved curved curved curved opposed",
        "D": "straight curved curved curved opposed",
        "E": "claw claw claw claw across",
        "F": "hook straight straight straight opposed",
        "I": "fist fist fist straight across",
        "L": "straight fist fist fist out",
        "O": "hook hook hook hook opposed",
        "S": "fist fist fist fist across",
        "V": "straight straight fist fist across",
        "W": "straight straight straight fist across",
        "X": "claw fist fist fist across",
        "Y": "fist fist fist straight out",
        "5": "straight straight straight straight out",
        "claw": "claw claw claw claw out",
        "bent-B": "flat flat flat flat along",
        "ILY": "straight fist fist straight out",
        "G": "straight fist fist fist along",
        "H": "straight straight fist fist across",
        "K": "straight flat fist fist opposed",
        "R": "straight straight fist fist across",
        "U": "straight straight fist fist across",
        "1": "straight fist fist fist across",
        "3": "straight straight fist fist out",
        "4": "straight straight straight straight across",
    }.items()
}
