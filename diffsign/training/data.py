"""Training pictures: stored G-buffers, coloured and captioned anew each time they are drawn."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.training.attributes import CHOICES, FILLERS, Attributes, caption
from diffsign.training.gbuffer import COARSE, FINE, LABEL, GBuffer, colour, crop_sums, palette_of

#: How much an error counts by what it is an error of.
WEIGHTS = {
    "hand": 4.0,
    "face": 3.0,
    "brow": 6.0,
    "eye": 12.0,
    "iris": 12.0,
    "lips": 6.0,
    "mouth": 6.0,
    "background": 0.8,
}
WEIGHTS |= {"hair": 6.0, "trousers": 2.0, "arm": 3.0, "sleeve": 1.5, "neck": 1.5}
#: Pixels of 512×512 that hair must cover to be seen.
LEAST_HAIR = 400


def save_shard(folder: str | Path, frames: list[GBuffer]) -> None:
    """Write frames as one ``.npy`` an array, which training maps into memory."""
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.part")
    temporary.mkdir(parents=True, exist_ok=True)
    for field in fields(GBuffer):
        np.save(temporary / f"{field.name}.npy", np.stack([getattr(frame, field.name) for frame in frames]))
    temporary.rename(folder)


@dataclass(frozen=True)
class Sample:
    """One training picture.

    Attributes:
        picture: (3, H, W) float32 in [0, 1].
        weight: (H, W) float32, how much each pixel counts.
        controls: (3, 3, H, W) float32 in [0, 1]: pose, canny, depth.
        attributes: what the signer looks like.
    """

    picture: np.ndarray
    weight: np.ndarray
    controls: np.ndarray
    attributes: Attributes


class TrainingFrames:
    """The frames of a data folder, as the training draws them.

    Args:
        folder: written by ``diffsign train-demo data``.
        seeds: of the signers to take; all by default.

    Raises:
        DiffSignError: if the folder holds no frames.
    """

    def __init__(self, folder: str | Path, seeds: Container[int] | None = None) -> None:
        shards = sorted(path for path in Path(folder).glob("shard-*") if path.is_dir())
        if seeds is not None:
            shards = [path for path in shards if int(path.name.removeprefix("shard-")) in seeds]
        if not shards:
            raise DiffSignError(f"'{folder}' holds no training frames; make them with `diffsign train-demo data`.")
        self.arrays = [
            {f.name: np.load(shard / f"{f.name}.npy", mmap_mode="r") for f in fields(GBuffer)} for shard in shards
        ]
        lengths = [len(arrays["label"]) for arrays in self.arrays]
        self.index = [(shard, frame) for shard, length in enumerate(lengths) for frame in range(length)]
        # a bald signer says nothing about hair
        haired = [bool((arrays["label"][0] == LABEL["hair"]).sum() > LEAST_HAIR) for arrays in self.arrays]
        self.haired = [n for n, (shard, _) in enumerate(self.index) if haired[shard]] or list(range(len(self)))
        self._weight = np.ones(len(LABEL), np.float32)
        for name, weight in WEIGHTS.items():
            self._weight[LABEL[name]] = weight

    def __len__(self) -> int:
        return len(self.index)

    def frame(self, number: int) -> GBuffer:
        """Return one frame, still on disk."""
        shard, frame = self.index[number]
        return GBuffer(**{name: array[frame] for name, array in self.arrays[shard].items()})

    def sample(
        self, number: int, attributes: Attributes, corner: tuple[int, int], size: int, rng: np.random.Generator | None
    ) -> Sample:
        """Colour a part of a frame.

        Args:
            number: which frame.
            attributes: what the signer looks like.
            corner: (x, y) of the part, in pixels of 256.
            size: of the part, in pixels.
            rng: varies the colours, and mirrors nothing: left and right carry meaning.
        """
        frame = self.frame(number)
        x, y = corner
        fine = np.s_[2 * y : 2 * (y + size), 2 * x : 2 * (x + size)]
        coarse = np.s_[y : y + size, x : x + size]
        label = np.asarray(frame.label[fine])
        bright = np.asarray(frame.light[fine], np.float32) / 200
        picture = crop_sums(colour(label, bright, palette_of(attributes, rng)))
        weight = crop_sums(self._weight[label][..., None])[..., 0]
        controls = np.stack(
            [
                frame.pose[coarse].transpose(2, 0, 1),
                np.broadcast_to(frame.canny[coarse], (3, size, size)),
                np.broadcast_to(frame.depth[coarse], (3, size, size)),
            ]
        )
        return Sample(picture.transpose(2, 0, 1), weight, controls.astype(np.float32) / 255, attributes)

    def draw(self, rng: np.random.Generator, size: int, attributes: Attributes | None = None) -> Sample:
        """Draw a frame and a part of it, three times out of four around a hand or the face."""
        number = int(rng.integers(len(self)) if rng.random() < 0.05 else self.haired[rng.integers(len(self.haired))])
        corner = (0, 0)
        if size < COARSE:
            focus = np.asarray(self.frame(number).focus)
            visible = np.flatnonzero(np.isfinite(focus[:, 0]))
            if len(visible) and rng.random() < 0.75:
                # hair, brows and lips are small: the face comes as often as both hands together
                chosen = 0 if 0 in visible and rng.random() < 0.5 else rng.choice(visible)
                middle = focus[chosen] + rng.uniform(-0.35, 0.35, 2) * size
            else:
                middle = rng.uniform(size / 2, COARSE - size / 2, 2)
            # a latent pixel is four pixels wide, and crops begin on one
            x, y = (np.clip(middle - size / 2, 0, COARSE - size) // 4 * 4).astype(int)
            corner = (int(x), int(y))
        return self.sample(number, attributes or Attributes.random(rng), corner, size, rng)

    def portrait(self, rng: np.random.Generator, attributes: Attributes, size: int) -> np.ndarray:
        """Draw a small picture of a signer, framed widely or closely: (3, size, size) in [0, 1]."""
        frame = self.frame(self.haired[rng.integers(len(self.haired))])
        side = FINE * rng.uniform(0.55, 1.0)
        face = 2 * np.asarray(frame.focus)[0]
        if np.isnan(face).any():
            face = FINE * np.array([0.5, 0.27])
        corner = face - side * (np.array([0.5, 0.27]) + rng.normal(0, 0.04, 2))
        places = corner[:, None] + (np.arange(2 * size) + 0.5) * side / (2 * size)
        x, y = places.clip(0, FINE - 1).astype(int)
        part = np.ix_(y, x)
        picture = crop_sums(
            colour(frame.label[part], frame.light[part].astype(np.float32) / 200, palette_of(attributes, rng))
        )
        return picture.transpose(2, 0, 1)


def words(attributes: Attributes, rng: np.random.Generator) -> tuple[str, frozenset[str]]:
    """Draw a caption and the attributes that it names: mostly all of them, sometimes a few."""
    named = frozenset(CHOICES)
    if rng.random() < 0.2:
        named = frozenset(name for name in CHOICES if rng.random() < 0.5)
    text = caption(attributes, rng, named)
    if rng.random() < 0.2:
        extra = ", ".join(str(word) for word in rng.choice(FILLERS, rng.integers(1, 5)))
        text = f"{text}, {extra}"
    return text, named


def nothing(rng: np.random.Generator) -> str:
    """Draw words that say nothing of appearance: none, a few that every prompt has, or that somebody signs."""
    kind = rng.integers(3)
    if kind == 0:
        return ""
    if kind == 1:
        return ", ".join(rng.choice(FILLERS, rng.integers(1, 6)))
    text = caption(Attributes.random(rng), rng, frozenset())
    return f"{text} signing" if rng.random() < 0.5 else text


def merge_attributes(asked: Attributes, visible: Attributes, named: frozenset[str]) -> Attributes:
    """Return what to draw when a caption names some attributes and a picture shows all: words win."""
    return replace(visible, **{name: getattr(asked, name) for name in named})
