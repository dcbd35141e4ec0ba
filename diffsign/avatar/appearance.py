"""Appearances drawn at random: plausible colours of skin, hair, eyes and clothes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffsign.config.appearance import Appearance

SKINS = ("#f2cdb1", "#e8b996", "#d8a481", "#c68d66", "#a9704b", "#8a5637", "#6b412a", "#4f2f20")
HAIRS = ("#16110f", "#2b1c14", "#3b2618", "#5a3a22", "#7c5431", "#a77b48", "#c9a56a", "#8a3b1e", "#8d8a87")
IRISES = ("#3b2616", "#5a3d22", "#6d5a2e", "#55703f", "#4d7590", "#7b8a93")
SHIRTS = (
    *("#28405e", "#1f1f24", "#7a1f2b", "#1f5a4a", "#5b3a73", "#c9c4b8", "#8b8f96", "#d8a531", "#c4572e", "#3b7ea1"),
    *("#e8e6e1", "#24384a", "#6f7d3a", "#b24d6f"),
)
TROUSERS = ("#3c3f46", "#22262e", "#2f4261", "#5b4b3a", "#7b7468")
BACKGROUNDS = ("#b9c2c9", "#8fa3ad", "#d9d4c8", "#6e7f88", "#46545e", "#a9b7a3", "#c7b8a8", "#5d6b8a", "#e4e4e2")


def _shade(colour: str, factor: Sequence[float] | np.ndarray) -> str:
    values = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(min(255, max(0, v * f))):02x}" for v, f in zip(values, factor, strict=True))


def random_appearance(seed: int) -> Appearance:
    """Return a plausible appearance, always the same for a seed; the shirt is never near the skin's colour."""
    rng = np.random.default_rng(seed)

    def pick(options: Sequence[str]) -> str:
        return str(options[rng.integers(len(options))])

    def vary(colour: str) -> str:
        return _shade(colour, 1 + 0.08 * rng.uniform(-1, 1, 3))

    skin = vary(pick(SKINS))
    dark_skin = int(skin[3:5], 16) < 0x80
    hair = pick(HAIRS[:3] if dark_skin else HAIRS)
    tone = np.array([int(skin[i : i + 2], 16) for i in (1, 3, 5)])
    shirts = [c for c in SHIRTS if np.abs(np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) - tone).sum() > 160]
    return Appearance(
        skin=skin,
        shirt=vary(pick(shirts)),
        sleeves=pick(("short", "three-quarter", "long", "long")),  # type: ignore[arg-type]
        neckline=pick(("crew", "v")),  # type: ignore[arg-type]
        trousers=pick(TROUSERS),
        hair=hair,
        hair_style=pick(("short", "short", "bob", "long", "bun", "bald")),  # type: ignore[arg-type]
        iris=pick(IRISES[:2] if dark_skin else IRISES),
        lips=_shade(skin, (0.86, 0.62, 0.62)),
        brows=_shade(hair, (0.8, 0.8, 0.8)),
        background=vary(pick(BACKGROUNDS)),
    )
