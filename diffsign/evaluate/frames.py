"""One pass over the clips of a result: what has to be measured on pixels."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from diffsign.errors import DiffSignError
from diffsign.evaluate.distribution import RELEASED_FRAMES, as_released
from diffsign.evaluate.flicker import estimate_warp, shrink, warping_error
from diffsign.evaluate.networks import CLIPEncoder, FrameNetwork
from diffsign.evaluate.ssim import ssim, ssim_uniform, to_grey
from diffsign.progress import track
from diffsign.records.clip import iter_clip, probe_clip

#: The clips of one result that are looked at.
ROLES = ("source", "avatar", "result")


@dataclass(frozen=True)
class Measured:
    """What the pass over the frames gives. T frames; the first of values on successive frames is NaN.

    Attributes:
        ssim: (T,) SSIM with the frame before, for source, avatar and result.
        ssim_border: the same with the picture mirrored at its border.
        ssim_first: (T,) SSIM of the result with its first frame, as the released code measured it.
        embeddings: (T, D) CLIP embeddings of source and result; empty without a CLIP.
        features: (T, F) features for FID of source and result; empty without a network.
        features_released: the same of the frames that the released code's network saw.
        warping: (T,) warping errors: avatar, result, and background of the result.
        kept: by frame number, the frames (H, W, 3) of source, avatar and result that were asked for.
    """

    ssim: dict[str, np.ndarray]
    ssim_border: dict[str, np.ndarray]
    ssim_first: np.ndarray
    embeddings: dict[str, Tensor]
    features: dict[str, Tensor]
    features_released: dict[str, Tensor]
    warping: dict[str, np.ndarray]
    kept: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)

    def within_shots(self, starts: np.ndarray) -> Measured:
        """Return a copy without the values of frames that begin a shot (T,): the frame before is of another one."""
        ssim, border, warping = (
            {name: np.where(starts, np.nan, values) for name, values in series.items()}
            for series in (self.ssim, self.ssim_border, self.warping)
        )
        return replace(self, ssim=ssim, ssim_border=border, warping=warping)


def _fit(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    if frame.shape[:2] == (height, width):
        return frame
    shrinks = frame.shape[0] * frame.shape[1] > width * height
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def aligned(paths: Mapping[str, Path]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the clips' frames together, each (H, W, 3) uint8 in the size of the first clip.

    Raises:
        DiffSignError: naming two clips of different length.
    """
    first = next(iter(paths))
    info = probe_clip(paths[first])
    streams = [iter_clip(path) for path in paths.values()]
    counts = dict.fromkeys(paths, 0)
    for frames in zip_longest(*streams):
        together = dict(zip(paths, frames, strict=True))
        for name, frame in together.items():
            counts[name] += frame is not None
        if len(set(counts.values())) == 1:
            yield {name: _fit(frame, info.width, info.height) for name, frame in together.items()}
    other = next((name for name in paths if counts[name] != counts[first]), None)
    if other is not None:
        raise DiffSignError(
            f"clips of one result must be equally long, but the {first} '{paths[first]}' has {counts[first]} frames "
            f"and the {other} '{paths[other]}' has {counts[other]}; make the shorter one again."
        )
    if counts[first] == 0:
        raise DiffSignError(f"clip '{paths[first]}' holds no frames; make it again.")


def _batches(frames: Iterator[dict[str, np.ndarray]], size: int) -> Iterator[dict[str, np.ndarray]]:
    batch: list[dict[str, np.ndarray]] = []
    for together in frames:
        batch.append(together)
        if len(batch) == size:
            yield {name: np.stack([frame[name] for frame in batch]) for name in batch[0]}
            batch = []
    if batch:
        yield {name: np.stack([frame[name] for frame in batch]) for name in batch[0]}


def _keeping(
    frames: Iterator[dict[str, np.ndarray]], keep: Container[int], kept: dict[int, dict[str, np.ndarray]]
) -> Iterator[dict[str, np.ndarray]]:
    for number, together in enumerate(frames):
        if number in keep:
            kept[number] = {role: together[role] for role in ROLES}
        yield together


def _joined(batches: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat(values) for name, values in batches.items() if values}


class Watcher(Protocol):
    """What looks at the frames as they go by."""

    def add(self, batch: dict[str, np.ndarray]) -> None:
        """Look at a batch: (N, H, W, 3) uint8 of each clip, in the size of the first."""
        ...


class _SSIM:
    """SSIM of successive frames of each clip, and of the result with its first frame, frame by frame."""

    def __init__(self) -> None:
        self.standard: dict[str, list[float]] = {role: [] for role in ROLES}
        self.border: dict[str, list[float]] = {role: [] for role in ROLES}
        self.first: list[float] = []
        self._before: dict[str, np.ndarray] = {}
        self._first: np.ndarray | None = None

    def add(self, role: str, frames: np.ndarray) -> None:
        """Compare each frame of a clip (N, H, W, 3) with the one before."""
        for grey in to_grey(frames):
            self._add(role, grey)

    def _add(self, role: str, grey: np.ndarray) -> None:
        before = self._before.get(role)
        pair = (float("nan"), float("nan")) if before is None else ssim(before, grey)
        self.standard[role].append(pair[0])
        self.border[role].append(pair[1])
        self._before[role] = grey
        if role == "result":
            self.first.append(float("nan") if self._first is None else ssim_uniform(self._first, grey))
            self._first = grey if self._first is None else self._first


class _WarpingErrors:
    """Flicker of avatar and result along the avatar's movement, frame by frame."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {"avatar": [], "result": [], "background": []}
        self._before: dict[str, np.ndarray] | None = None

    def add(self, batch: dict[str, np.ndarray]) -> None:
        """Compare each frame of avatar, result and mask (N, H, W, 3) with the one before."""
        for frames in zip(*(batch[name] for name in ("avatar", "result", "mask")), strict=True):
            self._add(*map(shrink, frames))

    def _add(self, avatar: np.ndarray, result: np.ndarray, mask: np.ndarray) -> None:
        now = {"avatar": avatar, "result": result, "mask": mask}
        before, self._before = self._before, now
        if before is None:
            for values in self.values.values():
                values.append(float("nan"))
            return
        warp = estimate_warp(*(cv2.cvtColor(f["avatar"], cv2.COLOR_RGB2GRAY) for f in (before, now)))
        inside = now["mask"][..., 0] > 127
        outside = ~(inside | (before["mask"][..., 0] > 127))
        self.values["avatar"].append(warping_error(before["avatar"], now["avatar"], warp, inside))
        self.values["result"].append(warping_error(before["result"], now["result"], warp, inside))
        self.values["background"].append(warping_error(before["result"], now["result"], warp, outside))


class _Networks:
    """Embeddings and features of source and result, batch by batch."""

    def __init__(self, clip: CLIPEncoder | None, network: FrameNetwork | None) -> None:
        self._clip, self._network = clip, network
        self._done = 0
        names = ("source", "result")
        self.embeddings: dict[str, list[Tensor]] = {name: [] for name in names}
        self.features: dict[str, list[Tensor]] = {name: [] for name in names}
        self.released: dict[str, list[Tensor]] = {name: [] for name in names}

    def add(self, batch: dict[str, np.ndarray]) -> None:
        """Embed a batch: (N, H, W, 3) of source and result."""
        clip, network = self._clip, self._network
        for name in self.embeddings:
            if clip is not None:
                self.embeddings[name].append(clip.frames(batch[name]))
            if network is None:
                continue
            self.features[name].append(self.embeddings[name][-1] if network is clip else network.frames(batch[name]))
            if self._done < RELEASED_FRAMES:
                self.released[name].append(network.frames(as_released(batch[name][: RELEASED_FRAMES - self._done])))
        self._done += len(batch["source"])


def measure(
    paths: Mapping[str, Path],
    clip: CLIPEncoder | None,
    network: FrameNetwork | None,
    *,
    batch_size: int,
    flow: bool,
    expected: int,
    keep: Container[int] = (),
    watchers: Sequence[Watcher] = (),
    threads: int = 1,
) -> Measured:
    """Go once through source, avatar, result and mask, in memory for one batch of frames.

    Measurements on a batch are made side by side, each on one thread, and do not depend on how many there are.

    Args:
        paths: the clips ``source``, ``avatar``, ``result`` and, with ``flow``, ``mask``.
        clip: embeds frames for the similarities; None leaves them out.
        network: gives the features for FID; None leaves it out.
        batch_size: frames that a network takes at once.
        flow: measure warping errors.
        expected: number of frames, for the progress bar.
        keep: numbers of the frames to return as they are.
        watchers: what else looks at every batch.
        threads: measurements at a time.
    """
    similarity, networks, warping = _SSIM(), _Networks(clip, network), _WarpingErrors()
    kept: dict[int, dict[str, np.ndarray]] = {}
    batches = _batches(_keeping(aligned(paths), keep, kept), batch_size)
    # The longest first.
    measurements: list[Callable[[dict[str, np.ndarray]], None]] = [warping.add] if flow else []
    measurements += [
        networks.add,
        *(lambda batch, role=role: similarity.add(role, batch[role]) for role in ROLES[::-1]),
    ]
    measurements += [watcher.add for watcher in watchers]
    with ThreadPoolExecutor(threads) as pool:
        for batch in track(batches, "measuring frames", total=-(-expected // batch_size)):
            running = [pool.submit(measurement, batch) for measurement in measurements]
            for measured in running:
                measured.result()
    return Measured(
        ssim={name: np.array(values) for name, values in similarity.standard.items()},
        ssim_border={name: np.array(values) for name, values in similarity.border.items()},
        ssim_first=np.array(similarity.first),
        embeddings=_joined(networks.embeddings),
        features=_joined(networks.features),
        features_released=_joined(networks.released),
        warping={name: np.array(values) for name, values in warping.values.items()} if flow else {},
        kept=kept,
    )
