"""The appearance of an avatar: skin, clothes, hair, eyes, background."""

from typing import Literal

from pydantic import Field

from diffsign.config.settings import Settings

COLOUR = r"^#[0-9a-fA-F]{6}$"


class Appearance(Settings):
    """The appearance of an avatar. Colours are sRGB, written ``#rrggbb``."""

    skin: str = Field(default="#d8a481", pattern=COLOUR, description="Colour of the skin.")
    shirt: str = Field(default="#28405e", pattern=COLOUR, description="Colour of the shirt; best far from the skin's.")
    sleeves: Literal["none", "short", "three-quarter", "long"] = Field(
        default="long", description="Length of the sleeves."
    )
    neckline: Literal["crew", "v"] = Field(default="crew", description="Shape of the shirt's neck.")
    trousers: str = Field(default="#3c3f46", pattern=COLOUR, description="Colour of the trousers.")
    hair: str = Field(default="#3b2618", pattern=COLOUR, description="Colour of the hair.")
    hair_style: Literal["short", "bob", "long", "bun", "bald"] = Field(default="short", description="Cut of the hair.")
    iris: str = Field(default="#5a3d22", pattern=COLOUR, description="Colour of the iris.")
    lips: str = Field(default="#b0605a", pattern=COLOUR, description="Colour of the lips.")
    brows: str = Field(default="#33221a", pattern=COLOUR, description="Colour of the brows.")
    background: str = Field(
        default="#00b140",
        description="Colour behind the signer ('#rrggbb'), 'transparent', or the path of a picture.",
    )
