"""What the demo family knows of a signer's appearance: five attributes, their colours, and the words for them."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np

#: sRGB of every value in [0, 1]; what a caption says is what the picture shows, within a small variation.
SHIRT = {
    "black": (0.07, 0.07, 0.08),
    "white": (0.93, 0.93, 0.92),
    "grey": (0.50, 0.50, 0.51),
    "red": (0.80, 0.10, 0.12),
    "orange": (0.95, 0.50, 0.10),
    "yellow": (0.95, 0.84, 0.20),
    "green": (0.13, 0.53, 0.22),
    "blue": (0.12, 0.28, 0.72),
    "purple": (0.46, 0.18, 0.60),
    "pink": (0.95, 0.56, 0.70),
}
SKIN = {
    "light": (0.95, 0.78, 0.69),
    "tan": (0.80, 0.59, 0.45),
    "brown": (0.58, 0.38, 0.26),
    "dark": (0.34, 0.21, 0.14),
}
HAIR = {
    "black": (0.06, 0.05, 0.05),
    "brown": (0.34, 0.20, 0.11),
    "blond": (0.86, 0.69, 0.38),
    "red": (0.66, 0.25, 0.09),
    "grey": (0.65, 0.65, 0.66),
}
BACKGROUND = {
    "white": (0.96, 0.96, 0.96),
    "grey": (0.60, 0.60, 0.61),
    "black": (0.08, 0.08, 0.09),
    "blue": (0.42, 0.62, 0.86),
    "green": (0.45, 0.70, 0.50),
    "beige": (0.87, 0.79, 0.66),
    "pink": (0.93, 0.72, 0.76),
    "yellow": (0.95, 0.88, 0.52),
}
SLEEVES = ("long", "short")

#: Other words for the same thing, used in one caption out of four.
SYNONYMS = {
    "grey": ("gray",),
    "purple": ("violet",),
    "light": ("fair", "pale"),
    "tan": ("olive", "medium"),
    "dark": ("deep", "very dark"),
    "blond": ("blonde", "fair"),
    "beige": ("cream",),
}
HAIR_SYNONYMS = {"red": ("ginger", "auburn"), "grey": ("gray", "silver")}
GARMENTS = ("shirt", "top", "sweater", "jumper", "blouse")
SHORT_GARMENTS = ("shirt", "top", "t-shirt", "tee")
PEOPLE = ("a person", "a signer", "a woman", "a man", "someone", "a sign language interpreter", "a deaf signer")
OPENINGS = ("", "", "", "a photo of ", "a portrait of ", "a picture of ")
#: Words that users write in prompts and that say nothing here; they are known to the tokenizer as whole words.
FILLERS = (
    "signing using sign language looking at the camera studio light high quality best detailed realistic photo "
    "soft plain young old adult child tall short hair long beard face hands fingers eyes smile wearing dressed clothes "
    "clothing wall behind front standing upper body sharp focus low worst bad blurry deformed extra missing cropped "
    "monochrome lowres anatomy ugly jpeg artifacts watermark text signature avatar synthetic professional"
).split()


@dataclass(frozen=True)
class Attributes:
    """One signer's appearance: the five attributes that captions name, each a word of the tables above."""

    shirt: str
    skin: str
    hair: str
    sleeves: str
    background: str

    @classmethod
    def random(cls, rng: np.random.Generator, held: bool | None = False) -> Attributes:
        """Draw every attribute alone, uniformly, until the combination is, or is not, one kept from training.

        Args:
            rng: draws.
            held: a combination that :meth:`held_out` keeps from training (True), another (False), or any (None).
        """
        while True:
            attributes = cls(*(choices[rng.integers(len(choices))] for choices in CHOICES.values()))
            if held is None or attributes.held_out() == held:
                return attributes

    def held_out(self) -> bool:
        """Tell whether no picture of this combination is ever drawn in training: one in eight, for benchmarks.

        Every value, and every pair of values, is among those that are drawn; only their combination is new.
        """
        places = [choices.index(value) for choices, value in zip(CHOICES.values(), astuple(self), strict=True)]
        return sum(weight * place for weight, place in zip((1, 2, 3, 4, 5), places, strict=True)) % 8 == 0


CHOICES: dict[str, tuple[str, ...]] = {
    "shirt": tuple(SHIRT),
    "skin": tuple(SKIN),
    "hair": tuple(HAIR),
    "sleeves": SLEEVES,
    "background": tuple(BACKGROUND),
}
COLOURS: dict[str, dict[str, tuple[float, float, float]]] = {
    "shirt": SHIRT,
    "skin": SKIN,
    "hair": HAIR,
    "background": BACKGROUND,
}


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[rng.integers(len(options))]


def _word(rng: np.random.Generator, kind: str, value: str) -> str:
    others = (HAIR_SYNONYMS if kind == "hair" and value in HAIR_SYNONYMS else SYNONYMS).get(value, ())
    return _pick(rng, others) if others and rng.random() < 0.25 else value


def caption(attributes: Attributes, rng: np.random.Generator | None = None, named: frozenset[str] | None = None) -> str:
    """Say in words what a signer looks like.

    Args:
        attributes: the appearance.
        rng: draws the wording and the order; None gives the one plain sentence that docs and benchmarks use.
        named: attributes to name, all by default; what is not named is not said.
    """
    named = frozenset(CHOICES) if named is None else named
    if rng is None:
        rng, plain = np.random.default_rng(0), True
    else:
        plain = False
    word = {
        name: value if plain else _word(rng, name, value)
        for name, value in zip(CHOICES, astuple(attributes), strict=True)
    }
    garments = SHORT_GARMENTS if attributes.sleeves == "short" and "sleeves" in named else GARMENTS
    garment = garments[0] if plain else _pick(rng, garments)
    clauses = []
    if "skin" in named:
        clauses.append(f"with {word['skin']} skin")
    if "hair" in named:
        clauses.append(f"with {word['hair']} hair" if plain or rng.random() < 0.7 else f"{word['hair']}-haired")
    if {"shirt", "sleeves"} & named:
        colour = f"{word['shirt']} " if "shirt" in named else ""
        adjective = f"{attributes.sleeves}-sleeved "
        if "sleeves" not in named:
            clauses.append(f"in a {colour}{garment}")
        elif plain or rng.random() < 0.7:
            clauses.append(f"in a {colour}{adjective}{garment}")
        else:
            clauses.append(f"in a {colour}{garment} with {attributes.sleeves} sleeves")
    if "background" in named:
        form = (
            "on a {} background" if plain else _pick(rng, ("on a {} background", "before a {} wall", "{} background"))
        )
        clauses.append(form.format(word["background"]))
    if not plain:
        rng.shuffle(clauses)
    opening = "" if plain else _pick(rng, OPENINGS)
    person = PEOPLE[0] if plain else _pick(rng, PEOPLE)
    return f"{opening}{person} " + ", ".join(clauses) if clauses else f"{opening}{person}"


def vocabulary() -> list[str]:
    """Return every word that captions use, and common words of prompts, sorted."""
    words: set[str] = set(FILLERS)
    for table in (
        *CHOICES.values(),
        GARMENTS,
        SHORT_GARMENTS,
        PEOPLE,
        OPENINGS,
        *SYNONYMS.values(),
        *HAIR_SYNONYMS.values(),
    ):
        for entry in table:
            words.update(entry.replace("-", " ").split())
    words.update("a an and with in on before the of skin hair haired sleeve sleeved sleeves background wall".split())
    return sorted(words)


def attribute_names() -> list[str]:
    """Return the attributes in the order of :class:`Attributes`."""
    return [field.name for field in fields(Attributes)]
