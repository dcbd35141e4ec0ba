"""The evaluation of one clip by one signer: what was measured, on how many frames, with which network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffsign.errors import DiffSignError, explain_validation
from diffsign.records.json_record import load_record, save_record
from diffsign.records.metric_definitions import METRIC_DEFINITIONS, RENAMED_METRICS

FORMAT = "diffsign-metrics"
VERSION = 2

#: Why a metric that compares with the source's pictures has no value where there are none.
NO_FILM = "the source is no film; its clip shows the skeleton of its keypoints"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Metric(_Record):
    """One metric: its value, or why there is none.

    Attributes:
        value: in the unit of its :class:`~diffsign.records.metric_definitions.MetricDefinition`; None if not defined.
        frames: how many frames (or pairs of frames) it rests on; a hand counts as one each.
        network: the network that it depends on, None if none.
        settings: whatever else changes it.
        reason: why the value is None.
    """

    value: float | None = None
    frames: int = Field(default=0, ge=0)
    network: str | None = None
    settings: dict[str, str | int | float | bool | None] = {}
    reason: str | None = None


class Break(_Record):
    """A stretch of the clip in which a parameter of the signing is not what it should be.

    Attributes:
        parameter: which one, such as handshape or location.
        against: what it should be: as in the source, or as in the motion that the signer was asked to show.
        start: first frame.
        end: one past the last frame.
        worst: the frame in which it is worst.
        what: a few words with the number, such as "34° from the handshape of the right hand".
    """

    parameter: str
    against: Literal["source", "avatar"]
    start: int = Field(ge=0)
    end: int = Field(ge=1)
    worst: int = Field(ge=0)
    what: str


class Evaluation(_Record):
    """All metrics of one clip by one signer.

    Attributes:
        video: name of the source video.
        signer: name of the synthetic signer.
        kind: what described the signer: a picture (image), words (text) or both (multimodal).
        family: name of the diffusion family.
        untrained: the family is not trained far enough to be judged by its pictures.
        frames: length of the clips.
        fps: frames per second.
        width: width of the source in pixels; other clips were brought to its size.
        height: height of the source in pixels.
        source_text: caption of the source.
        signer_text: caption of the signer, None if only pictures describe it.
        metrics: by name; every name is a key of :data:`diffsign.records.metric_definitions.METRIC_DEFINITIONS`.
        series: per-frame values by name, each as long as the clip, None where undefined.
        breaks: where a parameter of the signing is not what it should be, in order of time.
        versions: of the packages that the metrics depend on.
    """

    video: str
    signer: str
    kind: str = Field(pattern="^(image|text|multimodal|unknown)$")
    family: str
    untrained: bool = False
    frames: int = Field(ge=1)
    fps: float = Field(gt=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    source_text: str | None = None
    signer_text: str | None = None
    metrics: dict[str, Metric]
    series: dict[str, list[float | None]] = {}
    breaks: list[Break] = []
    versions: dict[str, str] = {}

    def value(self, name: str) -> float | None:
        """Return a metric's value, None if it is undefined or was not measured."""
        return self.metrics[name].value if name in self.metrics else None


def metric(value: float | None, frames: int, *, reason: str = "", **details: Any) -> Metric:
    """Make a :class:`Metric`; a value that is not finite, or rests on no frame, becomes None with ``reason``.

    >>> metric(0.5, 12).value
    0.5
    >>> metric(float("nan"), 12, reason="features are not finite")
    Metric(value=None, frames=12, network=None, settings={}, reason='features are not finite')
    """
    if value is None or frames == 0 or not np.isfinite(value):
        return Metric(value=None, frames=frames, reason=reason or "not defined for this clip", **details)
    return Metric(value=float(value), frames=frames, **details)


def to_series(values: NDArray[Any]) -> list[float | None]:
    """Turn (T,) numbers into a series: rounded to 6 digits, NaN as None."""
    return [round(float(v), 6) if np.isfinite(v) else None for v in np.asarray(values, dtype=np.float64)]


def save_metrics(path: str | Path, evaluation: Evaluation) -> None:
    """Write an evaluation to JSON (format ``diffsign-metrics``).

    Raises:
        ValueError: if a metric has no definition.
    """
    unknown = set(evaluation.metrics) - set(METRIC_DEFINITIONS)
    if unknown:
        raise ValueError(f"metrics without a definition: {sorted(unknown)}")
    save_record(path, FORMAT, VERSION, evaluation.model_dump(mode="json"), indent=1)


def _of_version_1(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record of version 1 under the names of version 2."""
    record = dict(record)
    for old, new in {"figures": "metrics", "stand_in": "untrained"}.items():
        if old in record:
            record[new] = record.pop(old)
    if isinstance(record.get("metrics"), dict):
        record["metrics"] = {RENAMED_METRICS.get(name, name): value for name, value in record["metrics"].items()}
    return record


def _read(path: str | Path) -> dict[str, Any]:
    record, version = load_record(path, FORMAT, VERSION, "metrics file (from `diffsign evaluate`)")
    return _of_version_1(record) if version < 2 else record


def load_metrics(path: str | Path, *, series: bool = True) -> Evaluation:
    """Read an evaluation written by :func:`save_metrics`, of this version or the first.

    Args:
        path: the file.
        series: keep the per-frame values, which take most of the memory.

    Raises:
        DiffSignError: if the file is missing, no JSON, another record, or from a newer version.
    """
    record = _read(path)
    if not series:
        record.pop("series", None)
    try:
        return Evaluation.model_validate(record)
    except ValidationError as error:
        raise explain_validation(error, f"metrics file '{path}'", known=Evaluation.model_fields) from error


def read_names(path: str | Path) -> tuple[str, str]:
    """Return signer and video of a metrics file without checking the rest of it.

    Raises:
        DiffSignError: as :func:`load_metrics`.
    """
    record = _read(path)
    names = record.get("signer"), record.get("video")
    if not all(isinstance(name, str) for name in names):
        raise DiffSignError(f"metrics file '{path}': 'signer' or 'video' is missing; evaluate the clip again.")
    return names  # type: ignore[return-value]
