"""Run the diffusion model over the frames of a clip."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from diffsign.config.family import ControlName
from diffsign.config.generate import GenerateSettings
from diffsign.errors import DiffSignError
from diffsign.generate.attention import attend, use_cross_frame_attention
from diffsign.generate.details import Details, drawing_over, squares_of
from diffsign.generate.frames import Sizing
from diffsign.generate.noise import SurfaceNoise, View, drawn, generators_of
from diffsign.generate.sources import read_windows
from diffsign.generate.windows import Window, batch_windows, keyed_windows, overlapping_windows
from diffsign.models.networks import chosen_controls, chosen_preset, drawing_over_class, load_pipeline
from diffsign.models.sampler import Sampling, denoise, denoise_with_motion, regions_of
from diffsign.records.conditioning import Conditioning
from diffsign.records.manifest import Manifest

if TYPE_CHECKING:
    from diffsign.generate.avatar import Avatar

log = logging.getLogger(__name__)


class Generator:
    """One signer's pictures for any control pictures: image, text and multimodal signers alike.

    Args:
        manifest: the model family.
        conditioning: who signs.
        settings: how.
        avatar: whose surface noise sticks to, and whose points say where details are; needed for either.

    Raises:
        DiffSignError: if the conditioning is another family's, or something that the settings need is not there.
    """

    def __init__(
        self,
        manifest: Manifest,
        conditioning: Conditioning,
        settings: GenerateSettings,
        avatar: Avatar | None = None,
    ) -> None:
        if conditioning.family != manifest.name:
            raise DiffSignError(
                f"the signer was encoded for family '{conditioning.family}', the manifest is of '{manifest.name}'; "
                "run diffsign encode with the same manifest."
            )
        if manifest.untrained:
            log.warning("Family '%s' is a stand-in that is not trained far enough to be judged.", manifest.name)
        preset = chosen_preset(manifest, settings)
        self.conditioning = conditioning
        self.settings = settings
        self.controls: dict[ControlName, float] = chosen_controls(manifest, settings)
        self.sampling = Sampling(
            steps=settings.steps or preset.steps,
            guidance_scale=preset.guidance_scale if settings.guidance_scale is None else settings.guidance_scale,
            control_scales=tuple(self.controls.values()),
            control_start=settings.control_start,
            control_end=settings.control_end,
        )
        self.seed = manifest.family.seed if settings.seed is None else settings.seed
        if self.sampling.guidance_scale <= 1 and conditioning.negative not in ("", manifest.family.negative_prompt):
            log.warning(
                "The negative words “%s” have no effect: guidance is off (guidance_scale %g, needed above 1).",
                conditioning.negative,
                self.sampling.guidance_scale,
            )
        self.avatar = avatar
        if settings.starting_noise == "mesh" and avatar is None:
            raise DiffSignError("noise mesh moves with the signer's surface: give --motion and --body.")
        if settings.details and avatar is None:
            raise DiffSignError("details are cut out around the avatar's points: give --motion and --body.")
        pictures = conditioning.image_embeds is not None
        if conditioning.image_embeds is not None and manifest.ip_adapter is not None:
            hidden = conditioning.image_embeds.ndim == 4
            if hidden != (manifest.ip_adapter.kind != "plain"):
                came = (
                    "hidden states, as plus and full adapters take" if hidden else "one embedding, as plain ones take"
                )
                raise DiffSignError(
                    f"the signer's pictures were encoded as {came}, but the adapter of family '{manifest.name}' "
                    f"is {manifest.ip_adapter.kind}; run diffsign encode with this manifest."
                )
        self.pipeline: Any = load_pipeline(manifest, settings, pictures, conditioning.loras)
        adapter = manifest.family.ip_adapter
        if pictures and adapter is not None:
            own = adapter.scale_with_text if conditioning.worded else adapter.scale
            scale = own if settings.ip_adapter_scale is None else settings.ip_adapter_scale
            self.pipeline.set_ip_adapter_scale(scale)
        crossing = settings.temporal == "cross-frame"
        self.cross_frame = use_cross_frame_attention(self.pipeline.unet) if crossing else None
        self._surface: SurfaceNoise | None = None
        self.details = self._details(manifest, avatar) if avatar is not None and settings.details else None

    def _details(self, manifest: Manifest, avatar: Avatar) -> Details:
        clip = (avatar.camera.width, avatar.camera.height)
        return Details(
            drawing_over(self.pipeline, drawing_over_class(manifest.architecture)),
            self.sampling,
            self.conditioning,
            tuple(self.controls),
            squares_of(avatar.keypoints(), self.settings.details, clip),
            clip,
            self.settings.details_size or manifest.family.short_side or 512,
            self.settings.details_strength,
            self.seed,
        )

    @property
    def factor(self) -> int:
        """What width and height must be multiples of: pixels a latent, on each side."""
        return self.pipeline.vae_scale_factor

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
        height, width = sizing.padded_height // self.factor, sizing.padded_width // self.factor
        channels = self.pipeline.unet.config.in_channels
        own = self.settings.starting_noise == "frame"
        generators = generators_of([self.seed + (frame if own else 0) for frame in frames])
        noise = drawn(generators, (channels, height, width))
        if self.settings.starting_noise == "mesh" and self.avatar is not None:
            surface = self._surface_noise(self.avatar, channels, height, width, sizing)
            noise = torch.stack(
                [
                    surface.lay_over(start, self.avatar.vertices(frame))
                    for start, frame in zip(noise, frames, strict=True)
                ]
            )
        return noise, generators

    def _surface_noise(self, avatar: Avatar, channels: int, height: int, width: int, sizing: Sizing) -> SurfaceNoise:
        if self._surface is None:
            camera = avatar.camera
            left, top, inner_width, inner_height = sizing.place(camera.width, camera.height)
            scale = (inner_width / camera.width, inner_height / camera.height)
            view = View(camera, left, top, scale, self.factor, width, height)
            self._surface = SurfaceNoise(avatar.faces, avatar.vertices(0), view, channels, self.seed)
        return self._surface

    @property
    def needs_masks(self) -> bool:
        """Whether a reference picture speaks for a part of the result, so that the avatar's masks are needed."""
        return bool(self.conditioning.regions)

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
            masks: (N, H, W, 3) uint8, how much the avatar covers, for reference pictures that speak for a part.

        Returns:
            (N, H, W, 3) float32 in [0, 1].
        """
        noise, generators = self.noise(window.frames, sizing)
        if self.cross_frame is not None:
            attend(self.cross_frame, window.attended, self.pipeline._execution_device)
        run = denoise_with_motion if self.settings.temporal == "animatediff" else denoise
        pictures = [controls[name] for name in self.controls]
        regions = regions_of(self.conditioning, masks)
        return run(self.pipeline, self.sampling, self.conditioning, noise, generators, pictures, regions)

    def frames(
        self,
        clips: Mapping[ControlName, Iterable[np.ndarray]],
        total: int,
        wanted: range,
        sizing: Sizing,
        masks: Iterable[np.ndarray] | None = None,
    ) -> Iterator[np.ndarray]:
        """Generate a run of a clip's frames.

        Args:
            clips: the whole control clips, (H, W, 3) uint8 a frame.
            total: frames of the whole clip.
            wanted: frames to generate.
            sizing: of the result.
            masks: the avatar's whole clip of masks, if :attr:`needs_masks`.

        Yields:
            (height, width, 3) uint8 RGB for each of ``wanted``.

        Raises:
            DiffSignError: if a clip ends early, or the masks are needed and not given.
        """
        sources: dict[str, Iterable[np.ndarray]] = {name: clips[name] for name in self.controls}
        if self.needs_masks:
            if masks is None:
                raise DiffSignError("a reference picture speaks for a region; give the avatar's mask with --mask.")
            sources["mask"] = masks
        needed = set(wanted)
        windows = [window for window in self.windows(total) if needed & set(window.kept)]
        last = {frame: index for index, window in enumerate(windows) for frame in window.kept}
        sums: dict[int, np.ndarray] = {}
        for index, frames in enumerate(read_windows(sources, windows)):
            window = windows[index]
            sized = {name: np.stack([sizing.control(frame) for frame in kept]) for name, kept in frames.items()}
            controls: dict[ControlName, np.ndarray] = {name: sized[name] for name in self.controls}
            pictures = self.generate(window, controls, sizing, sized.get("mask"))
            if self.details is not None:
                if self.cross_frame is not None:
                    attend(self.cross_frame, None, self.pipeline._execution_device)
                pictures = self.details.redraw(window.frames, pictures, frames, sizing)
            for frame, share, picture in zip(window.frames, window.shares, pictures, strict=True):
                if share > 0 and frame in needed:
                    sums[frame] = sums.get(frame, 0.0) + np.float32(share) * picture
            for frame in sorted(frame for frame in sums if last[frame] == index):
                yield sizing.result(sums.pop(frame)[None])[0]
