"""Which frames of a clip are denoised together, and what each contributes to the result.

Windows are cut from the whole clip, never from a chunk, so that a frame has the same pixels in any chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

#: Frames that a motion module denoises together, and how many of them the next window has again. AnimateDiff's were
#: trained on 16 frames.
MOTION_CONTEXT, MOTION_OVERLAP = 16, 4


@dataclass(frozen=True)
class Window:
    """Frames that are denoised together.

    Attributes:
        frames: their numbers in the clip.
        shares: how much of each frame's result is this window's, from 0 (only looked at by the others) to 1. Over all
            windows the shares of a frame sum to 1.
        attended: (N, 3) int64, for each frame the places in ``frames`` of the frames that its self-attention sees;
            None where each sees itself alone.
    """

    frames: tuple[int, ...]
    shares: tuple[float, ...]
    attended: np.ndarray | None = None

    @property
    def kept(self) -> list[int]:
        """Numbers of the frames that this window has a share in."""
        return [frame for frame, share in zip(self.frames, self.shares, strict=True) if share > 0]


def batch_windows(total: int, size: int) -> list[Window]:
    """Cut ``total`` frames into batches of ``size``, each frame on its own in its batch."""
    ranges = [range(start, min(start + size, total)) for start in range(0, total, size)]
    return [Window(tuple(frames), (1.0,) * len(frames)) for frames in ranges]


def key_frame_of(frame: int, every: int) -> int:
    """Return the key frame that ``frame`` looks at: the last one before it, and the first frame for key frames.

    Key frames look at the first frame only, so that no frame's pixels hang on a chain through the whole clip.
    """
    return 0 if frame % every == 0 else frame // every * every


def keyed_windows(total: int, size: int, every: int) -> list[Window]:
    """Cut into batches in which each frame sees itself, the clip's first frame, and its key frame.

    The frames looked at that are not in the batch are denoised again with it; their result is not kept.

    Args:
        total: frames of the clip.
        size: frames of a batch, those not counted that come along.
        every: distance of the key frames, in frames.
    """
    windows = []
    for batch in batch_windows(total, size):
        attended_to = {0, *(key_frame_of(frame, every) for frame in batch.frames)}
        extra = sorted(attended_to - set(batch.frames))
        frames = (*extra, *batch.frames)
        place = {frame: index for index, frame in enumerate(frames)}
        attended = [(place[frame], place[0], place[key_frame_of(frame, every)]) for frame in frames]
        shares = (0.0,) * len(extra) + batch.shares
        windows.append(Window(frames, shares, np.array(attended, dtype=np.int64)))
    return windows


def overlapping_windows(total: int, size: int = MOTION_CONTEXT, overlap: int = MOTION_OVERLAP) -> list[Window]:
    """Cut into windows of ``size`` that cross-fade where they overlap.

    The last one is moved back to be full, so it may overlap more.
    """
    size = min(size, total)
    starts = list(range(0, total - size, max(1, size - overlap)))
    starts.append(total - size)
    shares = np.zeros((len(starts), total))
    for index, start in enumerate(starts):
        shares[index, start : start + size] = 1.0
        if index:
            before = shares[index - 1]
            shared = np.flatnonzero((before > 0) & (shares[index] > 0))
            shares[index, shared] = before[shared] * np.arange(1, len(shared) + 1) / (len(shared) + 1)
            before[shared] -= shares[index, shared]
    return [
        Window(tuple(range(start, start + size)), tuple(shares[index, start : start + size].tolist()))
        for index, start in enumerate(starts)
    ]


class CrossFade:
    """Sums up what windows contribute to each frame, and gives a frame when no later window has a share in it.

    Args:
        windows: in the order in which they are added.
        wanted: frames that are given; others are dropped.
    """

    def __init__(self, windows: Sequence[Window], wanted: range) -> None:
        self.wanted = set(wanted)
        self.last = {frame: index for index, window in enumerate(windows) for frame in window.kept}
        self.sums: dict[int, np.ndarray] = {}
        self.added = 0

    def add(self, window: Window, pictures: np.ndarray) -> Iterator[np.ndarray]:
        """Add a window's pictures (N, H, W, 3) float32; yield the frames (H, W, 3) that are now complete, in order."""
        for frame, share, picture in zip(window.frames, window.shares, pictures, strict=True):
            if share > 0 and frame in self.wanted:
                self.sums[frame] = self.sums.get(frame, 0.0) + np.float32(share) * picture
        complete = sorted(frame for frame in self.sums if self.last[frame] == self.added)
        self.added += 1
        for frame in complete:
            yield self.sums.pop(frame)
