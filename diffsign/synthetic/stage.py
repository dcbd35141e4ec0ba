"""Writing what a synthetic signer did: a clip with its truth, or a portrait."""

from __future__ import annotations

import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from diffsign.avatar.blender import render_frames
from diffsign.body.model import load_body
from diffsign.config.render import RenderSettings
from diffsign.config.synthetic import SyntheticSettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.records.clip import write_clip
from diffsign.synthetic.exposure import PICTURES, expose
from diffsign.synthetic.signer import Performance, perform
from diffsign.synthetic.truth import save_truth

CLIPS = (".mp4", ".mkv")
PORTRAITS = (".jpg", ".png")


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        body: the body file, for the regions of the face.
    """

    body: Path


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        clip: ``.mp4``, or ``.mkv`` without loss; None for a portrait.
        truth: where everything was; by default beside the clip, with the suffix ``.npz``.
        portrait: a picture of the person standing at ease, ``.jpg`` or ``.png``, in place of clip and truth.
    """

    clip: Path | None = None
    truth: Path | None = None
    portrait: Path | None = None


def run(inputs: Inputs, outputs: Outputs, settings: SyntheticSettings, *, threads: int = 1) -> str:
    """Render the signer of ``settings.seed``, and write the truth of every joint and vertex.

    Args:
        inputs: what is read.
        outputs: what is written.
        settings: who signs, how, before which camera.
        threads: of Blender.

    Returns:
        Who is seen, and what is signed.

    Raises:
        DiffSignError: if a file's name or the body file is of no use.
    """
    if outputs.portrait is not None:
        return _write_portrait(inputs, outputs.portrait, settings, threads)
    if outputs.clip is None:
        raise DiffSignError("neither a clip nor a portrait was asked for; give the name of one.")
    return _write_clip(inputs, outputs.clip, outputs.truth, settings, threads)


def _check_suffix(output: Path, suffixes: tuple[str, ...], what: str) -> None:
    if output.suffix not in suffixes:
        raise DiffSignError(f"{what} is written as {' or '.join(suffixes)}, not to '{output}'; give another name.")


def _write_clip(inputs: Inputs, clip: Path, truth: Path | None, settings: SyntheticSettings, threads: int) -> str:
    _check_suffix(clip, CLIPS, "a clip")
    if settings.sound and clip.suffix != ".mp4":
        raise DiffSignError(f"sound goes into .mp4 only, not into '{clip}'; give another name or leave out --sound.")
    performance = perform(settings)
    frames = _frames(inputs, performance, settings, threads)
    with tempfile.TemporaryDirectory() as folder:
        audio = Path(folder) / "tone.wav" if settings.sound else None
        if audio is not None:
            _hum(audio, len(performance.truth) / settings.fps)
        write_clip(clip, frames, settings.fps, audio=audio)
    save_truth(truth or clip.with_suffix(".npz"), performance.truth)
    glosses = performance.truth.glosses
    signed = " ".join(gloss for last, gloss in pairwise(("", *glosses)) if gloss and gloss != last)
    return f"{clip}: {performance.truth.caption}; {signed}"


def _write_portrait(inputs: Inputs, portrait: Path, settings: SyntheticSettings, threads: int) -> str:
    _check_suffix(portrait, PORTRAITS, "a portrait")
    performance = perform(settings.model_copy(update={"seconds": 1 / settings.fps}))
    picture = next(_frames(inputs, performance, settings, threads))
    quality = [cv2.IMWRITE_JPEG_QUALITY, 94] if portrait.suffix == ".jpg" else []
    done, encoded = cv2.imencode(portrait.suffix, np.ascontiguousarray(picture[..., ::-1]), quality)
    if not done:
        raise DiffSignError(f"'{portrait}' could not be encoded as {portrait.suffix}; give another name.")
    with atomic(portrait) as temporary:
        temporary.write_bytes(encoded.tobytes())
    return f"{portrait}: {performance.truth.caption}"


def _frames(
    inputs: Inputs, performance: Performance, settings: SyntheticSettings, threads: int
) -> Iterator[np.ndarray]:
    """Render the frames (H, W, 3) uint8 as the camera gives them."""
    body = load_body(inputs.body)
    render = RenderSettings(samples=settings.samples)
    rendered = render_frames(performance.scene(body), ("color",), render, threads=threads)
    pictures = _moving((picture for _, picture in rendered), len(performance.moments.rotvecs))
    degrade = PICTURES[settings.picture]
    for number, frame in enumerate(expose(pictures, performance.exposures)):
        yield degrade(frame, np.random.default_rng([settings.seed, 29, number]))


def _moving(pictures: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Pass pictures on; refuse a rendering of many moments in which nobody moves, which would belie its truth."""
    first, moved = None, False
    for picture in pictures:
        first = picture if first is None else first
        moved = moved or not np.array_equal(picture, first)
        yield picture
    if count > 8 and not moved:
        raise DiffSignError("Blender rendered a body that does not move; is its disk for temporary files full?")


def _hum(path: Path, seconds: float) -> None:
    """Write a quiet tone that swells and fades, 16-bit mono at 48 kHz."""
    times = np.arange(round(seconds * 48000)) / 48000
    tone = 0.02 * np.sin(2 * np.pi * 220 * times) * np.sin(np.pi * times / max(seconds, 1e-6)) ** 2
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(48000)
        sound.writeframes(np.rint(32767 * tone).astype("<i2").tobytes())
