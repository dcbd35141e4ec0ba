"""Metrics on the pictures of a result: how steady they are, and whether they show the signer that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffsign.evaluate.distribution import RELEASED_FRAMES, frechet_distance, kernel_distance
from diffsign.evaluate.frames import ROLES, Measured
from diffsign.evaluate.networks import CLIPEncoder, directional_similarity, mean_similarity
from diffsign.records.metrics import Metric, metric

NO_CLIP = "the family's manifest names no CLIP and none was given with --clip"
#: Below this warping error (a grey level of 0.25) the avatar does not move and a ratio to it means nothing.
STEADY = (0.25 / 255) ** 2
#: Fewest frames of which a covariance can be estimated.
FEWEST = 2


def mean_metric(values: np.ndarray, reason: str = "", **details: Any) -> Metric:
    """Return the mean of values (N,) over those that are finite, with their number."""
    defined = values[np.isfinite(values)]
    return metric(float(defined.mean()) if len(defined) else None, len(defined), reason=reason, **details)


def _ssim(measured: Measured) -> dict[str, Metric]:
    single = "no frame follows another without a cut between, or frames are smaller than the window"
    window = {"colour": "luma", "window": "Gaussian 11 px, sigma 1.5"}
    metrics = {}
    for role in ROLES:
        suffix = "" if role == "result" else f"_{role}"
        metrics[f"ssim_successive{suffix}"] = mean_metric(
            measured.ssim[role], single, settings=window | {"border": "left out"}
        )
        metrics[f"ssim_successive_border{suffix}"] = mean_metric(
            measured.ssim_border[role], single, settings=window | {"border": "mirrored"}
        )
    mean_window = {"colour": "grey", "window": "mean 7 px", "compared_with": "frame 0"}
    metrics["ssim_first_frame"] = mean_metric(measured.ssim_first, single, settings=mean_window)
    return metrics


def steadiness(measured: Measured) -> dict[str, Metric]:
    """Return the metrics on successive frames."""
    metrics = _ssim(measured)
    names = {"result": "warping_error", "avatar": "warping_error_avatar", "background": "warping_error_background"}
    flow = {"flow": "Farneback on the avatar rendering", "longer_side": 256}
    for key, name in names.items():
        values = measured.warping.get(key)
        if values is None:
            metrics[name] = metric(None, 0, reason="switched off (flow)")
        else:
            metrics[name] = mean_metric(values, "no pair of frames has pixels to compare", settings=flow)
    base, error = metrics["warping_error_avatar"], metrics["warping_error"]
    if base.value is None or error.value is None:
        metrics["flicker"] = metric(None, 0, reason=base.reason or error.reason or "")
    elif base.value < STEADY:
        metrics["flicker"] = metric(None, base.frames, reason="the avatar rendering does not change along its movement")
    else:
        metrics["flicker"] = metric(error.value / base.value, error.frames, settings=flow)
    return metrics


def why_no_distance(source: Tensor, result: Tensor) -> str:
    """Return why two sets of features (N, D) have no distance, "" if they have one."""
    if len(source) < FEWEST:
        return "fewer than two frames"
    broken = sum(int((~torch.isfinite(features).all(1)).sum()) for features in (source, result))
    return f"the network gave features that are not finite for {broken} frames" if broken else ""


def likeness(measured: Measured, network: str | None) -> dict[str, Metric]:
    """Return the distances between the frames of result and source."""
    if network is None:
        return {name: metric(None, 0, reason=NO_CLIP) for name in ("fid", "fid_released", "kid")}
    released = {"first_frames": RELEASED_FRAMES, "bytes": "wrapped"}
    kernel = {"kernel": "(x·y / features + 1)^3"}
    metrics = {}
    for name, features, distance, settings in (
        ("fid", measured.features, frechet_distance, {}),
        ("fid_released", measured.features_released, frechet_distance, released),
        ("kid", measured.features, kernel_distance, kernel),
    ):
        source, result = features["source"], features["result"]
        reason = why_no_distance(source, result)
        value = None if reason else distance(source, result)
        settings = {"features": source.shape[1]} | settings
        metrics[name] = metric(value, len(source), reason=reason, network=network, settings=settings)
    return metrics


def similarities(
    measured: Measured, clip: CLIPEncoder | None, texts: tuple[str, str | None], pictures: Sequence[np.ndarray]
) -> tuple[dict[str, Metric], dict[str, np.ndarray]]:
    """Return the metrics and series on CLIP's embeddings.

    Args:
        measured: with the embeddings of source and result.
        clip: what embeds words and reference pictures; None if there is none.
        texts: the source and the signer in words, None if no words describe the signer.
        pictures: reference pictures of the signer, (H, W, 3) uint8 each.
    """
    if clip is None:
        kinds = ("directional", "words", "reference")
        return {f"{kind}_similarity": metric(None, 0, reason=NO_CLIP) for kind in kinds}, {}
    source, result = measured.embeddings["source"], measured.embeddings["result"]
    values: dict[str, np.ndarray] = {}
    settings: dict[str, dict[str, Any]] = {}
    broken = "the embeddings are not finite"
    reasons = {
        "directional_similarity": "no words describe the signer",
        "words_similarity": "no words describe the signer",
        "reference_similarity": "no reference picture describes the signer",
    }
    if texts[1]:
        words = clip.words([texts[0], texts[1]])
        values["directional_similarity"] = directional_similarity(source, result, words[0], words[1])
        settings["directional_similarity"] = {"source_text": texts[0], "signer_text": texts[1]}
        reasons["directional_similarity"] = f"neither picture nor words change from source to signer, or {broken}"
        values["words_similarity"] = mean_similarity(result, words[1:])
        settings["words_similarity"] = {"signer_text": texts[1]}
        reasons["words_similarity"] = broken
    if pictures:
        embedded = torch.cat([clip.frames(picture[None]) for picture in pictures])
        values["reference_similarity"] = mean_similarity(result, embedded)
        settings["reference_similarity"] = {"references": len(pictures)}
        reasons["reference_similarity"] = broken
    metrics = {
        name: mean_metric(values.get(name, np.empty(0)), why, network=clip.name, settings=settings.get(name, {}))
        for name, why in reasons.items()
    }
    return metrics, values
