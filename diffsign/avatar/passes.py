"""From the frames that Blender writes to the passes of the avatar.

color: (H, W, 3) uint8 sRGB over the scene's background, (H, W, 4) with straight alpha if that is None.
depth: (H, W) uint16, distance along the camera's z axis as :mod:`diffsign.records.depth` stores it; 0 is nothing.
normal: (H, W, 3) uint8, unit normal in the picture's axes (x right, y up, z towards the camera), each
    mapped from [-1, 1] to [0, 255]; black is nothing.
mask: (H, W) of the body's coverage repeated to (H, W, 3) uint8, 0 nothing to 255 covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from diffsign.avatar.exr import read_exr
from diffsign.avatar.scene import Scene
from diffsign.config.colour import parse_colour
from diffsign.errors import DiffSignError
from diffsign.records.depth import FARTHEST, encode_depth

PASSES = ("color", "depth", "normal", "mask")


def layers(passes: Sequence[str], engine: str) -> int:
    """Return how many layers Blender renders for these passes."""
    if engine != "workbench":
        return 1
    return bool({"color", "mask"} & set(passes)) + bool({"depth", "normal"} & set(passes))


def scale_down(picture: np.ndarray, scale: int) -> np.ndarray:
    """Scale a picture (scale · H, scale · W, C) down to (H, W, C).

    The filter is a tent that is one pixel of the result wide on either side.
    """
    if scale == 1:
        return picture
    taps = 2 * scale if scale % 2 == 0 else 2 * scale - 1
    tent = (1 - np.abs(np.arange(taps) - (taps - 1) / 2) / scale).astype(np.float32)
    tent /= tent.sum()
    # The middle of the tent lies on the middle of each block of scale × scale pixels.
    anchor = (scale // 2, scale // 2)
    filtered = cv2.sepFilter2D(picture, -1, tent, tent, anchor=anchor, borderType=cv2.BORDER_REPLICATE)
    return filtered[::scale, ::scale]


def _srgb_curve() -> np.ndarray:
    linear = np.arange(65536) / 65535
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return curve.astype(np.float32)


class PassReader:
    """Turns the channels of Blender's frames into the passes.

    Args:
        scene: what was rendered.
        passes: any of :data:`PASSES`.
        scale: how many times as wide and high the layer ``beauty`` is.
    """

    def __init__(self, scene: Scene, passes: Sequence[str], scale: int) -> None:
        self.passes = passes
        self.scale = scale
        self.camera = scene.camera
        self.curve = _srgb_curve()
        background = scene.background
        if isinstance(background, str):
            background = np.array(parse_colour(background), np.float32) * 255
        self.background = None if background is None else np.asarray(background, np.float32)
        x = (np.arange(self.camera.width) + 0.5 - self.camera.K[0, 2]) / self.camera.K[0, 0]
        y = (np.arange(self.camera.height) + 0.5 - self.camera.K[1, 2]) / self.camera.K[1, 1]
        rays = np.stack(np.broadcast_arrays(x[None, :], -y[:, None], -1.0), axis=-1)
        self.rays = (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).astype(np.float32)

    def read(self, layer: str, path: Path) -> dict[str, np.ndarray]:
        """Return the passes that this file of ``layer`` holds."""
        channels = read_exr(path)
        rgba = np.stack([channels[f"Combined.{c}"] for c in "RGBA"], axis=-1)
        if layer == "geometry":
            return self._geometry(rgba, channels)
        rgba = scale_down(rgba, self.scale)
        alpha = np.clip(rgba[..., 3], 0, 1)
        frame = {}
        if "color" in self.passes:
            frame["color"] = self._color(rgba[..., :3], alpha)
        if "mask" in self.passes:
            frame["mask"] = np.repeat(np.rint(alpha * 255).astype(np.uint8)[..., None], 3, axis=-1)
        if "depth" in self.passes and "Depth.Z" in channels:
            frame["depth"] = self._depth(channels["Depth.Z"], alpha)
        if "normal" in self.passes and "Normal.X" in channels:
            world = np.stack([channels["Normal.X"], channels["Normal.Z"], -channels["Normal.Y"]], axis=-1)
            picture = world.astype(np.float32) @ self.camera.R.T.astype(np.float32)
            frame["normal"] = self._normal(picture * np.array([1, -1, -1], np.float32), alpha)
        return frame

    def _geometry(self, rgba: np.ndarray, channels: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        frame = {}
        if "depth" in self.passes:
            frame["depth"] = self._depth(channels["Depth.Z"], rgba[..., 3])
        if "normal" in self.passes:
            frame["normal"] = self._normal(2 * rgba[..., :3] - 1, rgba[..., 3])
        return frame

    def _color(self, premultiplied: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        covered = alpha > 0
        share = alpha[covered, None]
        linear = np.clip(premultiplied[covered] / share, 0, 1)
        srgb = 255 * self.curve[np.rint(linear * 65535).astype(np.uint16)]
        if self.background is None:
            picture = np.zeros((*alpha.shape, 4), np.uint8)
            picture[covered] = np.rint(np.hstack([srgb, 255 * share]))
            return picture
        behind = np.broadcast_to(self.background, premultiplied.shape)
        picture = np.rint(behind).astype(np.uint8)
        picture[covered] = np.rint(behind[covered] + share * (srgb - behind[covered]))
        return picture

    def _depth(self, z: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        covered = (alpha > 0) & (z < 1e6)
        if np.any(z[covered] > FARTHEST):
            raise DiffSignError(
                f"the avatar is {z[covered].max():.1f} m away, but the depth pass ends at {FARTHEST:.1f} m; "
                "fit with a shorter focal length or render without depth."
            )
        return encode_depth(np.where(covered, z, np.inf))

    def _normal(self, normal: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        covered = alpha >= 0.5
        directions = normal[covered]
        # An open surface (a sleeve) shows its inside: what is seen from behind is turned to the viewer.
        directions[(directions * self.rays[covered]).sum(axis=-1) > 0.25] *= -1
        length = np.linalg.norm(directions, axis=-1, keepdims=True)
        picture = np.zeros(normal.shape, np.uint8)
        picture[covered] = np.rint((directions / np.maximum(length, 1e-6) + 1) * 127.5)
        return picture
