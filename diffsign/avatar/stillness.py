"""A renderer that draws one picture again and again is noticed: where the scene moves, the pictures must differ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from diffsign.avatar.scene import Scene
from diffsign.errors import DiffSignError
from diffsign.geometry.visibility import Raster, rasterise

#: Pixels that show something else, in metres of depth or none at all, from which on two pictures cannot be the same.
PIXELS, DEPTH = 16, 0.01
#: Of so many vertices one is looked at, to find the frame that is farthest from the first.
EVERY = 16


class Farthest:
    """Finds the frame whose vertices are, on average, farthest from those of the first one."""

    def __init__(self) -> None:
        self.frame, self.distance = 0, 0.0
        self._first: np.ndarray | None = None
        self._count = 0

    def add(self, meshes: list[np.ndarray]) -> None:
        """Look at the vertices (N, V, 3) of the next frames, one array for each mesh."""
        sample = np.concatenate([vertices[:, ::EVERY] for vertices in meshes], axis=1)
        if self._first is None:
            self._first = sample[0].copy()
        distances = np.abs(sample - self._first).mean(axis=(1, 2))
        frame = int(distances.argmax())
        if distances[frame] > self.distance:
            self.frame, self.distance = self._count + frame, float(distances[frame])
        self._count += len(sample)


class Stillness:
    """Compares the pictures of the first frame and of the one that is farthest from it.

    Args:
        scene: what is rendered.
        frame: the farthest frame; 0 if nothing moves.
    """

    def __init__(self, scene: Scene, frame: int) -> None:
        self.scene, self.frame = scene, frame
        self._first: Mapping[str, np.ndarray] = {}

    def look(self, number: int, passes: Mapping[str, np.ndarray]) -> None:
        """Look at the passes of a frame; those of one layer come in the frames' order.

        Raises:
            DiffSignError: if every pass is the first frame's, and the camera sees another scene.
        """
        if number == 0:
            self._first = passes
        elif number == self.frame and all(np.array_equal(picture, self._first[n]) for n, picture in passes.items()):
            first, now = self._seen(0), self._seen(number)
            other = (first.face < 0) != (now.face < 0)
            if "mask" not in passes or len(passes) > 1:
                other |= (first.face != now.face) & (np.abs(first.depth - now.depth) > DEPTH)
            if other.sum() >= PIXELS:
                raise DiffSignError(
                    f"Blender drew the same picture for frame 0 and frame {number}, between which the signer moves; "
                    "try another version of Blender (setting 'blender') or another engine."
                )

    def _seen(self, frame: int) -> Raster:
        meshes = self.scene.positions(frame, frame + 1)
        starts = np.cumsum([0, *(vertices.shape[1] for vertices in meshes)])
        faces = [mesh.faces + start for mesh, start in zip(self.scene.meshes, starts, strict=False)]
        vertices = np.concatenate([vertices[0] for vertices in meshes])
        return rasterise(vertices, np.concatenate(faces), self.scene.camera)
