"""How metres are kept in a depth clip: 16-bit grey, whole millimetres along the camera's axis, 0 for background."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

UNITS_PER_METRE = 1000
FARTHEST = 65535 / UNITS_PER_METRE


def encode_depth(metres: NDArray[Any]) -> NDArray[Any]:
    """Return metres (…) as uint16 millimetres; what is not finite, not positive or beyond 65.535 m becomes 0."""
    representable = np.isfinite(metres) & (metres > 0) & (metres <= FARTHEST)
    return np.where(representable, np.round(np.where(representable, metres, 0) * UNITS_PER_METRE).clip(1), 0).astype(
        np.uint16
    )


def decode_depth(stored: NDArray[Any]) -> NDArray[Any]:
    """Return a frame of a depth clip (…) uint16 as float32 metres; background is infinite."""
    return np.where(stored > 0, stored.astype(np.float32) / UNITS_PER_METRE, np.float32(np.inf))
