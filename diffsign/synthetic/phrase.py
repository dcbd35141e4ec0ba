"""A phrase: signs in time, for both hands and the face."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from diffsign.synthetic.lexicon import AT_EASE, LOWERED, NAMES, SIGNS, STILL, Movement, Posture, Sign, letter

# Seconds between two signs, between two letters, to raise the hands at the start, and before that.
TRANSITION, LETTER_TRANSITION, RAISE, STILLNESS = 0.26, 0.13, 0.42, 0.08
#: A hand without a task for longer than this goes to its place at ease.
IDLE = 0.75

TWO_HANDED = tuple(sign for sign in SIGNS if sign.other is not None)
BEFORE_FACE = tuple(sign for sign in SIGNS if sign.gloss in {"FACE", "BEAUTIFUL", "COLOUR", "SEE", "THANK-YOU"})
ONE_HANDED = tuple(sign for sign in SIGNS if sign.other is None and sign not in BEFORE_FACE)


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


def compose(rng: np.random.Generator, seconds: float) -> list[Placed]:
    """Compose a phrase that fills ``seconds``: two-handed, spelled, before the face, one-handed, and again.

    The spelled name is the topic and is marked by raised brows, as topics are.
    """
    groups = ("two", "spell", "face", "two", "one", "spell", "two", "face", "one")
    names = [name for name in NAMES if len(name) <= max(3, seconds)]
    pools = {"two": list(TWO_HANDED), "face": list(BEFORE_FACE), "one": list(ONE_HANDED), "spell": names}
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
        for sign in signs:
            face = "raised" if group == "spell" else sign.face
            added.append(Placed(sign, moment, moment + sign.seconds, face, group == "spell"))
            moment += sign.seconds + (LETTER_TRANSITION if group == "spell" else TRANSITION)
        end = added[-1].end
        # The first three groups are what a clip is for: they may be signed faster.
        if placed and end > seconds * (1.35 if turn < 3 else 1.12):
            break
        placed += added
        now, turn = end + TRANSITION, turn + 1
    # The tempo gives way so that the phrase ends shortly before the clip does.
    tempo = np.clip((seconds - 0.12) / placed[-1].end, 0.5, 1.35)
    return [replace(p, start=p.start * tempo, end=p.end * tempo) for p in placed]


def strokes(phrase: list[Placed]) -> tuple[list[Stroke], list[Stroke]]:
    """Return what the dominant and the other hand do during a phrase."""
    first = min(STILLNESS, phrase[0].start / 4)
    start = Stroke(-1.0, first, LOWERED, STILL)
    dominant = [start, *(Stroke(p.start, p.end, p.sign.dominant, p.sign.movement) for p in phrase)]
    other = [start]
    for p in phrase:
        if p.sign.other is None:
            continue
        posture = p.sign.dominant if p.sign.other == "same" else p.sign.other
        movement = p.sign.movement if isinstance(p.sign.other_movement, str) else p.sign.other_movement
        _rest_until(other, p.start)
        other.append(Stroke(p.start, p.end, posture, movement, p.sign.other_movement == "alternate"))
    _rest_until(other, phrase[-1].end + 1.0)
    return dominant, other


def _rest_until(done: list[Stroke], start: float) -> None:
    """Append a stay at ease if the next stroke is far away."""
    gap = start - done[-1].end
    if gap > IDLE:
        margin = min(0.38, gap * 0.4)
        done.append(Stroke(done[-1].end + margin, start - margin, AT_EASE, STILL))


def glosses(phrase: list[Placed], times: np.ndarray) -> list[str]:
    """Return the sign or letter at each time, the letters as ``#A``; empty in transitions."""
    labels = [""] * len(times)
    for p in phrase:
        for frame in np.flatnonzero((times >= p.start) & (times <= p.end)):
            labels[frame] = f"#{p.sign.gloss}" if p.spelled else p.sign.gloss
    return labels
