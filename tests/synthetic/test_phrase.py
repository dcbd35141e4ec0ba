"""Phrases: what a clip must show, in the time it has."""

from itertools import pairwise

import numpy as np
import pytest

from diffsign.synthetic.handshapes import HANDSHAPES, LETTERS
from diffsign.synthetic.lexicon import FACES, MOUTHS, NAMES, SIGNS
from diffsign.synthetic.phrase import BEFORE_FACE, TWO_HANDED, compose, glosses, strokes


@pytest.mark.parametrize("seed", range(12))
def test_three_seconds_hold_a_two_handed_sign_letters_and_a_hand_before_the_face(seed):
    phrase = compose(np.random.default_rng(seed), 3.0)
    assert phrase[-1].end <= 3.0
    assert any(p.sign in TWO_HANDED for p in phrase)
    assert any(p.sign in BEFORE_FACE for p in phrase)
    spelled = [p.sign.gloss for p in phrase if p.spelled]
    assert len(set(spelled)) >= 2
    assert "raised" in {p.face for p in phrase}


@pytest.mark.parametrize("seconds", [1.0, 2.0, 4.0, 10.0, 30.0])
def test_any_length_is_filled_and_kept(seconds):
    phrase = compose(np.random.default_rng(1), seconds)
    assert seconds * 0.6 < phrase[-1].end <= seconds
    assert all(a.end < b.start for a, b in pairwise(phrase))
    for hand in strokes(phrase):
        assert all(a.end < b.start for a, b in pairwise(hand))


def test_seeds_differ():
    said = {tuple(p.sign.gloss for p in compose(np.random.default_rng(seed), 3.0)) for seed in range(20)}
    assert len(said) > 15


def test_labels_name_the_sign_of_each_frame():
    phrase = compose(np.random.default_rng(2), 3.0)
    times = np.arange(72) / 24
    labels = glosses(phrase, times)
    assert len(labels) == 72 and labels[0] == ""
    for p in phrase:
        middle = round((p.start + p.end) / 2 * 24)
        assert labels[middle].lstrip("#") == p.sign.gloss


def test_the_lexicon_names_only_what_exists(person):
    for sign in SIGNS:
        assert sign.face in FACES
        assert set(sign.mouth) <= set(MOUTHS)
        postures = [sign.dominant] + ([] if sign.other in (None, "same") else [sign.other])
        assert {p.shape for p in postures} <= set(HANDSHAPES)
        for posture in postures:
            person.physique.place(posture.place, 1.0)
    assert set("".join(NAMES)) <= set(LETTERS) <= set(HANDSHAPES)
    assert all(a != b for name in NAMES for a, b in pairwise(name))
