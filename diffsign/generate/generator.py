"""Run the diffusion model over the frames of a clip."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from diffsign.config.family import ControlName
from diffsign.config.generate import GenerateSettings
from diffsign.errors import DiffSignError
from diffsign.generate.attention import attend, use_cross_frame_attention
from diffsign.generate.details import Details, Refinement, as_img2img, part_squares
from diffsign.generate.noise import StartingNoise
from diffsign.generate.plan import plan_signer
from diffsign.generate.side_by_side import side_by_side
from diffsign.generate.sources import read_windows
from diffsign.generate.windows import CrossFade, Window, batch_windows, keyed_windows, overlapping_windows
from diffsign.models.networks import img2img_class, load_pipeline
from diffsign.models.sampler import denoise, denoise_with_motion, region_masks
from diffsign.models.sizing import Sizing
from diffsign.records.conditioning import Conditioning
from diffsign.records.manifest import Manifest

if TYPE_CHECKING:
    from diffsign.generate.avatar import Avatar

log = logging.getLogger(__name__)

#: Parameters up to which a UNet is too small to keep several threads busy.
SMALL = 100_000_000


class Generator:
    """One signer's pictures for any control pictures: image, text and multimodal signers alike.

    Args:
        manifest: the model family.
        conditioning: who signs.
        settings: how.
        avatar: whose surface noise sticks to, and whose points say where details are; needed for either.
        pipeline: loaded for a signer with the same LoRAs and settings of loading; by default a new one.

    Raises:
        DiffSignError: if the conditioning is another family's, or something that the settings need is not there.
    """

    def __init__(
        self,
        manifest: Manifest,
        conditioning: Conditioning,
        settings: GenerateSettings,
        avatar: Avatar | None = None,
        pipeline: Any = None,
    ) -> None:
        self.conditioning, self.settings, self.avatar = conditioning, settings, avatar
        plan = plan_signer(manifest, conditioning, settings)
        self.controls, self.sampling, self.seed = plan.controls, plan.sampling, plan.seed
        require_avatar(settings, avatar)
        if manifest.untrained:
            log.warning("Family '%s' is a stand-in that is not trained far enough to be judged.", manifest.name)
        pictures = conditioning.image_embeds is not None
        self.pipeline: Any = pipeline or load_pipeline(manifest, settings, pictures, conditioning.loras)
        if plan.adapter_scale is not None:
            self.pipeline.set_ip_adapter_scale(plan.adapter_scale)
        across_frames = settings.temporal == "cross-frame"
        self.cross_frame = use_cross_frame_attention(self.pipeline.unet) if across_frames else None
        channels = self.pipeline.unet.config.in_channels
        self._noise = StartingNoise(settings.starting_noise, self.seed, channels, self.factor, avatar)
        self.details = self._details(manifest, avatar) if avatar is not None and settings.details else None

    def _details(self, manifest: Manifest, avatar: Avatar) -> Details:
        clip = (avatar.camera.width, avatar.camera.height)
        refinement = Refinement(
            sampling=self.sampling,
            conditioning=self.conditioning,
            controls=tuple(self.controls),
            size=self.settings.details_size or manifest.family.short_side or 512,
            strength=self.settings.details_strength,
            seed=self.seed,
        )
        squares = part_squares(avatar.keypoints(), self.settings.details, clip)
        return Details(as_img2img(self.pipeline, img2img_class(manifest.architecture)), refinement, squares, clip)

    @property
    def factor(self) -> int:
        """What width and height must be multiples of: pixels a latent, on each side."""
        return self.pipeline.vae_scale_factor

    @property
    def needs_masks(self) -> bool:
        """Whether a reference picture is for a region of the result, so that the avatar's masks are needed."""
        return bool(self.conditioning.regions)

    def windows(self, total: int) -> list[Window]:
        """Cut a clip of ``total`` frames into what is denoised together."""
        if self.settings.temporal == "animatediff":
            return overlapping_windows(total)
        if self.cross_frame is not None:
            return keyed_windows(total, self.settings.batch_size, self.settings.key_every)
        return batch_windows(total, self.settings.batch_size)

    def noise(self, frames: Sequence[int], sizing: Sizing) -> tuple[torch.Tensor, list[torch.Generator]]:
        """Return the start of every frame (N, C, h, w) and what schedulers draw more noise from.

        Args:
            frames: their numbers in the clip.
            sizing: of the result.
        """
        return self._noise.of(frames, sizing)

    def generate(
        self,
        window: Window,
        controls: Mapping[ControlName, np.ndarray],
        sizing: Sizing,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """Generate the frames of one window.

        Args:
            window: which frames, and what they see of each other.
            controls: (N, H, W, 3) uint8 for each of :attr:`controls`, in the size that is generated.
            sizing: of the result.
            masks: (N, H, W, 3) uint8, how much the avatar covers, for reference pictures of a region.

        Returns:
            (N, H, W, 3) float32 in [0, 1].
        """
        noise, generators = self.noise(window.frames, sizing)
        if self.cross_frame is not None:
            attend(self.cross_frame, window.attended, self.pipeline._execution_device)
        run = denoise_with_motion if self.settings.temporal == "animatediff" else denoise
        pictures = [controls[name] for name in self.controls]
        regions = region_masks(self.conditioning, masks)
        return run(self.pipeline, self.sampling, self.conditioning, noise, generators, pictures, regions)

    def frames(
        self,
        clips: Mapping[ControlName, Iterable[np.ndarray]],
        total: int,
        wanted: range,
        sizing: Sizing,
        masks: Iterable[np.ndarray] | None = None,
        threads: int = 1,
    ) -> Iterator[np.ndarray]:
        """Generate a run of a clip's frames.

        Args:
            clips: the whole control clips, (H, W, 3) uint8 a frame.
            total: frames of the whole clip.
            wanted: frames to generate.
            sizing: of the result.
            masks: the avatar's whole clip of masks, if :attr:`needs_masks`.
            threads: CPU threads; with small networks each computes a window of its own.

        Yields:
            (height, width, 3) uint8 RGB for each of ``wanted``.

        Raises:
            DiffSignError: if a clip ends early, or the masks are needed and not given.
        """
        sources: dict[str, Iterable[np.ndarray]] = {name: clips[name] for name in self.controls}
        if self.needs_masks:
            if masks is None:
                raise DiffSignError("a reference picture is for a region; give the avatar's mask with --mask.")
            sources["mask"] = masks
        windows = [window for window in self.windows(total) if set(wanted) & set(window.kept)]
        fade = CrossFade(windows, wanted)
        workers = [self, *(self._beside() for _ in range(1, min(self._windows_at_once(threads), len(windows))))]
        read = zip(windows, read_windows(sources, windows), strict=True)
        made = (
            side_by_side(lambda worker, item: worker._window(*item, sizing), read, workers)
            if len(workers) > 1
            else (self._window(window, pictures, sizing) for window, pictures in read)
        )
        for window, pictures in zip(windows, made, strict=True):
            for frame in fade.add(window, pictures):
                yield sizing.result(frame[None])[0]

    def _windows_at_once(self, threads: int) -> int:
        """Return how many windows are computed side by side: one where networks are large or windows share a state."""
        settings, unet = self.settings, self.pipeline.unet
        alone = settings.temporal == "none" and settings.starting_noise != "mesh" and self.details is None
        if not alone or settings.compile or unet.device.type != "cpu":
            return 1
        return threads if sum(weights.numel() for weights in unet.parameters()) < SMALL else 1

    def _beside(self) -> Generator:
        """Return a generator that runs beside this one with the same networks, and a state of its own."""
        other = copy.copy(self)
        other.pipeline = copy.copy(self.pipeline)
        other.pipeline.scheduler = copy.deepcopy(self.pipeline.scheduler)
        return other

    def _window(self, window: Window, pictures: dict[str, list[np.ndarray]], sizing: Sizing) -> np.ndarray:
        """Generate and refine one window from the clips' own pictures; (N, H, W, 3) float32 in [0, 1]."""
        sized = {name: np.stack([sizing.control(frame) for frame in frames]) for name, frames in pictures.items()}
        controls: dict[ControlName, np.ndarray] = {name: sized[name] for name in self.controls}
        generated = self.generate(window, controls, sizing, sized.get("mask"))
        if self.details is None:
            return generated
        if self.cross_frame is not None:
            attend(self.cross_frame, None, self.pipeline._execution_device)
        return self.details.refine(window.frames, generated, pictures, sizing)


def needs_avatar(settings: GenerateSettings) -> bool:
    """Tell whether settings need the fitted avatar."""
    return settings.starting_noise == "mesh" or bool(settings.details)


def require_avatar(settings: GenerateSettings, avatar: Avatar | None) -> None:
    """Raise :class:`DiffSignError` if settings need the fitted avatar and there is none."""
    if avatar is None and settings.starting_noise == "mesh":
        raise DiffSignError("noise mesh moves with the signer's surface: give --motion and --body.")
    if avatar is None and settings.details:
        raise DiffSignError("details are cropped around the avatar's points: give --motion and --body.")
