"""The wall behind the synthetic signer."""

from __future__ import annotations

import cv2
import numpy as np

from diffsign.config.appearance import Appearance
from diffsign.config.colour import parse_colour


def backdrop(appearance: Appearance, width: int, height: int, seed: int) -> np.ndarray:
    """Return a wall (H, W, 3) uint8 sRGB of the background's colour, lit from one side, not quite even."""
    rng = np.random.default_rng([seed, 23])
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    angle = rng.uniform(-0.9, 0.9)
    light = 1.0 + 0.07 * (np.sin(angle) * x - np.cos(angle) * y) - 0.08 * (x**2 + y**2) / 2
    stains = cv2.resize(rng.normal(size=(6, 6)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    shade = (light + 0.012 * stains)[..., None] * (255 * np.array(parse_colour(appearance.background)))
    return np.clip(np.rint(shade), 0, 255).astype(np.uint8)
