"""The folder of frames that training draws from, a shard a signer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from diffsign.body.model import Body
from diffsign.config.training import TrainDataSettings
from diffsign.progress import track
from diffsign.records.motion import Motion
from diffsign.training.data import save_shard
from diffsign.training.shards import make_shard, retarget


class Performed(Protocol):
    """What somebody signed: ``rotvecs`` (T, 55, 3) radians and facial ``actions`` (T, 52)."""

    @property
    def rotvecs(self) -> np.ndarray:
        """Rotations of SMPL-X's joints."""
        ...

    @property
    def actions(self) -> np.ndarray:
        """Facial actions."""
        ...


def write_frames(
    folder: Path,
    body: Body,
    settings: TrainDataSettings,
    perform: Callable[[int], Performed],
    skeletons: Callable[[Motion], Iterable[np.ndarray]],
) -> int:
    """Write the frames of every signer that is not there yet.

    Args:
        folder: of the shards.
        body: the body file.
        settings: how many signers and frames.
        perform: lets the signer of a seed sign.
        skeletons: draws the pose pictures (512, 512, 3) uint8 of a motion.

    Returns:
        How many signers the folder holds now.
    """
    for seed in track(range(settings.seed, settings.seed + settings.people), "signers"):
        shard = folder / f"shard-{seed:05d}"
        if not shard.exists():
            performed = perform(seed)
            shot = retarget(body, performed.rotvecs, performed.actions, settings.frames, seed)
            save_shard(shard, make_shard(body, shot, skeletons(shot.motion)))
    return len(list(folder.glob("shard-*")))
