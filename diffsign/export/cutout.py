"""A film of the signer, or of the avatar, with transparency: cut out with the avatar's mask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from diffsign.avatar.cover import cut_out, grown, soft_cover
from diffsign.config.export import CutoutSettings
from diffsign.errors import DiffSignError
from diffsign.export.timing import at_rate
from diffsign.files import atomic, temporary_beside
from diffsign.models.sizing import Sizing
from diffsign.progress import track
from diffsign.records.clip import exact_rate, iter_clip, probe_clip, write_clip
from diffsign.records.ffmpeg import FILMS
from diffsign.records.film import put_together
from diffsign.records.placement import load_placement

#: What the container says; ``diffsign mark`` says more of films that a model made.
NOTICE = "Synthetic: an animated figure, rendered from the motion of a person who signs."


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        clip: pictures of the signer or of the avatar (.mkv).
        mask: the avatar's.
        placement: how the clip lies in its source, whose rate the film gets; None keeps the clip's.
        audio: sound of the film; None or an empty file for none.
        subtitles: subtitles of the film, likewise.
    """

    clip: Path
    mask: Path
    placement: Path | None = None
    audio: Path | None = None
    subtitles: Path | None = None


@dataclass(frozen=True)
class Outputs:
    """What is written: ``.webm`` (VP9), ``.mov`` (ProRes 4444), or ``.mkv`` without loss, for ``diffsign mark``."""

    film: Path


def cut_out_frames(clip: Path, mask: Path, settings: CutoutSettings) -> Iterator[np.ndarray]:
    """Yield the frames of a clip with alpha, (H, W, 4) uint8.

    Raises:
        DiffSignError: if the mask has another number of frames than the clip.
    """
    info, masks = probe_clip(clip), probe_clip(mask)
    if info.frames != masks.frames:
        raise DiffSignError(
            f"mask '{mask}' has {masks.frames} frames, '{clip}' has {info.frames}; give the mask of the avatar that "
            "the clip was made from."
        )
    sizing, side = Sizing.of(info.width, info.height, 1), min(info.width, info.height)
    for frame, covered in zip(iter_clip(clip), iter_clip(mask), strict=True):
        reach = grown(sizing.control(covered), settings.grow * side)
        yield cut_out(frame, soft_cover(reach, settings.edge * side))


def run(inputs: Inputs, outputs: Outputs, settings: CutoutSettings, *, threads: int = 1) -> str:
    """Write the film; return the line that the command prints.

    Raises:
        DiffSignError: if the suffix is of no transparent film, or a clip cannot be read or belongs to another.
    """
    suffix = outputs.film.suffix
    if suffix != ".mkv" and (suffix not in FILMS or not FILMS[suffix].transparent):
        raise DiffSignError(f"'{outputs.film}' cannot be transparent; give it the suffix .webm or .mov.")
    info = probe_clip(inputs.clip)
    frames = track(cut_out_frames(inputs.clip, inputs.mask, settings), "Cutting out", info.frames)
    rate = info.fps
    if inputs.placement is not None:
        rate = load_placement(inputs.placement).fps
        frames = at_rate(iter(frames), info.fps, rate)
    with ExitStack() as files:
        target = files.enter_context(atomic(outputs.film))
        pictures = target if suffix == ".mkv" else files.enter_context(temporary_beside(outputs.film))
        count = write_clip(pictures, frames, rate, alpha=True)
        if suffix != ".mkv":
            beside = {"audio": inputs.audio, "subtitles": inputs.subtitles}
            put_together(pictures, target, Fraction(count) / exact_rate(rate), **beside, metadata={"comment": NOTICE})
    return f"{outputs.film}: {count} frames at {rate:g} frames per second."
