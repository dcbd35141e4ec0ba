"""Depth pictures of a clip, from the rendered depth pass or from a depth network on the colour pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.config.control import DepthControlSettings
from diffsign.errors import DiffSignError
from diffsign.models.control_pictures import depth_picture, depth_range
from diffsign.progress import track
from diffsign.records.clip import iter_clip, probe_clip, write_clip
from diffsign.records.depth import decode_depth

#: Frames that the depth network sees at once.
BATCH = 8


@dataclass(frozen=True)
class Inputs:
    """What is read: the depth pass, or with ``source: dpt`` the colour pass."""

    clip: Path


@dataclass(frozen=True)
class Outputs:
    """What is written: the clip, and the same to look at (``.mp4``)."""

    clip: Path
    preview: Path | None = None


def run(inputs: Inputs, outputs: Outputs, settings: DepthControlSettings, *, threads: int = 1) -> str:
    """Turn the depth of every frame into a picture; return the line that the command prints.

    Raises:
        DiffSignError: if the clip is missing or shows no body, near and far leave no range, or there is no network.
    """
    info = probe_clip(inputs.clip)
    if settings.source == "dpt":
        frames = pictures_of_estimate(estimate_inverse_depth(iter_clip(inputs.clip), settings.estimator))
    else:
        frames = pictures_of_depth(lambda: (decode_depth(f) for f in iter_clip(inputs.clip, depth=True)), settings)
    written = write_clip(outputs.clip, track(frames, "depth", info.frames), info.fps, preview=outputs.preview)
    return f"depth of {written} frames in '{outputs.clip}'"


def clip_range(depths: Iterable[np.ndarray], settings: DepthControlSettings) -> tuple[float, float]:
    """Return the nearest and farthest depth of a whole clip in metres; one range for all frames does not flicker.

    Args:
        depths: (H, W) metres for every frame; 0 or infinite for background.
        settings: ``near`` and ``far``, where given, stand in for the clip's own.

    Raises:
        DiffSignError: if there is only background, or the settings leave no range.
    """
    spans = [span for span in map(depth_range, depths) if span is not None]
    if not spans and (settings.near is None or settings.far is None):
        raise DiffSignError("the depth clip shows only background; render the avatar again, or give near and far.")
    near = settings.near if settings.near is not None else min(span[0] for span in spans)
    far = settings.far if settings.far is not None else max(span[1] for span in spans)
    if near > far:
        raise DiffSignError(f"near ({near:g} m) lies behind far ({far:g} m); give a smaller near or a larger far.")
    return near, far


def pictures_of_depth(
    depths: Callable[[], Iterable[np.ndarray]], settings: DepthControlSettings
) -> Iterator[np.ndarray]:
    """Turn a rendered depth pass into control pictures.

    Args:
        depths: opens the pass: (H, W) metres for every frame. Called twice, for the range and for the pictures.
        settings: range and floor.

    Yields:
        (H, W, 3) uint8, near white, background black.
    """
    near, far = clip_range(depths(), settings)
    for depth in depths():
        yield depth_picture(depth, near, far, settings.darkest)


def estimate_inverse_depth(frames: Iterable[np.ndarray], network: str) -> Iterator[np.ndarray]:
    """Estimate relative inverse depth with a DPT network (Ranftl et al., "Vision Transformers for Dense Prediction").

    Args:
        frames: (H, W, 3) uint8 RGB.
        network: local folder, or hub id of a network in the cache.

    Yields:
        (H, W) float32, larger is nearer, without unit.

    Raises:
        DiffSignError: if the network is missing.
    """
    import torch
    from transformers import AutoImageProcessor, DPTForDepthEstimation

    from diffsign.models.device import best_device

    try:
        processor = AutoImageProcessor.from_pretrained(network, local_files_only=True)
        model = DPTForDepthEstimation.from_pretrained(network, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise DiffSignError(
            f"the depth network '{network}' is neither a folder with a DPT network nor in the Hugging Face cache; "
            f"run `hf download {network}` on a machine with a network, or set control.depth.estimator to its folder."
        ) from error
    device = best_device()
    model = model.to(device).eval()  # type: ignore[arg-type]

    def run(batch: list[np.ndarray]) -> Iterator[np.ndarray]:
        inputs = processor(images=batch, return_tensors="pt").to(device)
        with torch.inference_mode():
            depth = model(**inputs).predicted_depth[:, None]
        size = batch[0].shape[:2]
        yield from torch.nn.functional.interpolate(depth, size, mode="bicubic", align_corners=False)[:, 0].cpu().numpy()

    batch: list[np.ndarray] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == BATCH:
            yield from run(batch)
            batch = []
    if batch:
        yield from run(batch)


def pictures_of_estimate(inverse: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Stretch estimated inverse depth (H, W) over the whole clip to (H, W, 3) uint8, nearest white."""
    maps = [depth.astype(np.float32) for depth in inverse]
    if not maps:
        return
    low, high = min(float(m.min()) for m in maps), max(float(m.max()) for m in maps)
    for depth in maps:
        grey = (depth - low) / ((high - low) or 1.0)
        yield np.repeat(np.round(grey * 255).astype(np.uint8)[..., None], 3, axis=2)
