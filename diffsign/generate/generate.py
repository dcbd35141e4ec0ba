"""The command ``generate``: the frames of a signer for a clip, or for one chunk of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from diffsign.config.family import ControlName
from diffsign.config.generate import GenerateSettings
from diffsign.config.settings import parse
from diffsign.errors import DiffSignError
from diffsign.generate.background import backdrop, before_background, require_mask
from diffsign.generate.chunks import chunk_range, parse_chunk
from diffsign.generate.generator import Generator, needs_avatar, require_avatar
from diffsign.generate.plan import plan_signer
from diffsign.generate.sources import check_controls
from diffsign.models.device import use_threads
from diffsign.models.sizing import Sizing, chosen_size
from diffsign.progress import track
from diffsign.records.clip import ClipInfo, iter_clip, write_clip
from diffsign.records.conditioning import Conditioning, load_conditioning
from diffsign.records.manifest import Manifest, load_manifest

if TYPE_CHECKING:
    from diffsign.generate.avatar import Avatar


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
    return run_all([(inputs, outputs, settings)], threads=threads)


def run_all(jobs: Sequence[tuple[Inputs, Outputs, GenerateSettings]], *, threads: int | None = None) -> str:
    """Do several jobs of one family one after the other, loading its networks once for all that can share them.

    The pixels are those of single jobs.

    Raises:
        DiffSignError: as :func:`run`; all jobs are checked before the first begins.
    """
    use_threads(threads)
    prepared = [(Job.prepare(inputs, settings), outputs) for inputs, outputs, settings in jobs]
    networks = SharedNetworks([job for job, _ in prepared], torch.get_num_threads())
    lines = []
    for job, outputs in sorted(prepared, key=lambda pair: networks.order(pair[0])):
        frames = track(job.frames(networks), f"Frames of {outputs.clip.name}", max(1, len(job.wanted)))
        count = write_clip(outputs.clip, frames, job.info.fps, preview=outputs.preview)
        lines.append(f"{outputs.clip}: {count} frames at {job.width}×{job.height}.")
    return "\n".join(lines)


def read_job(text: str, inputs: Inputs, settings: GenerateSettings) -> tuple[Inputs, Outputs, GenerateSettings]:
    """Return a job that differs from another one.

    Args:
        text: JSON with ``out`` and what differs: ``conditioning`` and other files, ``chunk``, ``preview``, settings.
        inputs: of the other job; a family has one manifest.
        settings: of the other job.

    Raises:
        DiffSignError: if it is no JSON object with these keys, or a setting is out of range.
    """
    where = "diffsign generate --also"
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise DiffSignError(f"{where}: '{text[:80]}' is not JSON ({error}).") from error
    if not isinstance(values, dict) or not isinstance(values.get("out"), str):
        raise DiffSignError(f'{where}: expected an object with "out", the clip to write, and not {text[:80]}.')
    outputs = Outputs(Path(values.pop("out")), Path(values.pop("preview")) if "preview" in values else None)
    files = {name: Path(values.pop(name)) for name in _FILES if name in values}
    chunk = str(values.pop("chunk", inputs.chunk))
    changed = parse(GenerateSettings, {**settings.model_dump(), **values}, where)
    return replace(inputs, **files, chunk=chunk), outputs, changed


#: Files that a job may have beside those of another.
_FILES = ("conditioning", "pose", "canny", "depth", "motion", "body", "mask")


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
        if needs_avatar(settings) and inputs.motion is not None and inputs.body is not None:
            from diffsign.generate.avatar import load_avatar  # takes half a second to import

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

    def frames(self, networks: SharedNetworks) -> Iterator[np.ndarray]:
        """Yield the frames (height, width, 3) uint8; a chunk without any has a single black one."""
        if not self.wanted:
            yield np.zeros((self.height, self.width, 3), np.uint8)
            return
        generator = networks.generator(self)
        sizing = Sizing.of(self.width, self.height, generator.factor)
        clips: dict[ControlName, Iterable[np.ndarray]] = {name: iter_clip(path) for name, path in self.clips.items()}
        masks = iter_clip(self.mask) if self.mask is not None and generator.needs_masks else None
        frames = generator.frames(clips, self.info.frames, self.wanted, sizing, masks, networks.threads)
        if self.background is not None and self.mask is not None:
            edge = self.settings.background_edge
            frames = before_background(frames, iter_clip(self.mask), self.wanted, self.background, edge)
        yield from frames


class SharedNetworks:
    """The networks of the last job, which the next one uses again if it can.

    Args:
        jobs: that share them.
        threads: CPU threads to compute with.
    """

    def __init__(self, jobs: Sequence[Job], threads: int = 1) -> None:
        self.jobs, self.threads = jobs, threads
        self.key: tuple[object, ...] | None = None
        self.pipeline: Any = None

    def order(self, job: Job) -> int:
        """Return a number by which jobs that can share networks follow one another."""
        keys = list(dict.fromkeys(_loaded_as(other) for other in self.jobs))
        return keys.index(_loaded_as(job))

    def generator(self, job: Job) -> Generator:
        """Return the generator of a job, with new networks if those at hand are others."""
        key = _loaded_as(job)
        signer, settings, pictured = job.signer, job.settings, self._pictured(key)
        if signer.image_embeds is None and pictured is not None:
            signer = _without_pictures(signer, pictured)
            settings = settings.model_copy(update={"ip_adapter_scale": 0.0})
        shared = self.pipeline if key == self.key else None
        if shared is None:
            self.pipeline = None  # frees the networks at hand before others are loaded
        generator = Generator(job.manifest, signer, settings, job.avatar, shared)
        self.key, self.pipeline = key, generator.pipeline
        return generator

    def _pictured(self, key: tuple[object, ...]) -> Conditioning | None:
        """Return a signer with pictures among the jobs of one set of networks."""
        signers = (job.signer for job in self.jobs if _loaded_as(job) == key)
        return next((signer for signer in signers if signer.image_embeds is not None), None)


#: Settings that decide how networks are loaded, placed and patched.
_LOADING = ("preset", "device", "dtype", "offload", "vae_tiling", "vae_slicing", "compile", "temporal")


def _loaded_as(job: Job) -> tuple[object, ...]:
    """Return what has to be the same for jobs to share networks."""
    settings = tuple(getattr(job.settings, name) for name in _LOADING)
    return (job.manifest.base.path, tuple(job.clips), job.signer.loras, *settings)


def _without_pictures(signer: Conditioning, pictured: Conditioning) -> Conditioning:
    """Return a signer given by words alone as one whose picture has no weight, for networks with an IP-Adapter."""
    assert pictured.image_embeds is not None and pictured.negative_image_embeds is not None
    embeds = torch.zeros_like(pictured.image_embeds[:, :1])
    return replace(signer, image_embeds=embeds, negative_image_embeds=embeds)
