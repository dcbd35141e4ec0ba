"""Back-translation: what a translator of signed language, given by the user, reads in source and result."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import numpy as np

from diffsign import processes
from diffsign.config.evaluate import BackTranslation
from diffsign.errors import DiffSignError
from diffsign.files import scratch
from diffsign.records.keypoints import load_keypoints
from diffsign.records.metric_definitions import TRANSLATION
from diffsign.records.metrics import Metric, metric
from diffsign.records.pose_file import save_pose_file

OFF = "no translator is given (back_translation)"
NO_TEXT = "what is signed is not known in words (column 'translation')"


@dataclass(frozen=True)
class Reading:
    """What a translator read in a clip: the text, or why there is none."""

    text: str | None
    reason: str = ""


@dataclass(frozen=True)
class Shown:
    """A clip with its keypoints, as files."""

    clip: Path
    keypoints: Path


def _path_of(shown: Shown, kind: str, folder: Path) -> Path:
    if kind == "clip":
        return shown.clip
    if kind == "keypoints":
        return shown.keypoints
    path = folder / f"{shown.clip.stem}.pose"
    if not path.exists():
        save_pose_file(path, load_keypoints(shown.keypoints))
    return path


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"


def _by_command(settings: BackTranslation, shown: Shown) -> Reading:
    words = shlex.split(settings.command or "")
    with scratch("translation") as folder:
        for kind in ("clip", "keypoints", "pose"):
            if any(f"{{{kind}}}" in word for word in words):
                path = str(_path_of(shown, kind, folder).absolute())
                words = [word.replace(f"{{{kind}}}", path) for word in words]
        try:
            ended = processes.run(words, timeout=settings.timeout)
        except OSError as error:
            raise DiffSignError(
                f"back_translation: '{words[0]}' cannot be run ({error.strerror}); 'command' is a program with its "
                "arguments, such as: python my.py {clip}."
            ) from error
        except TimeoutExpired:
            return Reading(None, f"the translator took longer than {settings.timeout:g} s (timeout)")
    if ended.returncode:
        return Reading(None, f"the translator ended with status {ended.returncode}: {_last_line(ended.stderr)}")
    try:
        return Reading(" ".join(ended.stdout.decode("utf-8").split()))
    except UnicodeDecodeError:
        return Reading(None, "the translator printed something else than UTF-8")


def load_entry(entry: str, key: str) -> Callable[..., Any]:
    """Return the function that ``module:function`` names; the module may lie in the working folder.

    Raises:
        DiffSignError: if there is no such module or function; ``key`` is the setting that names it.
    """
    module, colon, name = entry.partition(":")
    where = f"back_translation: '{key}' is '{entry}'"
    if not (module and colon and name):
        raise DiffSignError(f"{where}; it must be module:function.")
    added = str(Path.cwd())
    sys.path.insert(0, added)
    try:
        function = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # whatever the user's module raises when it is imported
        raise DiffSignError(f"{where}, but '{module}' cannot be imported ({error}).") from error
    finally:
        sys.path.remove(added)
    if not callable(function):
        raise DiffSignError(f"{where}, but '{module}' has no function '{name}'.")
    return function


def _by_entry(settings: BackTranslation, shown: Shown) -> Reading:
    function = load_entry(settings.entry or "", "entry")
    with scratch("translation") as folder:
        try:
            text = function(str(_path_of(shown, settings.takes, folder).absolute()))
        except Exception as error:  # whatever the user's function raises
            return Reading(None, f"the translator failed: {type(error).__name__}: {error}")
    if not isinstance(text, str):
        raise DiffSignError(
            f"back_translation: '{settings.entry}' returned {type(text).__name__}; it must return the text as str."
        )
    return Reading(" ".join(text.split()))


def read(settings: BackTranslation, shown: Shown) -> Reading:
    """Let the translator read a clip.

    Raises:
        DiffSignError: if there is no such command or function, or it returns no text.
    """
    return _by_command(settings, shown) if settings.command else _by_entry(settings, shown)


def bleu(hypothesis: str, reference: str) -> tuple[float, str]:
    """Return the BLEU of a sentence (Papineni et al. 2002), 0 to 100, and sacrebleu's signature."""
    from sacrebleu.metrics.bleu import BLEU

    scorer = BLEU(effective_order=True)
    return float(scorer.sentence_score(hypothesis, [reference]).score), str(scorer.get_signature())


def chrf(hypothesis: str, reference: str) -> tuple[float, str]:
    """Return the chrF of a sentence (Popović 2015), 0 to 100, and sacrebleu's signature."""
    from sacrebleu.metrics.chrf import CHRF

    scorer = CHRF()
    return float(scorer.sentence_score(hypothesis, [reference]).score), str(scorer.get_signature())


def similarity(entry: str, first: str, second: str) -> float:
    """Return the cosine of two texts' embeddings, NaN if one has no length.

    Raises:
        DiffSignError: if the function does not return one vector for each text.
    """
    function = load_entry(entry, "embedding")
    try:
        vectors = np.asarray(function([first, second]))
    except Exception as error:  # whatever the user's function raises
        raise DiffSignError(
            f"back_translation: '{entry}' failed on a list of two texts ({type(error).__name__}: {error})."
        ) from error
    if vectors.ndim != 2 or len(vectors) != 2 or not np.issubdtype(vectors.dtype, np.number):
        raise DiffSignError(
            f"back_translation: '{entry}' returned an array of {vectors.shape} for two texts; it must return one "
            "vector of numbers for each."
        )
    one, other = vectors.astype(np.float64)
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths > 0 else float("nan")


def translated(
    settings: BackTranslation | None, source: Shown, result: Shown, reference: str | None, frames: int
) -> dict[str, Metric]:
    """Return the metrics on what is read in source and result.

    Args:
        settings: the translator; None if there is none.
        source: the person's clip.
        result: the synthetic signer's clip.
        reference: what is signed, in words; None if that is not known.
        frames: length of the clips.

    Raises:
        DiffSignError: as :func:`read`.
    """
    if settings is None:
        return {name: metric(None, 0, reason=OFF) for name in TRANSLATION}
    readings = {"source": read(settings, source), "result": read(settings, result)}
    name = settings.title

    def compared(role: str, against: str | None, why: str, score: Callable[[str, str], tuple[float, str]]) -> Metric:
        text = readings[role].text
        if text is None or not against:
            return metric(None, 0, reason=readings[role].reason or why, network=name)
        value, signature = score(text, against)
        details: dict[str, Any] = {"read": text, "reference": against, "signature": signature}
        return metric(value, frames, network=name, settings=details)

    metrics = {}
    for key, score in {"bleu": bleu, "chrf": chrf}.items():
        metrics[f"back_{key}"] = compared("result", reference, NO_TEXT, score)
        metrics[f"back_{key}_source"] = compared("source", reference, NO_TEXT, score)
    in_source = readings["source"].text
    nothing = readings["source"].reason or "nothing is read in the source"
    metrics["back_chrf_kept"] = compared("result", in_source, nothing, chrf)
    if settings.embedding is None:
        metrics["back_similarity"] = metric(None, 0, reason="no embedding is given (embedding)", network=name)
    else:
        entry = settings.embedding
        by_entry = lambda text, other: (similarity(entry, text, other), entry)  # noqa: E731
        metrics["back_similarity"] = compared("result", reference or in_source, nothing, by_entry)
    return metrics
