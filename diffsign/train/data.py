"""Training pictures: stored passes, coloured and captioned anew each time they are drawn."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from diffsign.core.errors import DiffSignError
from diffsign.train.attributes import CHOICES, FILLERS, Look, caption
from diffsign.train.passes import COARSE, FINE, LABEL, Passes, colour, crop_sums, palette_of

#: How much an error counts by what it is an error of.
WEIGHTS = {"hand": 4.0, "face": 3.0, "brow": 5.0, "eye": 6.0, "iris": 6.0, "lips": 5.0, "mouth": 5.0, "background": 0.4}


def save_shard(folder: str | Path, passes: list[Passes]) -> None:
    """Write frames as one ``.npy`` an array, which training maps into memory."""
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.part")
    temporary.mkdir(parents=True, exist_ok=True)
    for field in fields(Passes):
        np.save(temporary / f"{field.name}.npy", np.stack([getattr(frame, field.name) for frame in passes]))
    temporary.rename(folder)


@dataclass(frozen=True)
class Sample:
    """One training picture.

    Attributes:
        picture: (3, H, W) float32 in [0, 1].
        weight: (H, W) float32, how much each pixel counts.
        controls: (3, 3, H, W) float32 in [0, 1]: pose, canny, depth.
        look: what the signer looks like.
    """

    picture: np.ndarray
    weight: np.ndarray
    controls: np.ndarray
    look: Look


class Frames:
    """The frames of a data folder, as the training draws them.

    Args:
        folder: written by ``diffsign train data``.

    Raises:
        DiffSignError: if the folder holds no frames.
    """

    def __init__(self, folder: str | Path) -> None:
        shards = sorted(path for path in Path(folder).glob("shard-*") if path.is_dir())
        if not shards:
            raise DiffSignError(f"'{folder}' holds no training frames; make them with `diffsign train data`.")
        self.arrays = [
            {f.name: np.load(shard / f"{f.name}.npy", mmap_mode="r") for f in fields(Passes)} for shard in shards
        ]
        lengths = [len(arrays["label"]) for arrays in self.arrays]
        self.index = [(shard, frame) for shard, length in enumerate(lengths) for frame in range(length)]
        self._weight = np.ones(len(LABEL), np.float32)
        for name, weight in WEIGHTS.items():
            self._weight[LABEL[name]] = weight

    def __len__(self) -> int:
        return len(self.index)

    def frame(self, number: int) -> Passes:
        """Return one frame, still on disk."""
        shard, frame = self.index[number]
        return Passes(**{name: array[frame] for name, array in self.arrays[shard].items()})

    def sample(
        self, number: int, look: Look, corner: tuple[int, int], size: int, rng: np.random.Generator | None
    ) -> Sample:
        """Colour a part of a frame.

        Args:
            number: which frame.
            look: what the signer looks like.
            corner: (x, y) of the part, in pixels of 256.
            size: of the part, in pixels.
            rng: varies the colours of the look, and mirrors nothing: left and right carry meaning.
        """
        frame = self.frame(number)
        x, y = corner
        fine = np.s_[2 * y : 2 * (y + size), 2 * x : 2 * (x + size)]
        coarse = np.s_[y : y + size, x : x + size]
        label = np.asarray(frame.label[fine])
        bright = np.asarray(frame.light[fine], np.float32) / 200
        picture = crop_sums(colour(label, bright, palette_of(look, rng)))
        weight = crop_sums(self._weight[label][..., None])[..., 0]
        controls = np.stack(
            [
                frame.pose[coarse].transpose(2, 0, 1),
                np.broadcast_to(frame.canny[coarse], (3, size, size)),
                np.broadcast_to(frame.depth[coarse], (3, size, size)),
            ]
        )
        return Sample(picture.transpose(2, 0, 1), weight, controls.astype(np.float32) / 255, look)

    def draw(self, rng: np.random.Generator, size: int, look: Look | None = None) -> Sample:
        """Draw a frame and a part of it, three times out of four around a hand or the face."""
        number = int(rng.integers(len(self)))
        corner = (0, 0)
        if size < COARSE:
            focus = np.asarray(self.frame(number).focus)
            seen = np.flatnonzero(np.isfinite(focus[:, 0]))
            if len(seen) and rng.random() < 0.75:
                middle = focus[rng.choice(seen)] + rng.uniform(-0.35, 0.35, 2) * size
            else:
                middle = rng.uniform(size / 2, COARSE - size / 2, 2)
            # a latent pixel is four pixels wide, and crops begin on one
            x, y = (np.clip(middle - size / 2, 0, COARSE - size) // 4 * 4).astype(int)
            corner = (int(x), int(y))
        return self.sample(number, look or Look.random(rng), corner, size, rng)

    def portrait(self, rng: np.random.Generator, look: Look, size: int) -> np.ndarray:
        """Draw a small picture of a whole frame in some look: (3, size, size) in [0, 1]."""
        frame = self.frame(int(rng.integers(len(self))))
        step = FINE // (2 * size)
        label, bright = (
            np.asarray(frame.label[::step, ::step]),
            np.asarray(frame.light[::step, ::step], np.float32) / 200,
        )
        picture = crop_sums(colour(label, bright, palette_of(look, rng)))
        return picture.transpose(2, 0, 1)


def words(look: Look, rng: np.random.Generator) -> tuple[str, frozenset[str]]:
    """Draw a caption and the attributes that it names: mostly all of them, sometimes a few."""
    named = frozenset(CHOICES)
    if rng.random() < 0.2:
        named = frozenset(name for name in CHOICES if rng.random() < 0.5)
    text = caption(look, rng, named)
    if rng.random() < 0.2:
        extra = ", ".join(str(word) for word in rng.choice(FILLERS, rng.integers(1, 5)))
        text = f"{text}, {extra}"
    return text, named


def mixed(asked: Look, seen: Look, named: frozenset[str]) -> Look:
    """Return what to draw when a caption names some attributes and a picture shows all: words win."""
    return replace(seen, **{name: getattr(asked, name) for name in named})
