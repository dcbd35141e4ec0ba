"""The command ``generate``: the frames of a signer for a clip, or for one chunk of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.config.family import ControlName
from diffsign.config.generate import GenerateSettings
from diffsign.generate.avatar import Avatar, load_avatar
from diffsign.generate.background import backdrop, before_background, require_mask
from diffsign.generate.chunks import chunk_range, parse_chunk
from diffsign.generate.generator import Generator, require_avatar
from diffsign.generate.plan import plan_signer
from diffsign.generate.sizing import Sizing, chosen_size
from diffsign.generate.sources import check_controls
from diffsign.models.device import use_threads
from diffsign.progress import track
from diffsign.records.clip import ClipInfo, iter_clip, write_clip
from diffsign.records.conditioning import Conditioning, load_conditioning
from diffsign.records.manifest import Manifest, load_manifest


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        manifest: of the model family.
        conditioning: who signs.
        pose: clip of skeletons.
        canny: clip of edges.
        depth: clip of depth.
        motion: of the avatar, for noise on its surface and for details.
        body: that the motion was fitted with.
        mask: of the avatar, for a background and for reference pictures of a region.
        chunk: which part of the clip, as ``1-of-4``.
    """

    manifest: Path
    conditioning: Path
    pose: Path | None = None
    canny: Path | None = None
    depth: Path | None = None
    motion: Path | None = None
    body: Path | None = None
    mask: Path | None = None
    chunk: str = "1-of-1"

    @property
    def controls(self) -> dict[ControlName, Path]:
        """The control clips that are given."""
        clips: dict[ControlName, Path | None] = {"pose": self.pose, "canny": self.canny, "depth": self.depth}
        return {name: path for name, path in clips.items() if path is not None}


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        clip: the frames; of a chunk beyond the clip's frames a single black one, which ``join`` passes over.
        preview: an ``.mp4`` to look at.
    """

    clip: Path
    preview: Path | None = None


def run(inputs: Inputs, outputs: Outputs, settings: GenerateSettings, *, threads: int | None = None) -> str:
    """Generate the signer's frames for a clip, or for one chunk of it.

    A frame has the same pixels whatever the chunk that it is generated in.

    Raises:
        DiffSignError: before any network is loaded, if inputs do not belong together or settings need one that is not
            given.
    """
    use_threads(threads)
    job = Job.prepare(inputs, settings)
    frames = track(job.frames(), "Frames", max(1, len(job.wanted)))
    count = write_clip(outputs.clip, frames, job.info.fps, preview=outputs.preview)
    return f"{outputs.clip}: {count} frames at {job.width}×{job.height}."


@dataclass(frozen=True)
class Job:
    """One signer and one clip, or a chunk of it, with everything checked that needs no network.

    Attributes:
        manifest: the family.
        signer: who signs.
        settings: how.
        clips: control clips.
        info: what the control clips have in common.
        wanted: frames to generate.
        width: pixels of the result.
        height: pixels of the result.
        avatar: if a motion and a body are given.
        mask: clip of the avatar's mask, if it is needed.
        background: (height, width, 3) uint8 to put behind the signer.
    """

    manifest: Manifest
    signer: Conditioning
    settings: GenerateSettings
    clips: dict[ControlName, Path]
    info: ClipInfo
    wanted: range
    width: int
    height: int
    avatar: Avatar | None = None
    mask: Path | None = None
    background: np.ndarray | None = None

    @classmethod
    def prepare(cls, inputs: Inputs, settings: GenerateSettings) -> Job:
        """Read what is small, and check that it belongs together."""
        manifest, signer = load_manifest(inputs.manifest), load_conditioning(inputs.conditioning)
        plan = plan_signer(manifest, signer, settings)
        number, total = parse_chunk(inputs.chunk)
        clips, info = check_controls(inputs.controls, plan.controls)
        width, height = chosen_size(manifest.family, settings, info)
        avatar = None
        if inputs.motion is not None and inputs.body is not None:
            avatar = load_avatar(inputs.motion, inputs.body, info)
        require_avatar(settings, avatar)
        needs_mask = settings.background is not None or bool(signer.regions)
        return cls(
            manifest=manifest,
            signer=signer,
            settings=settings,
            clips=clips,
            info=info,
            wanted=chunk_range(info.frames, number, total, settings.batch_size),
            width=width,
            height=height,
            avatar=avatar,
            mask=require_mask(inputs.mask, info) if needs_mask else None,
            background=backdrop(settings.background, width, height) if settings.background is not None else None,
        )

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames (height, width, 3) uint8; a chunk without any has a single black one."""
        if not self.wanted:
            yield np.zeros((self.height, self.width, 3), np.uint8)
            return
        generator = Generator(self.manifest, self.signer, self.settings, self.avatar)
        sizing = Sizing.of(self.width, self.height, generator.factor)
        clips: dict[ControlName, Iterable[np.ndarray]] = {name: iter_clip(path) for name, path in self.clips.items()}
        masks = iter_clip(self.mask) if self.mask is not None and generator.needs_masks else None
        frames = generator.frames(clips, self.info.frames, self.wanted, sizing, masks)
        if self.background is not None and self.mask is not None:
            edge = self.settings.background_edge
            frames = before_background(frames, iter_clip(self.mask), self.wanted, self.background, edge)
        yield from frames
