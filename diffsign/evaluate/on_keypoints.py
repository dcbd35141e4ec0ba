"""Metrics on the keypoints of a result: are hands and face still there, in place and in shape?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from diffsign.config.evaluate import EvaluateSettings
from diffsign.evaluate.frames import ROLES
from diffsign.evaluate.legibility import (
    correlation,
    face_signals,
    found,
    handshape_error,
    has_world,
    part_agreement,
    presence,
)
from diffsign.evaluate.on_pictures import mean_metric
from diffsign.records.keypoints import Keypoints
from diffsign.records.metric_definitions import DETECTED_PARTS, HANDS, REFERENCES
from diffsign.records.metrics import Metric, metric

Measurement = tuple[dict[str, Metric], dict[str, np.ndarray]]
_HANDS = ("left_hand", "right_hand")


def _members(part: str) -> tuple[str, ...]:
    return _HANDS if part == "hands" else (part,)


def _mean_of(values: list[np.ndarray]) -> np.ndarray:
    """Return the mean over the arrays (T,), leaving out NaN; NaN where all are."""
    stacked = np.stack(values)
    count = np.isfinite(stacked).sum(0)
    return np.where(count > 0, np.nansum(stacked, axis=0) / np.maximum(count, 1), np.nan)


def _presence(keypoints: Mapping[str, Keypoints], settings: EvaluateSettings) -> Measurement:
    confidence = {"min_confidence": settings.min_confidence}
    shown = {
        role: {part: found(points, part, settings.min_confidence) for part in DETECTED_PARTS}
        for role, points in keypoints.items()
    }
    metrics, series = {}, {}
    for part in DETECTED_PARTS:
        for role in ROLES:
            here = shown[role][part].astype(float)
            network = keypoints[role].detector
            metrics[f"{part}_found_{role}"] = metric(
                float(here.mean()), len(here), network=network, settings=confidence
            )
            series[f"{part}_found_{role}"] = here
    details: dict[str, Any] = {"network": keypoints["result"].detector, "settings": confidence}
    for reference, told in REFERENCES.items():
        for part in ("hands", *DETECTED_PARTS):
            before, after = (
                np.concatenate([shown[role][member] for member in _members(part)]) for role in (reference, "result")
            )
            kept = presence(before, after)
            metrics[f"{part}_recall_{reference}"] = metric(
                kept.recall, kept.in_reference, reason=f"never found in the {told}", **details
            )
            metrics[f"{part}_precision_{reference}"] = metric(
                kept.precision, kept.in_result, reason="never found in the result", **details
            )
    return metrics, series


def _points(reference: str, keypoints: Mapping[str, Keypoints], settings: EvaluateSettings) -> Measurement:
    result, told = keypoints["result"], REFERENCES[reference]
    confidence = {"min_confidence": settings.min_confidence}
    network = result.detector
    agreements = {
        part: part_agreement(keypoints[reference], result, part, settings.pck_alpha, settings.min_confidence)
        for part in (*_HANDS, "face", "body")
    }
    missing = f"never found in both result and {told}"
    metrics = {}
    for part in (*HANDS, "body", "face"):
        chosen = [agreements[member] for member in _members(part)]
        error = np.concatenate([agreement.error for agreement in chosen])
        metrics[f"{part}_error_{reference}"] = mean_metric(error, missing, network=network, settings=confidence)
        if part == "face":
            continue
        pck = confidence | {"alpha": settings.pck_alpha}
        correct = np.concatenate([agreement.correct for agreement in chosen])
        strict = np.concatenate([agreement.strict for agreement in chosen])
        metrics[f"{part}_pck_{reference}"] = mean_metric(correct, missing, network=network, settings=pck)
        metrics[f"{part}_pck_strict_{reference}"] = mean_metric(
            strict, f"never found in the {told}", network=network, settings=pck
        )
    return metrics, {f"hands_error_{reference}": _mean_of([agreements[part].error for part in _HANDS])}


def _handshapes(reference: str, keypoints: Mapping[str, Keypoints], settings: EvaluateSettings) -> Measurement:
    result = keypoints["result"]
    shapes = {part: handshape_error(keypoints[reference], result, part, settings.min_confidence) for part in _HANDS}
    in_3d = {part: has_world(keypoints[reference], part) and has_world(result, part) for part in _HANDS}
    metrics = {}
    for part in HANDS:
        known = [in_3d[member] for member in _members(part)]
        angles = "3D" if all(known) else "3D and 2D" if any(known) else "2D"
        metrics[f"{'handshape' if part == 'hands' else part + 'shape'}_error_{reference}"] = mean_metric(
            np.concatenate([shapes[member] for member in _members(part)]),
            f"never found in both result and {REFERENCES[reference]}",
            network=result.detector,
            settings={"min_confidence": settings.min_confidence, "angles": angles},
        )
    return metrics, {f"handshape_error_{reference}": _mean_of(list(shapes.values()))}


def _face(keypoints: Mapping[str, Keypoints], settings: EvaluateSettings) -> Measurement:
    signals = {role: face_signals(points, settings.min_confidence) for role, points in keypoints.items()}
    details: dict[str, Any] = {
        "network": keypoints["result"].detector,
        "settings": {"min_confidence": settings.min_confidence},
    }
    metrics = {}
    for reference in REFERENCES:
        for part in ("mouth", "brow"):
            value, count, reason = correlation(signals[reference][part], signals["result"][part])
            metrics[f"{part}_agreement_{reference}"] = metric(value, count, reason=reason, **details)
    return metrics, {f"{part}_{role}": signals[role][part] for part in ("mouth", "brow") for role in ROLES}


def legibility(keypoints: Mapping[str, Keypoints], settings: EvaluateSettings) -> Measurement:
    """Return the metrics and series on keypoints of source, avatar and result, all in the same pixels."""
    measured = [_presence(keypoints, settings)]
    for reference in REFERENCES:
        measured += [_points(reference, keypoints, settings), _handshapes(reference, keypoints, settings)]
    measured.append(_face(keypoints, settings))
    metrics = {name: value for part, _ in measured for name, value in part.items()}
    series = {name: values for _, part in measured for name, values in part.items()}
    return metrics, series
