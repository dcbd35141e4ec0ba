"""Sweeps and samples: the rows of signers that one row of the sheet stands for.

``sweep: {ip_adapter_scale: [0.4, 0.6]}`` generates every signer once for each value, ``samples: 3`` three times with
successive seeds. Each is a signer of its own, with an id that says what it is: ``both-ip_adapter_scale-0_4-2``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from diffsign.config.settings import parse
from diffsign.errors import DiffSignError, nearest

if TYPE_CHECKING:
    from diffsign.config.sheets import SignerRow

#: Columns of the sheet of signers that a sweep may set.
SWEPT = ("family", "preset", "steps", "guidance_scale", "ip_adapter_scale", "controls", "seed", "background")

#: A sweep: values of each column, as a list or by a label for each.
Sweep = Mapping[str, list[Any] | dict[str, Any]]


def check_sweep(sweep: Sweep) -> None:
    """Raise :class:`DiffSignError` if a sweep sets something else than :data:`SWEPT`, or has no values."""
    for column, values in sweep.items():
        if column not in SWEPT:
            raise DiffSignError(
                f"sweep: '{column}' cannot be swept{nearest(column, SWEPT)}; there are {', '.join(SWEPT)}."
            )
        if not values:
            raise DiffSignError(f"sweep: '{column}' has no values; give a list, such as [0.4, 0.6].")


def label_of(value: Any) -> str:
    """Return what stands for a value in an id.

    >>> label_of(0.4), label_of({"pose": 1.0, "canny": 0.0}), label_of("sd15-plus")
    ('0_4', 'pose', 'sd15-plus')
    """
    if isinstance(value, Mapping):
        scales = cast("Mapping[str, float]", value)
        parts = [name if scale == 1 else f"{name}{scale:g}" for name, scale in scales.items() if scale]
        value = "_".join(parts)
    return re.sub(r"[^A-Za-z0-9_-]", "_", f"{value:g}" if isinstance(value, float) else str(value))


def _labelled(values: list[Any] | dict[str, Any]) -> list[tuple[str, Any]]:
    return list(values.items()) if isinstance(values, dict) else [(label_of(value), value) for value in values]


def variants(row: SignerRow, sweep: Sweep, samples: int, seed: int, where: str) -> Iterator[SignerRow]:
    """Yield the signers that a row stands for.

    Args:
        row: of the sheet. A column that the row itself sets is not swept; ``ip_adapter_scale`` only where there are
            reference pictures.
        sweep: values by column.
        samples: how many of each, unless the row says.
        seed: of the first sample, unless the row says; the others follow.
        where: sheet and signer, for errors.
    """
    applied = {
        column: _labelled(values)
        for column, values in sweep.items()
        if getattr(row, column) is None and (column != "ip_adapter_scale" or row.image)
    }
    count = row.samples or samples
    for choice in itertools.product(*applied.values()):
        labels = [f"{column}-{label}" for column, (label, _) in zip(applied, choice, strict=True)]
        changes = {column: value for column, (_, value) in zip(applied, choice, strict=True)}
        for number in range(count):
            name = "-".join([row.signer, *labels, *([str(number + 1)] if count > 1 else [])])
            values = {**row.model_dump(exclude_unset=True), **changes, "signer": name}
            if count > 1:
                values["seed"] = (changes.get("seed") or row.seed or seed) + number
            yield parse(type(row), values, where)
