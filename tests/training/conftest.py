"""A made-up frame that needs no body."""

import numpy as np
import pytest

from diffsign.training.gbuffer import FINE, LABELS, GBuffer


def make_plain_gbuffer(seed=0):
    """A made-up frame: every label a block of its own, evenly lit."""
    label = np.zeros((FINE, FINE), np.uint8)
    cell = FINE // 4
    for number in range(len(LABELS)):
        y, x = divmod(number, 4)
        label[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell] = number
    rng = np.random.default_rng(seed)
    return GBuffer(
        label=label,
        light=np.full((FINE, FINE), 180, np.uint8),
        pose=rng.integers(0, 256, (256, 256, 3), dtype=np.uint8),
        canny=rng.integers(0, 256, (256, 256), dtype=np.uint8),
        depth=rng.integers(0, 256, (256, 256), dtype=np.uint8),
        focus=np.array([[40, 60], [200, 100], [np.nan, np.nan]], np.float32),
    )


@pytest.fixture(scope="session")
def plain_gbuffer():
    return make_plain_gbuffer
