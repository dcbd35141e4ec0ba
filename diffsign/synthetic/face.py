"""What the face does during a phrase: brows, mouth pictures, gaze, blinks."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from diffsign.synthetic.lexicon import FACES, MOUTHS
from diffsign.synthetic.phrase import Placed

#: Seconds over which an expression comes and goes.
ONSET = 0.07
MOUTHING = 0.045


def facial_tracks(
    phrase: list[Placed], times: np.ndarray, fps: float, actions: list[str], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return facial actions (T, len(actions)) in [0, 1] and the opening of the jaw (T,) in degrees."""
    track = {name: np.zeros(len(times)) for name in (*actions, "jaw")}

    def add(values: dict[str, float], on: np.ndarray, width: float) -> None:
        weight = gaussian_filter1d(on.astype(float), max(width * fps, 1e-3), mode="nearest")
        for name, value in values.items():
            track[name] += value * weight

    for before, p in zip([None, *phrase], phrase, strict=False):
        # An expression spans its sign and the way to it.
        start = p.start if before is None else (before.end + p.start) / 2
        add(FACES[p.face], (times >= start - 0.05) & (times <= p.end + 0.05), ONSET)
        edges = np.linspace(p.start, p.end, len(p.sign.mouth) + 1)
        for name, low, high in zip(p.sign.mouth, edges, edges[1:], strict=False):
            add(MOUTHS[name], (times >= low) & (times < high), MOUTHING)
    blink, end = rng.uniform(0.3, 1.5), times[-1]
    while blink < end:
        closed = np.exp(-0.5 * ((times - blink) / 0.05) ** 2)
        for name in ("eyeBlinkLeft", "eyeBlinkRight"):
            track[name] += closed
        blink += rng.uniform(1.5, 4.0)
    return np.stack([np.clip(track[name], 0, 1) for name in actions], axis=1), track["jaw"]
