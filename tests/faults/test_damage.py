"""Whatever happens to the bytes of a file, reading it gives the right answer or a DiffSignError, and nothing else.

A few damaged files of each kind are read in every run, and
``DIFFSIGN_FAULTS=7000 pytest tests/faults/test_damage.py`` reads
7,000 of each.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from diffsign.errors import DiffSignError


@dataclasses.dataclass(frozen=True)
class Damage:
    """Bits flipped, bytes put in, or the end cut off; places are shares of the file's length."""

    flips: list[tuple[float, int]]
    insert: tuple[float, bytes] | None
    cut: float | None

    def apply(self, content: bytes) -> bytes:
        changed = bytearray(content)
        for place, bit in self.flips:
            changed[int(place * (len(changed) - 1))] ^= 1 << bit
        if self.insert is not None:
            at = int(self.insert[0] * len(changed))
            changed[at:at] = self.insert[1]
        return bytes(changed if self.cut is None else changed[: int(self.cut * len(changed))])


SHARE = st.floats(0, 1)
DAMAGES = st.builds(
    Damage,
    flips=st.lists(st.tuples(SHARE, st.integers(0, 7)), min_size=1, max_size=4),
    insert=st.none() | st.tuples(SHARE, st.binary(min_size=1, max_size=8)),
    cut=st.none() | SHARE,
) | st.builds(
    Damage, flips=st.lists(st.tuples(SHARE, st.integers(0, 7)), min_size=1, max_size=1), insert=st.none(), cut=st.none()
)


def same(one: Any, other: Any) -> bool:
    """Tell whether two records are equal, arrays and tensors inside them included."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.fixture
def whole(kind, tmp_path: Path) -> tuple[Path, bytes, Any]:
    """Path, content and what is read of a whole file."""
    path = tmp_path / kind.name
    kind.write(path)
    return path, path.read_bytes(), kind.read(path)


def test_the_right_answer_or_our_error(kind, whole) -> None:
    path, content, answer = whole

    usual = hypothesis.settings.get_profile("faults")

    @hypothesis.settings(usual, max_examples=max(1, round(usual.max_examples * kind.share)))
    @hypothesis.given(damage=DAMAGES)
    def read(damage: Damage) -> None:
        path.write_bytes(damage.apply(content))
        try:
            found = kind.read(path)
        except DiffSignError as error:
            assert path.name in str(error)
        else:
            assert not kind.exact or same(answer, found)

    read()
