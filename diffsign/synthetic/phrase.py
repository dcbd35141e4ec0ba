"""A phrase: signs in time, for both hands and the face."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from diffsign.synthetic.lexicon import (
    AT_EASE,
    LAP,
    LOWERED,
    NAMES,
    SIGNS,
    STILL,
    TOUCHES,
    Movement,
    Posture,
    Sign,
    letter,
    smaller,
)

# Seconds between two signs, between two letters, to raise the hands at the start, and before that.
TRANSITION, LETTER_TRANSITION, RAISE, STILLNESS = 0.26, 0.13, 0.42, 0.08
#: A hand without a task for longer than this goes to its place at ease.
IDLE = 0.75

#: Seconds that the hands take back to where they rest, at the end of a phrase.
RETURN = 0.45
#: A stroke of a repeated movement takes at least so many seconds, however fast the signing.
SHORTEST_STROKE = 0.1
#: Where hands are before and after a phrase, and where they wait during it.
RESTS = {"waist": (LOWERED, AT_EASE), "below": (LOWERED, LOWERED), "lap": (LAP, LAP)}

TWO_HANDED = tuple(sign for sign in SIGNS if sign.other is not None)
BEFORE_FACE = tuple(sign for sign in SIGNS if sign.gloss in {"FACE", "BEAUTIFUL", "COLOUR", "SEE", "THANK-YOU"})
ONE_HANDED = tuple(sign for sign in SIGNS if sign.other is None and sign not in BEFORE_FACE)


@dataclass(frozen=True)
class Style:
    """How a phrase is signed.

    Attributes:
        tempo: 1 is careful signing, 2.1 fast.
        one_handed: signs of one hand alone.
        touches: signs that touch head, chest or the other hand come often.
        rest: key of :data:`RESTS`.
    """

    tempo: float = 1.0
    one_handed: bool = False
    touches: bool = False
    rest: str = "waist"

    @property
    def groups(self) -> tuple[str, ...]:
        """Kinds of signs in the order in which they come."""
        if self.one_handed:
            return ("spell", "touch", "one", "touch", "face") if self.touches else ("spell", "face", "one")
        if self.touches:
            return ("touch", "spell", "touch", "two", "touch", "face")
        return ("two", "spell", "face", "two", "one", "spell", "two", "face", "one")

    def paced(self, sign: Sign, spelled: bool) -> Sign:
        """Return a sign as fast as the tempo has it; what is signed fast is smaller."""
        if self.tempo == 1.0:
            return sign
        repeats = sign.movement.repeats
        shortest = 0.0 if spelled else 2 * SHORTEST_STROKE * repeats if repeats > 1 else SHORTEST_STROKE
        return replace(smaller(sign, self.tempo**-0.35), seconds=max(sign.seconds / self.tempo, shortest))

    def pause(self, spelled: bool) -> float:
        """Seconds between two signs or two letters."""
        # A way through the air takes its time; letters are told apart by the fingers alone.
        return LETTER_TRANSITION / self.tempo if spelled else TRANSITION / self.tempo**0.3


@dataclass(frozen=True)
class Placed:
    """A sign in time: ``start`` and ``end`` of its movement in seconds, and how often alternation shifts it."""

    sign: Sign
    start: float
    end: float
    face: str
    spelled: bool


@dataclass(frozen=True)
class Stroke:
    """What one hand does from ``start`` to ``end`` (seconds); between strokes it is on its way."""

    start: float
    end: float
    posture: Posture
    movement: Movement
    alternate: bool = False


def compose(rng: np.random.Generator, seconds: float, style: Style = Style()) -> list[Placed]:
    """Compose a phrase that fills ``seconds``: two-handed, spelled, before the face, one-handed, and again.

    The spelled name is the topic and is marked by raised brows, as topics are.
    """
    groups = style.groups
    names = [name for name in NAMES if len(name) <= max(3, seconds)]
    pools = {"two": list(TWO_HANDED), "face": list(BEFORE_FACE), "one": list(ONE_HANDED), "spell": names}
    if style.touches:
        pools["touch"] = [sign for sign in TOUCHES if not (style.one_handed and sign.other is not None)]
    for pool in pools.values():
        rng.shuffle(pool)  # type: ignore[arg-type]
    placed: list[Placed] = []
    now, turn = STILLNESS + RAISE, 0
    while True:
        group = groups[turn % len(groups)]
        pool = pools[group]
        choice = pool[0]
        pool.append(pool.pop(0))
        signs = [letter(name) for name in str(choice)] if group == "spell" else [choice]
        added, moment = [], now
        for unhurried in signs:
            sign = style.paced(unhurried, group == "spell")
            face = "raised" if group == "spell" else sign.face
            added.append(Placed(sign, moment, moment + sign.seconds, face, group == "spell"))
            moment += sign.seconds + style.pause(group == "spell")
        end = added[-1].end
        # The first three groups are what a clip is for: they may be signed faster.
        if placed and end > seconds * (1.35 if turn < 3 else 1.12):
            break
        placed += added
        now, turn = end + style.pause(False), turn + 1
    # The tempo gives way so that the phrase ends shortly before the clip does.
    left = 0.12 if style.rest == "waist" else 0.12 + RETURN
    tempo = np.clip((seconds - left) / placed[-1].end, 0.5, 1.35)
    return [replace(p, start=p.start * tempo, end=p.end * tempo) for p in placed]


def strokes(phrase: list[Placed], rest: str = "waist") -> tuple[list[Stroke], list[Stroke]]:
    """Return what the dominant and the other hand do during a phrase; ``rest`` is a key of :data:`RESTS`."""
    first = min(STILLNESS, phrase[0].start / 4)
    outside, waiting = RESTS[rest]
    start = Stroke(-1.0, first, outside, STILL)
    dominant = [start, *(Stroke(p.start, p.end, p.sign.dominant, p.sign.movement) for p in phrase)]
    other = [start]
    for p in phrase:
        if p.sign.other is None:
            continue
        posture = p.sign.dominant if p.sign.other == "same" else p.sign.other
        movement = p.sign.movement if isinstance(p.sign.other_movement, str) else p.sign.other_movement
        _rest_until(other, p.start, waiting)
        other.append(Stroke(p.start, p.end, posture, movement, p.sign.other_movement == "alternate"))
    _rest_until(other, phrase[-1].end + 1.0, waiting)
    if rest != "waist":
        end = phrase[-1].end + RETURN
        dominant.append(Stroke(end, end + 1.0, outside, STILL))
        if other[-1].posture is not outside:
            other.append(Stroke(end, end + 1.0, outside, STILL))
    return dominant, other


def _rest_until(done: list[Stroke], start: float, posture: Posture) -> None:
    """Append a stay where the hand rests if the next stroke is far away."""
    gap = start - done[-1].end
    if gap > IDLE:
        margin = min(0.38, gap * 0.4)
        done.append(Stroke(done[-1].end + margin, start - margin, posture, STILL))


def glosses(phrase: list[Placed], times: np.ndarray) -> list[str]:
    """Return the sign or letter at each time, the letters as ``#A``; empty in transitions."""
    labels = [""] * len(times)
    for p in phrase:
        for frame in np.flatnonzero((times >= p.start) & (times <= p.end)):
            labels[frame] = f"#{p.sign.gloss}" if p.spelled else p.sign.gloss
    return labels
