"""Metrics on what is signed: the parameters of a sign second by second, timing, and distances of the whole sequence."""

from __future__ import annotations

from collections.abc import Mapping

from diffsign.config.evaluate import EvaluateSettings
from diffsign.evaluate.dynamic_time_warping import hands_distance, joint_distance
from diffsign.evaluate.on_pictures import mean_metric
from diffsign.evaluate.seconds import judge, timing
from diffsign.records.keypoints import Keypoints
from diffsign.records.metric_definitions import REFERENCES
from diffsign.records.metrics import Break, Metric, metric


def signing(keypoints: Mapping[str, Keypoints], settings: EvaluateSettings) -> tuple[dict[str, Metric], list[Break]]:
    """Return the metrics of the signing against source and avatar, and where a parameter breaks.

    Args:
        keypoints: of source, avatar and result, all in the same pixels.
        settings: confidence and tolerance.
    """
    metrics: dict[str, Metric] = {}
    breaks: list[Break] = []
    result, least = keypoints["result"], settings.min_confidence
    details = {"network": result.detector, "settings": {"min_confidence": least}}
    for name, told in REFERENCES.items():
        reference = keypoints[name]
        judged = judge(reference, result, name, least, settings.tolerance)
        breaks += judged.breaks
        tolerance = {"settings": {"min_confidence": least, "tolerance": settings.tolerance}}
        for parameter, holds in {"all": judged.all_hold(), **judged.holds}.items():
            why = f"no second of result and {told} shows enough of it"
            metrics[f"signing_{parameter}_{name}"] = mean_metric(holds, why, **details | tolerance)
        times = timing(reference, result, least)
        still = f"no hand moves enough in the {told}"
        metrics[f"delay_{name}"] = metric(*times["delay"], reason=still, **details)
        metrics[f"peak_speed_{name}"] = metric(*times["peak_speed"], reason=still, **details)
        nothing = f"result or {told} never shows shoulders and a hand"
        for key, distance in {"hands_ndtw": hands_distance, "dtw_mje": joint_distance}.items():
            value = distance(reference, result, least)
            metrics[f"{key}_{name}"] = metric(value, len(result), reason=nothing, **details)
    return metrics, sorted(breaks, key=lambda broken: (broken.start, broken.against != "avatar"))


def worst_moments(breaks: list[Break], most: int) -> list[Break]:
    """Return the break of each parameter to show as a picture, one each, against the source first.

    Args:
        breaks: all of them.
        most: how many at most.
    """
    chosen: dict[str, Break] = {}
    for broken in sorted(breaks, key=lambda b: (b.against != "source", b.start)):
        chosen.setdefault(broken.parameter, broken)
    return sorted(list(chosen.values())[:most], key=lambda broken: broken.worst)
