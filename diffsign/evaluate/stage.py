"""The stage: clips, keypoints and words of one result in, its figures out."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torchmetrics
import transformers
from PIL import Image, UnidentifiedImageError

from diffsign import __version__
from diffsign.config.evaluate import EvaluateSettings
from diffsign.config.family import PACKAGE
from diffsign.errors import DiffSignError
from diffsign.evaluate.distribution import RELEASED_FRAMES, frechet_distance, kernel_distance
from diffsign.evaluate.frames import CLIPS, Measured, measure
from diffsign.evaluate.legibility import (
    correlation,
    face_signals,
    found,
    handshape_error,
    has_world,
    part_agreement,
    redetected,
    scale_to,
)
from diffsign.evaluate.networks import Clip, Inception, directional_similarity, reference_similarity
from diffsign.files import require_file
from diffsign.records.clip import probe_clip
from diffsign.records.keypoints import Keypoints, load_keypoints
from diffsign.records.manifest import Manifest, is_untrained, load_manifest
from diffsign.records.metric_definitions import PARTS, REFERENCES
from diffsign.records.metrics import Figure, Metrics, figure, to_series
from diffsign.records.shots import shot_starts

log = logging.getLogger(__name__)

HANDS = ("left_hand", "right_hand")
NO_CLIP = "the family's manifest names no CLIP and none was given with --clip"
#: Below this warping error (a grey level of 0.25) the avatar does not move and a ratio to it means nothing.
STEADY = (0.25 / 255) ** 2


@dataclass(frozen=True)
class Inputs:
    """What one result is measured on.

    Attributes:
        result: clip of the synthetic signer.
        source: clip of the person.
        avatar: colour pass of the rendering.
        mask: mask pass of the rendering.
        source_keypoints: as detected on the source.
        avatar_keypoints: as detected on the rendering.
        result_keypoints: as detected on the result.
        family: manifest of the model family.
        source_text: caption of the source.
        signer_text: caption of the signer; None if pictures alone describe it.
        references: pictures that describe the signer.
        video: name of the video.
        signer: name of the signer.
    """

    result: Path
    source: Path
    avatar: Path
    mask: Path
    source_keypoints: Path
    avatar_keypoints: Path
    result_keypoints: Path
    family: Path
    source_text: str
    signer_text: str | None = None
    references: tuple[Path, ...] = field(default=())
    video: str = "video"
    signer: str = "signer"

    @property
    def kind(self) -> str:
        """``image``, ``text``, ``multimodal`` or, without any description, ``unknown``."""
        if self.signer_text:
            return "multimodal" if self.references else "text"
        return "image" if self.references else "unknown"


def _networks(settings: EvaluateSettings, family: Manifest) -> tuple[Clip | None, Clip | Inception | None]:
    clip = None
    if settings.clip is not None:
        clip = Clip(settings.clip, name=Path(settings.clip).name if Path(settings.clip).is_dir() else settings.clip)
    elif family.clip is not None:
        ours = family.clip.id.startswith(PACKAGE) or Path(family.clip.id).exists()
        clip = Clip(family.clip.path, name=f"CLIP of the family {family.name}" if ours else family.clip.id)
    else:
        log.warning("%s; figures that need one are left out.", NO_CLIP)
    return clip, Inception(settings.inception_weights) if settings.fid_network == "inception" else clip


def _keypoints(inputs: Inputs, frames: int, width: int, height: int) -> dict[str, Keypoints]:
    keypoints = {}
    for name in CLIPS:
        path = getattr(inputs, f"{name}_keypoints")
        keypoints[name] = scale_to(load_keypoints(path).in_picture(), width, height)
        if len(keypoints[name]) != frames:
            raise DiffSignError(
                f"keypoints '{path}' are of {len(keypoints[name])} frames, but the source '{inputs.source}' has "
                f"{frames}; detect them again on the {name}."
            )
    return keypoints


def _pictures(paths: tuple[Path, ...]) -> list[np.ndarray]:
    pictures = []
    for path in paths:
        try:
            with Image.open(require_file(path, "reference picture")) as picture:
                pictures.append(np.array(picture.convert("RGB")))
        except (UnidentifiedImageError, OSError) as error:
            raise DiffSignError(f"reference picture '{path}' cannot be read as a picture: {error}.") from error
    return pictures


def _mean(values: np.ndarray, reason: str = "", **details: Any) -> Figure:
    defined = values[np.isfinite(values)]
    return figure(float(defined.mean()) if len(defined) else None, len(defined), reason=reason, **details)


def steadiness(measured: Measured) -> dict[str, Figure]:
    """Return the figures on successive frames."""
    single = "the clip has a single frame"
    window = {"colour": "luma", "window": "Gaussian 11 px, sigma 1.5"}
    figures = {
        f"ssim_successive{'' if name == 'result' else '_' + name}": _mean(measured.ssim[name], single, settings=window)
        for name in CLIPS
    }
    mean_window = {"colour": "grey", "window": "mean 7 px", "compared_with": "frame 0"}
    figures["ssim_first_frame"] = _mean(measured.ssim_first, single, settings=mean_window)
    names = {"result": "warping_error", "avatar": "warping_error_avatar", "background": "warping_error_background"}
    flow = {"flow": "Farneback on the avatar rendering", "longer_side": 256}
    for key, name in names.items():
        values = measured.warping.get(key)
        if values is None:
            figures[name] = figure(None, 0, reason="switched off (flow)")
        else:
            figures[name] = _mean(values, "no pair of frames has pixels to compare", settings=flow)
    base, error = figures["warping_error_avatar"], figures["warping_error"]
    if base.value is None or error.value is None:
        figures["flicker"] = figure(None, 0, reason=base.reason or error.reason or "")
    elif base.value < STEADY:
        figures["flicker"] = figure(None, base.frames, reason="the avatar rendering does not change along its movement")
    else:
        figures["flicker"] = figure(error.value / base.value, error.frames, settings=flow)
    return figures


def likeness(measured: Measured, network: str | None) -> dict[str, Figure]:
    """Return the distances between the frames of result and source."""
    if network is None:
        return {name: figure(None, 0, reason=NO_CLIP) for name in ("fid", "fid_released", "kid")}
    few = "fewer than two frames"
    figures = {}
    for name, features in (("fid", measured.features), ("fid_released", measured.features_released)):
        source, result = features["source"], features["result"]
        details: dict[str, Any] = {"network": network, "settings": {"features": source.shape[1]}}
        if name == "fid_released":
            details["settings"] |= {"first_frames": RELEASED_FRAMES, "bytes": "wrapped"}
        value = frechet_distance(source, result) if len(source) > 1 else None
        figures[name] = figure(value, len(source), reason=few, **details)
    source, result = measured.features["source"], measured.features["result"]
    value = kernel_distance(source, result) if len(source) > 1 else None
    settings = {"features": source.shape[1], "kernel": "(x·y / features + 1)^3"}
    figures["kid"] = figure(value, len(source), reason=few, network=network, settings=settings)
    return figures


def legibility(
    keypoints: dict[str, Keypoints], settings: EvaluateSettings
) -> tuple[dict[str, Figure], dict[str, np.ndarray]]:
    """Return the figures and series on keypoints of source, avatar and result, all in the same pixels."""
    result = keypoints["result"]
    confidence = {"min_confidence": settings.min_confidence}
    by: dict[str, Any] = {"network": result.detector, "settings": confidence}
    pck = by | {"settings": confidence | {"alpha": settings.pck_alpha}}
    seen = {
        who: {part: found(points, part, settings.min_confidence) for part in PARTS} for who, points in keypoints.items()
    }
    figures = {
        f"{part}_found_{who}": figure(
            float(seen[who][part].mean()), len(result), network=keypoints[who].detector, settings=confidence
        )
        for part in PARTS
        for who in CLIPS
    }
    series = {f"{part}_found_{who}": seen[who][part].astype(float) for part in PARTS for who in CLIPS}
    signals = {who: face_signals(points, settings.min_confidence) for who, points in keypoints.items()}
    series |= {f"{part}_{who}": signals[who][part] for part in ("mouth", "brow") for who in CLIPS}
    for reference, told in REFERENCES.items():
        for part in (*PARTS, "hands"):
            members = HANDS if part == "hands" else (part,)
            before, after = (np.concatenate([seen[who][member] for member in members]) for who in (reference, "result"))
            share, count = redetected(before, after)
            never = f"never found in the {told}"
            figures[f"{part}_redetected_{reference}"] = figure(share, count, reason=never, **by)
        agreements = {
            part: part_agreement(keypoints[reference], result, part, settings.pck_alpha, settings.min_confidence)
            for part in (*HANDS, "face", "body")
        }
        shapes = {part: handshape_error(keypoints[reference], result, part, settings.min_confidence) for part in HANDS}
        in_3d = {part: has_world(keypoints[reference], part) and has_world(result, part) for part in HANDS}
        series[f"hands_error_{reference}"] = _mean_of([agreements[part].error for part in HANDS])
        series[f"handshape_error_{reference}"] = _mean_of([shapes[part] for part in HANDS])
        missing = f"never found in both result and {told}"
        for part in (*HANDS, "hands", "body"):
            members = HANDS if part == "hands" else (part,)
            correct = np.concatenate([agreements[member].correct for member in members])
            figures[f"{part}_pck_{reference}"] = _mean(correct, missing, **pck)
        for part in (*HANDS, "hands", "body", "face"):
            members = HANDS if part == "hands" else (part,)
            error = np.concatenate([agreements[member].error for member in members])
            figures[f"{part}_error_{reference}"] = _mean(error, missing, **by)
        for part in (*HANDS, "hands"):
            members = HANDS if part == "hands" else (part,)
            error = np.concatenate([shapes[member] for member in members])
            name = {"hands": "handshape"}.get(part, part + "shape")
            angles = "3D" if all(in_3d[member] for member in members) else "2D" if not any(in_3d.values()) else "mixed"
            figures[f"{name}_error_{reference}"] = _mean(
                error, missing, network=result.detector, settings=confidence | {"angles": angles}
            )
        for part in ("mouth", "brow"):
            value, count, reason = correlation(signals[reference][part], signals["result"][part])
            figures[f"{part}_agreement_{reference}"] = figure(value, count, reason=reason, **by)
    return figures, series


def _mean_of(values: list[np.ndarray]) -> np.ndarray:
    stacked = np.stack(values)
    count = np.isfinite(stacked).sum(0)
    return np.where(count > 0, np.nansum(stacked, axis=0) / np.maximum(count, 1), np.nan)


def _similarities(
    inputs: Inputs, measured: Measured, clip: Clip | None, pictures: list[np.ndarray]
) -> tuple[dict[str, Figure], dict[str, np.ndarray]]:
    if clip is None:
        return {f"{kind}_similarity": figure(None, 0, reason=NO_CLIP) for kind in ("directional", "reference")}, {}
    source, result = measured.embeddings["source"], measured.embeddings["result"]
    series = {}
    if inputs.signer_text:
        words = clip.words([inputs.source_text, inputs.signer_text])
        series["directional_similarity"] = directional_similarity(source, result, words[0], words[1])
        direction = _mean(
            series["directional_similarity"],
            "neither picture nor words change from source to signer",
            network=clip.name,
            settings={"source_text": inputs.source_text, "signer_text": inputs.signer_text},
        )
    else:
        direction = figure(None, 0, reason="no words describe the signer", network=clip.name)
    if pictures:
        embedded = torch.cat([clip.frames(picture[None]) for picture in pictures])
        series["reference_similarity"] = reference_similarity(result, embedded)
        likeness = _mean(series["reference_similarity"], network=clip.name, settings={"references": len(pictures)})
    else:
        likeness = figure(None, 0, reason="no reference picture describes the signer", network=clip.name)
    return {"directional_similarity": direction, "reference_similarity": likeness}, series


def evaluate(inputs: Inputs, settings: EvaluateSettings, threads: int | None = None) -> Metrics:
    """Measure one result.

    Args:
        inputs: its files and words.
        settings: what it is measured with.
        threads: threads of torch and OpenCV; None leaves them alone.

    Returns:
        Every figure of :data:`diffsign.records.metric_definitions.DEFINITIONS`, with a reason where there is no value.

    Raises:
        DiffSignError: if a file is missing or of another kind, or clips and keypoints differ in length.
    """
    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    info = probe_clip(inputs.source)
    family = load_manifest(inputs.family)
    frames = len(load_keypoints(inputs.source_keypoints))
    pictures = _pictures(inputs.references)
    clip, network = _networks(settings, family)
    paths = {"source": inputs.source, "avatar": inputs.avatar, "result": inputs.result}
    if settings.flow:
        paths["mask"] = inputs.mask
    for name, path in paths.items():
        size = probe_clip(path)
        if (size.width, size.height) != (info.width, info.height):
            log.info(
                "%s is %d×%d, scaled to the source's %d×%d", name, size.width, size.height, info.width, info.height
            )
    measured = measure(paths, clip, network, batch_size=settings.batch_size, flow=settings.flow, expected=frames)
    frames = len(measured.ssim_first)
    keypoints = _keypoints(inputs, frames, info.width, info.height)
    measured = measured.within_shots(shot_starts(keypoints["source"]))
    readable, on_keypoints = legibility(keypoints, settings)
    similar, on_embeddings = _similarities(inputs, measured, clip, pictures)
    series = {f"ssim_successive_{name}": values for name, values in measured.ssim.items()}
    series |= {f"warping_error_{name}": values for name, values in measured.warping.items()}
    series |= on_keypoints | on_embeddings
    packages = {module.__name__: str(module.__version__) for module in (torch, torchmetrics, transformers, cv2, np)}
    return Metrics(
        video=inputs.video,
        signer=inputs.signer,
        kind=inputs.kind,
        family=family.name,
        stand_in=is_untrained(family),
        frames=frames,
        fps=info.fps,
        width=info.width,
        height=info.height,
        source_text=inputs.source_text,
        signer_text=inputs.signer_text,
        figures=readable | steadiness(measured) | likeness(measured, network and network.name) | similar,
        series={name: to_series(values) for name, values in series.items()},
        versions={"diffsign": __version__, **packages},
    )
