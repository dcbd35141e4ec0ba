"""An appearance in words, such as a prompt would say it, and one that suits a person.

The demo family has words of its own (:mod:`diffsign.training.attributes`): its text encoder knows these alone, and the
pictures that it was trained on were coloured by them.
"""

from __future__ import annotations

import cv2
import numpy as np

from diffsign.avatar.appearance import random_appearance
from diffsign.config.appearance import Appearance
from diffsign.config.colour import parse_colour

#: Named colours, sRGB.
COLOURS = {
    "black": "#1a1a1c", "dark grey": "#45484d", "grey": "#8b8f96", "light grey": "#c9ccd0", "white": "#ece9e4",
    "navy blue": "#24384f", "blue": "#2f6fb0", "light blue": "#8fb4d0", "teal": "#2b7f86", "dark green": "#1f5a4a",
    "green": "#3f8f4f", "olive": "#6f7d3a", "yellow": "#d8a531", "orange": "#c4572e", "red": "#b02a30",
    "dark red": "#741f2b", "pink": "#b24d6f", "purple": "#5b3a73", "brown": "#6a4a30", "beige": "#cdbfa5",
    "grey-green": "#a3b39d", "grey-blue": "#7f95a3",
}  # fmt: skip
HAIR_COLOURS = {
    "black": "#181210", "dark brown": "#332017", "brown": "#5a3a22", "light brown": "#7c5431", "dark blond": "#a77b48",
    "blond": "#c9a56a", "red": "#8a3b1e", "grey": "#8d8a87", "white": "#d5d2cd",
}  # fmt: skip
SKIN_TONES = {
    "fair": "#f2cdb1", "light": "#e8b996", "olive": "#d8a481", "tan": "#c68d66", "brown": "#a9704b", "dark": "#633f2a",
}  # fmt: skip
HAIR_STYLES = {
    "short": "short {} hair",
    "bob": "{} hair in a bob",
    "long": "long {} hair",
    "bun": "{} hair in a bun",
    "bald": "a shaved head",
}
SLEEVES = {
    "none": "sleeveless",
    "short": "short-sleeved",
    "three-quarter": "three-quarter-sleeved",
    "long": "long-sleeved",
}
GREY_HAIR = ("#8d8a87", "#b9b6b2", "#d5d2cd")


def nearest_colour(colour: str, names: dict[str, str]) -> str:
    """Return the name whose colour is nearest to ``#rrggbb`` as eyes see it (CIE Lab)."""
    values = np.array([[parse_colour(c) for c in (colour, *names.values())]], dtype=np.float32)
    lab = cv2.cvtColor(values, cv2.COLOR_RGB2LAB)[0]
    return list(names)[int(np.linalg.norm(lab[1:] - lab[0], axis=1).argmin())]


def suitable_appearance(seed: int, noun: str, age: str) -> Appearance:
    """Return an appearance that suits a person: cuts of hair by habit, grey hair for the old."""
    appearance = random_appearance(seed)
    rng = np.random.default_rng([seed, 17])
    changes = {}
    female = noun.endswith(("woman", "girl"))
    if female and appearance.hair_style == "bald":
        changes["hair_style"] = "bob"
    if not female and appearance.hair_style in ("bob", "bun"):
        changes["hair_style"] = "short"
    if age == "old":
        changes["hair"] = changes["brows"] = str(GREY_HAIR[rng.integers(len(GREY_HAIR))])
    return appearance.model_copy(update=changes)


def article(words: str) -> str:
    """Put ``a`` or ``an`` before words."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def caption(noun: str, appearance: Appearance) -> str:
    """Describe a signer in words, such as a prompt would."""
    hair = HAIR_STYLES[appearance.hair_style].format(nearest_colour(appearance.hair, HAIR_COLOURS))
    shirt = f"{nearest_colour(appearance.shirt, COLOURS)} {SLEEVES[appearance.sleeves]} shirt"
    background = f"{nearest_colour(appearance.background, COLOURS)} background"
    skin = nearest_colour(appearance.skin, SKIN_TONES)
    return f"{noun} with {skin} skin, {hair}, {article(shirt)}, {article(background)}"
