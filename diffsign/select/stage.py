"""The stage ``select``: some frames of a video's results as if they were a video of their own.

Keypoints, fit and controls are those of the whole clip, so a frame is what it would be beside its neighbours. Frames
that do not follow one another begin a shot, so nothing is carried from one to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diffsign.config.select import SelectSettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.records.clip import iter_clip, probe_clip, write_clip
from diffsign.records.keypoints import Keypoints, load_keypoints, save_keypoints
from diffsign.records.motion import Motion, load_motion, save_motion
from diffsign.records.shots import mark_cuts

#: Lossless clips of a video's folder, beside those of the controls.
CLIPS = ("clip.mkv", "avatar/color.mkv", "avatar/mask.mkv")
KEYPOINTS = ("keypoints.npz", "avatar/keypoints.npz")


@dataclass(frozen=True)
class Inputs:
    """What is selected from.

    Attributes:
        folder: of a video's results, such as ``results/videos/demo``.
        controls: names of the control clips.
    """

    folder: Path
    controls: tuple[str, ...]

    @property
    def clips(self) -> tuple[str, ...]:
        """Clips in the folder."""
        return (*CLIPS, *(f"control/{name}.mkv" for name in self.controls))


@dataclass(frozen=True)
class Outputs:
    """What is written: a folder with files of the same names, and previews of the clip and the controls.

    There is sound if all frames are selected.
    """

    folder: Path


def run(inputs: Inputs, outputs: Outputs, settings: SelectSettings, *, threads: int | None = None) -> str:
    """Write the selected frames of a video's results. ``threads`` has no effect.

    Raises:
        DiffSignError: if the clip has no such frame, or a file is missing.
    """
    info = probe_clip(inputs.folder / CLIPS[0])
    frames = settings.frames or [*range(info.frames)]
    beyond = [frame for frame in frames if frame >= info.frames]
    if beyond:
        raise DiffSignError(
            f"frames: there is no frame {beyond[0]}; '{inputs.folder / CLIPS[0]}' has {info.frames}, counted from 0."
        )
    for name in inputs.clips:
        pictures = selected_frames(iter_clip(inputs.folder / name), frames)
        target = outputs.folder / name
        shown = target.parent.name != "avatar"
        write_clip(target, pictures, info.fps, preview=target.with_suffix(".mp4") if shown else None)
    for name in KEYPOINTS:
        save_keypoints(outputs.folder / name, selected_keypoints(load_keypoints(inputs.folder / name), frames))
    save_motion(outputs.folder / "motion.npz", selected_motion(load_motion(inputs.folder / "motion.npz"), frames))
    for name in ("audio.mka", "subtitles.mks"):
        with atomic(outputs.folder / name) as temporary:
            # An empty file is how ingest says that there is none.
            kept = not settings.frames and (inputs.folder / name).exists()  # earlier versions kept no subtitles
            temporary.write_bytes((inputs.folder / name).read_bytes() if kept else b"")
    which = ", ".join(map(str, settings.frames)) or "all"
    return f"{outputs.folder}: frames {which} of {info.frames}."


def selected_frames(clip: Iterator[np.ndarray], frames: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield some pictures of a clip in their order."""
    wanted = set(frames)
    for number, picture in enumerate(clip):
        if number in wanted:
            yield picture


def jumps(frames: Sequence[int]) -> list[int]:
    """Return the places in a selection whose frame does not follow the one before: there a shot begins.

    >>> jumps([3, 4, 9])
    [2]
    """
    return [place for place in range(1, len(frames)) if frames[place] != frames[place - 1] + 1]


def selected_keypoints(keypoints: Keypoints, frames: Sequence[int]) -> Keypoints:
    """Return the keypoints of some frames, with a cut marked at every jump."""
    rows = list(frames)
    return replace(
        keypoints,
        points=keypoints.points[rows],
        world=None if keypoints.world is None else keypoints.world[rows],
        changes=mark_cuts(keypoints.changes[rows], jumps(rows)),
    )


def selected_motion(motion: Motion, frames: Sequence[int]) -> Motion:
    """Return the motion of some frames, a shot beginning at every jump."""
    rows = motion.rows(list(frames))
    starts = rows.starts.copy()
    starts[[0, *jumps(frames)]] = True
    return replace(rows, starts=starts)
