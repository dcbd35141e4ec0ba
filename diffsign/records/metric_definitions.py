"""What every metric means: its title, unit, direction, sentence and source.

Tables, plots, the report and the docs take their words from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from diffsign.records.metric_kinds import Group, MetricDefinition, filled
from diffsign.records.metrics_on_pictures import FACES, PICTURES

#: Parts of the signer whose detection is followed.
DETECTED_PARTS = {"left_hand": "left hand", "right_hand": "right hand", "face": "face"}
#: The hands, together and each by itself.
HANDS = {"hands": "hands", "left_hand": "left hand", "right_hand": "right hand"}
#: Parameters of a sign, by which the seconds of a result are judged, and what they are.
SIGN_PARAMETERS = {
    "presence": "hands and face are there, and no others",
    "handshape": "the fingers are bent as they should be",
    "orientation": "palm and fingers face where they should",
    "location": "the hand is where it should be, seen from the head",
    "movement": "the hand moves as it should",
    "contact": "hands touch the face and each other when they should, in the picture",
    "mouth": "the mouth is as open as it should be",
    "brows": "the brows are raised or lowered as they should be",
    "head": "the head is turned, tilted and nodded as it should be",
}
#: What the result is compared with.
REFERENCES = {"source": "source", "avatar": "avatar rendering"}

_HOLDS = MetricDefinition(
    "{parameter} holds, against {reference}",
    "share",
    "higher",
    "Share of the seconds in which {meaning}, as in the {reference}. Both are seen by the same detector.",
    "parameters of a sign (Stokoe 1960; Battison 1978; Brentari 1998), tolerances in docs/metrics.md",
    "signing",
)
_ALL_HOLD = MetricDefinition(
    "Every parameter holds, against {reference}",
    "share",
    "higher",
    "Share of the seconds in which every parameter of the signing that can be judged is as in the {reference}.",
    "parameters of a sign (Stokoe 1960; Battison 1978; Brentari 1998), tolerances in docs/metrics.md",
    "signing",
)
_DELAY = MetricDefinition(
    "Delay of the hands, against {reference}",
    "ms",
    "",
    "By how much the hands come later than in the {reference}, from their velocities; negative if early. 0 is best.",
    "lag of the highest correlation",
    "signing",
)
_PEAK_SPEED = MetricDefinition(
    "Peak speed kept, of {reference}",
    "×",
    "",
    "Speed of the hands at the {reference}'s strokes over what it should be, the median; below 1 they are flattened.",
    "ratio of peak speeds, seen from the head, in palms",
    "signing",
)
_HANDS_NDTW = MetricDefinition(
    "nDTWp of hands, from {reference}",
    "",
    "lower",
    "Distance of the hands' tracks after the best shift in time, in shoulder widths; a lost hand lies 10 away.",
    "pose-evaluation (Jiang et al. 2025): hands, normalised by the shoulders, each point warped by itself",
    "signing",
)
_DTW_MJE = MetricDefinition(
    "DTW-MJE, from {reference}",
    "shoulder widths",
    "lower",
    "Mean distance of the points of upper body and hands a frame, after the best shift in time.",
    "DTW-MJE (Huang et al. 2021), normalised by the shoulders, missing points at their middle",
    "signing",
)
_FOUND = MetricDefinition(
    "{part} found, {reference}",
    "share",
    "",
    "Share of all frames of the {reference} in which the detector finds the {part}.",
    "detection rate",
    "legibility",
)
_RECALL = MetricDefinition(
    "{part} kept, of {reference}",
    "share",
    "higher",
    "Where the detector finds the {part} in the {reference}: the share that it finds in the result too. "
    "The rest is lost.",
    "recall",
    "legibility",
)
_PRECISION = MetricDefinition(
    "{part} not invented, against {reference}",
    "share",
    "higher",
    "Where the detector finds the {part} in the result: the share that the {reference} shows too. The rest is "
    "invented, or the detector missed it in the {reference}.",
    "precision",
    "legibility",
)
_PCK_STRICT = MetricDefinition(
    "PCK of {part} with lost points, against {reference}",
    "share",
    "higher",
    "Share of the {reference}'s points of the {part} that the result shows within a tenth (pck_alpha) of the part's "
    "size. A point or a part that the result has lost is wrong.",
    "PCK (Yang and Ramanan 2013), longer side of the part's box; lost points are wrong",
    "legibility",
)
_PCK = MetricDefinition(
    "PCK of {part} where found in both, against {reference}",
    "share",
    "higher",
    "The same over points found in both: where what is still there lies. It says nothing about what is lost.",
    "PCK (Yang and Ramanan 2013), longer side of the part's box",
    "legibility",
)
_ERROR = MetricDefinition(
    "Error of {part}, against {reference}",
    "{unit}",
    "lower",
    "Mean distance of the {part}'s points from the {reference}'s, over points found in both.",
    "normalised mean error, {size}",
    "legibility",
)
_HANDSHAPE = MetricDefinition(
    "Handshape error, {part}, against {reference}",
    "°",
    "lower",
    "Mean difference of the 15 finger-joint angles of the {part} from the {reference}'s; independent of where the hand "
    "is and how it is turned when the detector gives 3D.",
    "mean joint angle error",
    "legibility",
)
_AGREEMENT = MetricDefinition(
    "{part} agreement, with {reference}",
    "",
    "higher",
    "Correlation over time of the {signal} in the result with that in the {reference}; 1 moves the same.",
    "Pearson correlation, in distances between the outer eye corners",
    "legibility",
)
_SSIM = MetricDefinition(
    "SSIM of successive frames, {role}",
    "",
    "",
    "How alike neighbouring frames of the {role} are; 1 is a still picture. "
    "Read the result's beside the source's: much lower means flicker, higher means lost movement.",
    "Wang et al. 2004, on luma; Gaussian window of 1.5 px, pixels whose window lies inside the picture",
    "steadiness",
)
_SSIM_BORDER = MetricDefinition(
    "SSIM with reflected border, {role}",
    "",
    "",
    "SSIM of successive frames as DiffSign 0.1 measured it: with the picture mirrored at its border.",
    "torchmetrics' mean over all pixels",
    "earlier",
)


def _signing() -> Iterator[tuple[str, MetricDefinition]]:
    for reference, told in REFERENCES.items():
        yield f"signing_all_{reference}", filled(_ALL_HOLD, reference=told)
        for parameter, meaning in SIGN_PARAMETERS.items():
            yield (
                f"signing_{parameter}_{reference}",
                filled(_HOLDS, parameter=parameter, meaning=meaning, reference=told),
            )
        templates = {"delay": _DELAY, "peak_speed": _PEAK_SPEED, "hands_ndtw": _HANDS_NDTW, "dtw_mje": _DTW_MJE}
        for name, template in templates.items():
            yield f"{name}_{reference}", filled(template, reference=told)


def _presence() -> Iterator[tuple[str, MetricDefinition]]:
    for part, name in DETECTED_PARTS.items():
        for role in (*REFERENCES, "result"):
            found = filled(_FOUND, part=name, reference=REFERENCES.get(role, role))
            yield f"{part}_found_{role}", found
    for reference, told in REFERENCES.items():
        for part, name in {"hands": "hands", **DETECTED_PARTS}.items():
            yield f"{part}_recall_{reference}", filled(_RECALL, part=name, reference=told)
            yield f"{part}_precision_{reference}", filled(_PRECISION, part=name, reference=told)


def _points() -> Iterator[tuple[str, MetricDefinition]]:
    sizes = {
        "body": ("upper body", "body sizes", "longer side of the upper body's box"),
        "face": ("face", "eye distances", "distance of the outer eye corners (300-W, Sagonas et al. 2013)"),
    }
    hands = {part: (name, "hand sizes", "longer side of the hand's box") for part, name in HANDS.items()}
    for reference, told in REFERENCES.items():
        for part, (name, unit, size) in {**hands, **sizes}.items():
            if part != "face":
                yield f"{part}_pck_strict_{reference}", filled(_PCK_STRICT, part=name, reference=told)
                yield f"{part}_pck_{reference}", filled(_PCK, part=name, reference=told)
            error = filled(_ERROR, part=name, reference=told, size=size)
            yield f"{part}_error_{reference}", replace(error, unit=unit)
        for part, name in HANDS.items():
            shape = "handshape" if part == "hands" else f"{part}shape"
            yield f"{shape}_error_{reference}", filled(_HANDSHAPE, part=name, reference=told)
        for part, signal in {"mouth": "opening of the mouth", "brow": "height of the brows"}.items():
            yield f"{part}_agreement_{reference}", filled(_AGREEMENT, part=part, signal=signal, reference=told)


def _ssim() -> Iterator[tuple[str, MetricDefinition]]:
    for suffix, role in {"": "result", "_source": "source", "_avatar": "avatar rendering"}.items():
        yield f"ssim_successive{suffix}", filled(_SSIM, role=role)
        yield f"ssim_successive_border{suffix}", filled(_SSIM_BORDER, role=role)


#: Metrics on what a translator of signed language reads in a clip.
TRANSLATION: dict[str, MetricDefinition] = {
    "back_bleu": MetricDefinition(
        "BLEU of back-translation",
        "",
        "higher",
        "How much of what is signed a translator reads in the result, by words; 0 to 100. Read it beside the source's.",
        "BLEU (Papineni et al. 2002) of the clip, sacrebleu (Post 2018)",
        "signing",
    ),
    "back_chrf": MetricDefinition(
        "chrF of back-translation",
        "",
        "higher",
        "The same by letters, which is surer for single sentences; 0 to 100.",
        "chrF (Popović 2015) of the clip, sacrebleu (Post 2018)",
        "signing",
    ),
    "back_bleu_source": MetricDefinition(
        "BLEU of back-translation, source",
        "",
        "",
        "What the same translator reads in the source: the most that can be expected of the result.",
        "BLEU (Papineni et al. 2002) of the clip, sacrebleu (Post 2018)",
        "signing",
    ),
    "back_chrf_source": MetricDefinition(
        "chrF of back-translation, source",
        "",
        "",
        "The same by letters.",
        "chrF (Popović 2015) of the clip, sacrebleu (Post 2018)",
        "signing",
    ),
    "back_chrf_kept": MetricDefinition(
        "chrF of result against source, read",
        "",
        "higher",
        "How alike the texts are that the translator reads in result and source, right or wrong; 0 to 100.",
        "chrF (Popović 2015) of the clip, sacrebleu (Post 2018)",
        "signing",
    ),
    "back_similarity": MetricDefinition(
        "Similarity of back-translation",
        "",
        "higher",
        "Cosine between the embeddings of what is read in the result and of what is signed (or, where that is not "
        "known, of what is read in the source).",
        "cosine of the embeddings that are given",
        "signing",
    ),
}

#: Every metric by name.
METRIC_DEFINITIONS: dict[str, MetricDefinition] = {
    **dict(_signing()),
    **dict(_presence()),
    **dict(_points()),
    **dict(_ssim()),
    **PICTURES,
    **FACES,
    **TRANSLATION,
}

#: Names in files of version 1, and what they are called now.
RENAMED_METRICS = {
    f"{part}_redetected_{reference}": f"{part}_recall_{reference}"
    for part in ("hands", *DETECTED_PARTS)
    for reference in REFERENCES
} | {f"ssim_successive{role}": f"ssim_successive_border{role}" for role in ("", "_source", "_avatar")}

#: Chapters of the report, in its order.
GROUPS: dict[Group, str] = {
    "signing": "Does it say the same?",
    "legibility": "Are hands and face still there, and in place?",
    "steadiness": "Is the picture steady?",
    "likeness": "Is it the signer that was asked for?",
    "anonymity": "Can the person still be recognised?",
    "earlier": "As the released code and earlier versions computed it",
}

#: The metrics to look at first, with the shortest title that says what they are.
HEADLINES = {
    "signing_all_source": "Seconds that hold",
    "hands_recall_source": "Hands kept",
    "hands_precision_source": "Hands not invented",
    "hands_pck_strict_source": "Hand points in place",
    "handshape_error_source": "Handshape error",
    "mouth_agreement_source": "Mouth agrees",
    "flicker": "Flicker",
    "fid": "FID",
    "directional_similarity": "Directional similarity",
    "reference_similarity": "Like the reference",
}


def format_value(name: str, value: float | None) -> str:
    """Return a metric's value as a person reads it: three significant digits, its unit, "–" where there is none.

    >>> format_value("hands_pck_source", 0.912), format_value("handshape_error_source", 12.345)
    ('91 %', '12.3°')
    >>> format_value("fid", None)
    '–'
    """
    return format_number(METRIC_DEFINITIONS[name].unit, value)


def format_number(unit: str, value: float | None) -> str:
    """Return a value with its unit, as :func:`format_value` does.

    >>> format_number("hand sizes", 0.0712)
    '0.071 hand sizes'
    """
    if value is None:
        return "–"
    if unit == "share":
        return f"{100 * value:.0f} %" if 0.001 <= value <= 0.994 or value in (0, 1) else f"{100 * value:.1f} %"
    if value != 0 and abs(value) < 0.001:
        text = f"{value:.1e}"
    elif abs(value) >= 100:
        text = f"{value:.0f}"
    else:
        text = f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{text}{'' if unit in ('', '°', '×') else ' '}{unit}"
