"""Colours as settings write them."""

from __future__ import annotations

import re

from diffsign.errors import DiffSignError
from diffsign.files import require_file

#: Colour of a green screen.
GREEN = "#00b140"


def parse_colour(colour: object, what: str = "colour") -> tuple[float, float, float]:
    """Return sRGB in [0, 1] for ``#rrggbb``; raise a sentence naming ``what`` otherwise."""
    if not isinstance(colour, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise DiffSignError(f"{what} must be a colour written as '#rrggbb' (such as '{GREEN}'), not {colour!r}.")
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def background_picture(background: str | None) -> str | None:
    """Return the picture that a background names, or None for none, a colour, or transparency."""
    plain = background is None or background == "transparent" or background.startswith("#")
    return None if plain else background


def require_background(background: str, where: str) -> None:
    """Raise :class:`DiffSignError`, naming ``where`` it was written, unless it is a colour or an existing picture."""
    try:
        picture = background_picture(background)
        if picture is None:
            parse_colour(background, "background")
        else:
            require_file(picture, "background picture")
    except DiffSignError as error:
        raise DiffSignError(f"{where}: {error}") from error
