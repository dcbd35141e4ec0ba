"""Say a text: signs of a lexicon where it has them, fingerspelling where it does not."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffsign.config.say import SaySettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        text: what to say.
        lexicon: folder with ``index.csv`` and ``.pose`` files in spoken-to-signed's layout; None for fingerspelling.
    """

    text: str
    lexicon: Path | None = None


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        pose: the signing (.pose).
    """

    pose: Path


def run(inputs: Inputs, outputs: Outputs, settings: SaySettings, *, threads: int = 1) -> str:
    """Turn a text into a signed ``.pose`` file.

    Returns:
        The line that the command prints: how each word is said.

    Raises:
        DiffSignError: if spoken-to-signed is not installed, a language pair is unknown, the lexicon cannot be read,
            or a word can neither be signed nor spelled.
    """
    text = " ".join(inputs.text.split())
    if not text:
        raise DiffSignError("the text to say is empty; give at least one word.")
    with _library() as library:
        lookup = _lookup(library, inputs.lexicon, settings)
        sentences = library["glosses"](text=text, language=settings.spoken_language)
        words = [item for sentence in sentences for item in sentence if any(c.isalnum() for c in item.word)]
        if not words:
            raise DiffSignError(f"'{text}' has no word that could be signed.")
        try:
            results = lookup.lookup_sequence(words, settings.spoken_language, settings.signed_language)
        except Exception as error:  # the library raises plain exceptions for what it does not find
            raise DiffSignError(f"'{text}' cannot be said: {error}{_alphabet(lookup, settings)}.") from error
        lost = [token.word for token in lookup.last_coverage if token.coverage.value == "unmatched"]
        if lost:
            raise DiffSignError(
                f"no sign and no spelling was found for {', '.join(map(repr, lost))}{_alphabet(lookup, settings)}; "
                "write it otherwise, or give a lexicon that has it."
            )
        poses = [
            library["cap"](_agreeing(result.pose), _seconds(result, token, settings))
            for result, token in zip(results, lookup.last_coverage, strict=True)
        ]
        pose = library["concatenate"](poses, max_sign_seconds=None)
    with atomic(outputs.pose) as temporary, temporary.open("wb") as stream:
        pose.write(stream)
    said = ", ".join(f"{token.word} ({_how(token.coverage.value)})" for token in lookup.last_coverage)
    return f"{outputs.pose}: {len(pose.body.data) / pose.body.fps:.1f} s; {said}."


def _agreeing(pose: Any) -> Any:
    """Return a pose whose points are missing where their confidence is 0, and nowhere else.

    Letters of some alphabets have points that are there without confidence, which pose-format cannot resample.
    """
    body = pose.body
    missing = np.ma.getmaskarray(body.data).any(axis=-1) | (np.asarray(body.confidence) == 0)
    body.confidence = np.where(missing, 0, body.confidence)
    body.data = np.ma.array(body.data.data, mask=np.repeat(missing[..., None], body.data.shape[-1], axis=-1))
    return pose


def _seconds(result: Any, token: Any, settings: SaySettings) -> float:
    """Return how long a word may take: citation forms of dictionaries are far slower than fluent signing."""
    if _how(token.coverage.value) == "fingerspelled":
        return sum(c.isalnum() for c in token.word) / settings.letters_per_second
    return settings.seconds_per_sign


def _how(coverage: str) -> str:
    return {"lexicon": "sign", "language_backup": "sign of a related language"}.get(coverage, "fingerspelled")


@contextlib.contextmanager
def _library() -> Iterator[dict[str, Any]]:
    """Yield the parts of spoken-to-signed that are used; all 586 points are kept, what it prints is logged."""
    try:
        from spoken_to_signed.gloss_to_pose import CSVPoseLookup, concatenate
        from spoken_to_signed.gloss_to_pose.lookup.fingerspelling_lookup import FingerspellingPoseLookup
        from spoken_to_signed.text_to_gloss.simple import text_to_gloss
    except ImportError as error:
        raise DiffSignError(
            f"saying a text needs the package spoken-to-signed ({error}); install it: pip install 'diffsign[text]'."
        ) from error
    reduced = concatenate.ConcatenationSettings.is_reduce_holistic
    printed = io.StringIO()
    try:
        concatenate.ConcatenationSettings.is_reduce_holistic = False
        with contextlib.redirect_stdout(printed):
            yield {
                "spelling": FingerspellingPoseLookup,
                "lexicon": CSVPoseLookup,
                "glosses": text_to_gloss,
                "concatenate": concatenate.concatenate_poses,
                "cap": concatenate.cap_pose_duration,
            }
    finally:
        concatenate.ConcatenationSettings.is_reduce_holistic = reduced
        for line in printed.getvalue().splitlines():
            log.debug("%s", line)


def _lookup(library: dict[str, Any], lexicon: Path | None, settings: SaySettings) -> Any:
    spelling = library["spelling"]()
    pair = f"{settings.spoken_language} → {settings.signed_language}"
    if lexicon is None:
        if settings.signed_language not in spelling.words_index.get(settings.spoken_language, {}):
            known = sorted(f"{a} → {b}" for a, signed in spelling.words_index.items() for b in signed)
            raise DiffSignError(
                f"there is no fingerspelling for {pair}; there is for {', '.join(known)}. Give a lexicon for others."
            )
        return library["lexicon"](spelling.directory, backup=spelling)
    if not (lexicon / "index.csv").is_file():
        raise DiffSignError(
            f"the lexicon '{lexicon}' has no index.csv; a folder in spoken-to-signed's layout was expected "
            "(index.csv with path, spoken_language, signed_language, start, end, words, glosses, priority)."
        )
    try:
        lookup = library["lexicon"](str(lexicon), backup=spelling)
    except (KeyError, ValueError, AttributeError, UnicodeDecodeError) as error:
        raise DiffSignError(f"the index.csv of the lexicon '{lexicon}' cannot be read ({error!r}).") from error
    if settings.signed_language not in lookup.words_index.get(settings.spoken_language, {}):
        known = sorted(f"{a} → {b}" for a, signed in lookup.words_index.items() for b in signed)
        raise DiffSignError(f"the lexicon '{lexicon}' has nothing for {pair}; it has {', '.join(known) or 'no rows'}.")
    return lookup


def _alphabet(lookup: Any, settings: SaySettings) -> str:
    letters = lookup.backup.words_index.get(settings.spoken_language, {}).get(settings.signed_language, {})
    return f" (fingerspelling has {' '.join(sorted(letters))})" if letters else ""
