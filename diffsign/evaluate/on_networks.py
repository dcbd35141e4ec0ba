"""Metrics by networks whose weights the user brings: LPIPS and FVD, frame by frame as the clips go by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from diffsign.config.evaluate import EvaluateSettings
from diffsign.evaluate.distribution import frechet_distance
from diffsign.evaluate.i3d import LENGTH, SIZE, STEP, ClipNetwork
from diffsign.evaluate.lpips import LPIPS
from diffsign.evaluate.on_pictures import FEWEST, mean_metric, why_no_distance
from diffsign.records.metrics import Metric, metric

#: Sides of a picture below which AlexNet and VGG16 have nothing left to look at.
SMALLEST = 64
CLIPS = ("source", "result")


class PerceptualDistance:
    """LPIPS between result and source, frame by frame."""

    def __init__(self, network: LPIPS) -> None:
        self._network = network
        self._values: list[np.ndarray] = []

    def add(self, batch: Mapping[str, np.ndarray]) -> None:
        """Compare a batch: (N, H, W, 3) uint8 of source and result."""
        source, result = (batch[name] for name in CLIPS)
        small = min(source.shape[1:3]) < SMALLEST
        self._values.append(np.full(len(source), np.nan) if small else self._network.distance(source, result))

    def series(self) -> dict[str, np.ndarray]:
        """Return the distance of each frame (T,)."""
        return {"lpips": np.concatenate(self._values)}

    def metrics(self) -> dict[str, Metric]:
        """Return the mean over all frames."""
        why = f"the frames are smaller than {SMALLEST} pixels, or the network gave numbers that are not finite"
        return {"lpips": mean_metric(self.series()["lpips"], why, network=self._network.name)}


class VideoDistance:
    """FVD between result and source, over short clips as they go by."""

    def __init__(self, network: ClipNetwork) -> None:
        self._network = network
        self._held: dict[str, list[np.ndarray]] = {name: [] for name in CLIPS}
        self._features: dict[str, list[Tensor]] = {name: [] for name in CLIPS}

    def add(self, batch: Mapping[str, np.ndarray]) -> None:
        """Take a batch, (N, H, W, 3) uint8 of source and result, and look at the clips that it completes."""
        for name in CLIPS:
            held = self._held[name]
            for frame in batch[name]:
                held.append(cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))
                if len(held) == LENGTH:
                    self._features[name].append(self._network.clips(np.stack(held)[None]))
                    del held[:STEP]

    def metrics(self) -> dict[str, Metric]:
        """Return the distance; its number of frames is that of clips."""
        details: dict[str, Any] = {"network": self._network.name, "settings": {"clip": LENGTH, "step": STEP}}
        count = len(self._features["source"])
        if count < FEWEST:
            why = f"fewer than {FEWEST} clips of {LENGTH} frames"
            return {"fvd": metric(None, count, reason=why, **details)}
        source, result = (torch.cat(self._features[name]) for name in CLIPS)
        why = why_no_distance(source, result)
        return {"fvd": metric(None if why else frechet_distance(source, result), count, reason=why, **details)}


def perceptual_distance(settings: EvaluateSettings) -> PerceptualDistance | None:
    """Return what measures LPIPS, None without weights."""
    return None if settings.lpips_weights is None else PerceptualDistance(LPIPS(settings.lpips_weights))


def video_distance(settings: EvaluateSettings) -> VideoDistance | None:
    """Return what measures FVD, None without weights."""
    return None if settings.fvd_weights is None else VideoDistance(ClipNetwork(settings.fvd_weights))


def without_weights(name: str) -> dict[str, Metric]:
    """Return the metric ``name`` without a value: no weights were given."""
    return {name: metric(None, 0, reason=f"no file of its network is given ({name}_weights)")}
