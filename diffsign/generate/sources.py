"""The control clips that a run reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from diffsign.config.family import ControlName
from diffsign.errors import DiffSignError
from diffsign.generate.windows import Window
from diffsign.records.clip import ClipInfo, probe_clip


def check_controls(
    given: Mapping[ControlName, Path], chosen: Mapping[ControlName, float]
) -> tuple[dict[ControlName, Path], ClipInfo]:
    """Return the clip of every chosen control, and what they have in common.

    Args:
        given: clips by control; more than are chosen are passed over.
        chosen: controls with their scales.

    Raises:
        DiffSignError: if a chosen control has no clip, or the clips differ in size, rate or length.
    """
    for name in chosen:
        if name not in given:
            raise DiffSignError(f"the family follows the control {name}: give its clip with --{name}, or its scale 0.")
    clips: dict[ControlName, Path] = {name: given[name] for name in chosen}
    infos = {name: probe_clip(path) for name, path in clips.items()}
    names = list(infos)
    for name in names[1:]:
        if infos[name] != infos[names[0]]:
            raise DiffSignError(
                f"the control clips do not match: {names[0]} is {_described(infos[names[0]])}, "
                f"{name} {_described(infos[name])}; make them again from one rendering."
            )
    return clips, infos[names[0]]


def _described(info: ClipInfo) -> str:
    return f"{info.width}×{info.height}, {info.frames} frames at {info.fps:g}/s"


def read_windows(
    clips: Mapping[str, Iterable[np.ndarray]], windows: Sequence[Window]
) -> Iterator[dict[str, list[np.ndarray]]]:
    """Yield, for each window in turn, the pictures of its frames, reading every clip once.

    A picture is kept only while a later window needs it.

    Args:
        clips: the whole control clips, (H, W, 3) uint8 a frame.
        windows: in the order of the clip.

    Raises:
        DiffSignError: naming a clip that ends early.
    """
    last_use = {frame: index for index, window in enumerate(windows) for frame in window.frames}
    streams = {name: enumerate(clip) for name, clip in clips.items()}
    kept: dict[str, dict[int, np.ndarray]] = {name: {} for name in clips}
    for index, window in enumerate(windows):
        for name, stream in streams.items():
            while not kept[name].keys() >= set(window.frames):
                number, picture = next(stream, (None, None))
                if number is None or picture is None:
                    raise DiffSignError(f"the {name} clip ends before frame {max(window.frames) + 1}; make it again.")
                if number in last_use:
                    kept[name][number] = picture
        yield {name: [pictures[frame] for frame in window.frames] for name, pictures in kept.items()}
        for pictures in kept.values():
            for frame in [frame for frame in pictures if last_use[frame] <= index]:
                del pictures[frame]
