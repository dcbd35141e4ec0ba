"""Writing what the signer did: a clip or a portrait, and the truth."""

from __future__ import annotations

import tempfile
import wave
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
from diffsign.synthetic.signer import perform
from diffsign.synthetic.truth import Truth, save_truth

CLIPS = (".mp4", ".mkv")
PICTURES = (".jpg", ".png")


def _check_suffix(output: Path, suffixes: tuple[str, ...], what: str) -> None:
    if output.suffix not in suffixes:
        raise DiffSignError(f"{what} is written as {' or '.join(suffixes)}, not to '{output}'; give another name.")


def _hum(path: Path, seconds: float) -> None:
    """Write a quiet tone that swells and fades, 16-bit mono at 48 kHz."""
    times = np.arange(round(seconds * 48000)) / 48000
    tone = 0.02 * np.sin(2 * np.pi * 220 * times) * np.sin(np.pi * times / max(seconds, 1e-6)) ** 2
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(48000)
        sound.writeframes(np.rint(32767 * tone).astype("<i2").tobytes())


def write_signer(output: Path, body: Path, settings: SyntheticSettings, truth: Path | None = None) -> Truth:
    """Render the signer of ``settings.seed`` into a clip and write the truth beside it.

    Args:
        output: the clip, ``.mp4`` or (lossless) ``.mkv``.
        body: the body file, for the regions of the face.
        settings: who signs, for how long, before which camera.
        truth: where the truth goes; by default beside the clip, with the suffix ``.npz``.

    Returns:
        The truth, as written.
    """
    _check_suffix(output, CLIPS, "a clip")
    if settings.sound and output.suffix != ".mp4":
        raise DiffSignError(f"sound goes into .mp4 only, not into '{output}'; give another name or leave out --sound.")
    loaded = load_body(body)
    performance = perform(settings)
    render = RenderSettings(samples=settings.samples)
    frames = render_frames(performance.scene(loaded), ("color",), render, threads=settings.threads)
    with tempfile.TemporaryDirectory() as folder:
        audio = Path(folder) / "tone.wav" if settings.sound else None
        if audio is not None:
            _hum(audio, len(performance.truth) / settings.fps)
        write_clip(output, (frame for _, frame in frames), settings.fps, audio=audio)
    save_truth(truth or output.with_suffix(".npz"), performance.truth)
    return performance.truth


def write_portrait(output: Path, body: Path, settings: SyntheticSettings) -> Truth:
    """Render the signer of ``settings.seed``, standing at ease, as a picture (``.jpg`` or ``.png``)."""
    _check_suffix(output, PICTURES, "a portrait")
    loaded = load_body(body)
    performance = perform(settings.model_copy(update={"seconds": 1 / settings.fps}))
    render = RenderSettings(samples=settings.samples)
    _, picture = next(render_frames(performance.scene(loaded), ("color",), render, threads=settings.threads))
    quality = [cv2.IMWRITE_JPEG_QUALITY, 94] if output.suffix == ".jpg" else []
    done, encoded = cv2.imencode(output.suffix, np.ascontiguousarray(picture[..., ::-1]), quality)
    if not done:
        raise DiffSignError(f"'{output}' could not be encoded as {output.suffix}; give another name.")
    with atomic(output) as temporary:
        temporary.write_bytes(encoded.tobytes())
    return performance.truth
