"""Settings of ``diffsign say``."""

from pydantic import Field

from diffsign.config.settings import Settings


class SaySettings(Settings):
    """In which languages a text is said, and how fast."""

    spoken_language: str = Field(
        default="en", pattern=r"^[a-z]{2,3}$", description="Language of the text, ISO 639-1, such as en, de or fr."
    )
    signed_language: str = Field(
        default="ase",
        pattern=r"^[a-z]{3}$",
        description="Sign language, ISO 639-3: ase is American, gsg German, bfi British Sign Language.",
    )
    letters_per_second: float = Field(
        default=3.0, gt=0, le=10, description="Pace of fingerspelling; fluent signers reach five to eight."
    )
    seconds_per_sign: float = Field(
        default=1.0, gt=0, le=30, description="Signs of a lexicon that last longer are sped up to this."
    )
