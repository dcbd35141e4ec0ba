"""The figures of one clip by one signer: what was measured, on how many frames, with which network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffsign.errors import DiffSignError, explain_validation
from diffsign.files import atomic, require_file
from diffsign.records.metric_definitions import DEFINITIONS

FORMAT = "diffsign-metrics"
VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Figure(_Record):
    """One figure: its value, or why there is none.

    Attributes:
        value: in the unit of its :class:`~diffsign.records.metric_definitions.Definition`; None if it is not defined.
        frames: how many frames (or pairs of frames) it rests on.
        network: the network that it depends on, None if none.
        settings: whatever else changes it.
        reason: why the value is None.
    """

    value: float | None = None
    frames: int = Field(0, ge=0)
    network: str | None = None
    settings: dict[str, str | int | float | bool | None] = {}
    reason: str | None = None


class Metrics(_Record):
    """All figures of one clip by one signer.

    Attributes:
        video: name of the source video.
        signer: name of the synthetic signer.
        kind: what described the signer: a picture (image), words (text) or both (multimodal).
        family: name of the diffusion family.
        stand_in: the family is not trained far enough to be judged by its pictures.
        frames: length of the clips.
        fps: frames per second.
        width: width of the source in pixels; other clips were brought to its size.
        height: height of the source in pixels.
        source_text: caption of the source.
        signer_text: caption of the signer, None if only pictures describe it.
        figures: by name; every name is a key of :data:`diffsign.records.metric_definitions.DEFINITIONS`.
        series: per-frame values by name, each as long as the clip, None where undefined.
        versions: of the packages that the figures depend on.
    """

    video: str
    signer: str
    kind: str = Field(pattern="^(image|text|multimodal|unknown)$")
    family: str
    stand_in: bool = False
    frames: int = Field(ge=1)
    fps: float = Field(gt=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    source_text: str | None = None
    signer_text: str | None = None
    figures: dict[str, Figure]
    series: dict[str, list[float | None]] = {}
    versions: dict[str, str] = {}

    def value(self, name: str) -> float | None:
        """Return a figure's value, None if it is undefined or was not measured."""
        return self.figures[name].value if name in self.figures else None


def figure(value: float | None, frames: int, *, reason: str = "", **details: object) -> Figure:
    """Make a :class:`Figure`; a value that is not finite, or rests on no frame, becomes None with ``reason``."""
    if value is None or frames == 0 or not np.isfinite(value):
        return Figure(value=None, frames=frames, reason=reason or "not defined for this clip", **details)  # type: ignore[arg-type]
    return Figure(value=float(value), frames=frames, **details)  # type: ignore[arg-type]


def to_series(values: np.ndarray) -> list[float | None]:
    """Turn (T,) numbers into a series: rounded to 6 digits, NaN as None."""
    return [round(float(v), 6) if np.isfinite(v) else None for v in np.asarray(values, dtype=np.float64)]


def save_metrics(path: str | Path, metrics: Metrics) -> None:
    """Write metrics to JSON (format ``diffsign-metrics``).

    Raises:
        ValueError: if a figure has no definition.
    """
    unknown = set(metrics.figures) - set(DEFINITIONS)
    if unknown:
        raise ValueError(f"figures without a definition: {sorted(unknown)}")
    record = {"format": FORMAT, "version": VERSION} | metrics.model_dump(mode="json")
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def load_metrics(path: str | Path) -> Metrics:
    """Read metrics written by :func:`save_metrics`.

    Raises:
        DiffSignError: if the file is missing, no JSON, another record, or from a newer version.
    """
    path = require_file(path, "metrics file")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DiffSignError(f"'{path}' is not a metrics file (JSON of `diffsign evaluate`): {error}.") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format", "no format key") if isinstance(record, dict) else type(record).__name__
        raise DiffSignError(f"'{path}' holds '{found}', but the JSON of `diffsign evaluate` ('{FORMAT}') was expected.")
    version = record.pop("version", 0)
    if not isinstance(version, int) or version > VERSION:
        raise DiffSignError(
            f"'{path}' has {FORMAT} version {version}, newer than {VERSION}, which this DiffSign reads; update it."
        )
    del record["format"]
    try:
        return Metrics.model_validate(record)
    except ValidationError as error:
        raise explain_validation(error, f"metrics file '{path}'", known=Metrics.model_fields) from error
