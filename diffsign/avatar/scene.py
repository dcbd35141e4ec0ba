"""What is rendered: meshes that move, their materials, one camera.

Vertices are in metres in the world of :mod:`diffsign.geometry.camera` (y up). Colours are sRGB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diffsign.config.colour import GREEN, parse_colour
from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera


@dataclass(frozen=True)
class Material:
    """How a surface looks.

    Attributes:
        name: anything; shown in Blender.
        colour: ``#rrggbb``, sRGB.
        roughness: 0 (mirror) to 1 (chalk).
        metallic: 0 or 1, in-between for effect.
        subsurface: weight of light scattered below the surface (skin), for Cycles and EEVEE.
        texture: (H, W, 3) uint8 sRGB in place of ``colour``, laid out by the mesh's ``uv``; or None.
    """

    name: str
    colour: str
    roughness: float = 0.6
    metallic: float = 0.0
    subsurface: float = 0.0
    texture: np.ndarray | None = None

    def __post_init__(self) -> None:
        parse_colour(self.colour, f"colour of material '{self.name}'")


@dataclass(frozen=True)
class Mesh:
    """One object: a surface whose vertices move and whose faces stay.

    Attributes:
        name: unique in its scene.
        faces: (F, 3) int, counter-clockwise seen from outside.
        materials: what ``face_material`` points into.
        face_material: (F,) int.
        uv: (F, 3, 2) float in [0, 1] for textures, v upwards; or None.
        smooth: interpolate normals over faces.
    """

    name: str
    faces: np.ndarray
    materials: tuple[Material, ...]
    face_material: np.ndarray
    uv: np.ndarray | None = None
    smooth: bool = True

    def __post_init__(self) -> None:
        if self.faces.ndim != 2 or self.faces.shape[1] != 3:
            raise DiffSignError(f"faces of mesh '{self.name}' must have the shape (faces, 3), not {self.faces.shape}.")
        if self.face_material.shape != (len(self.faces),):
            raise DiffSignError(
                f"mesh '{self.name}' has {len(self.faces)} faces, but {self.face_material.shape} materials of faces."
            )
        if len(self.faces) and not 0 <= self.face_material.min() <= self.face_material.max() < len(self.materials):
            raise DiffSignError(
                f"face_material of mesh '{self.name}' points beyond its {len(self.materials)} materials."
            )


@dataclass(frozen=True)
class Scene:
    """Meshes in motion before a camera.

    Attributes:
        meshes: the objects.
        positions: ``positions(start, stop)`` returns the vertices of those frames, one (stop − start, V, 3)
            float32 array for each mesh, in metres. Called in order with short ranges, so that a long motion
            never lies in memory.
        frames: number of frames.
        camera: the camera, the same for every frame.
        fps: frames per second.
        background: ``#rrggbb``, a picture (H, W, 3) uint8 of the camera's size, or None for transparent.
    """

    meshes: tuple[Mesh, ...]
    positions: Callable[[int, int], Sequence[np.ndarray]]
    frames: int
    camera: Camera
    fps: float
    background: str | np.ndarray | None = GREEN

    def __post_init__(self) -> None:
        names = [mesh.name for mesh in self.meshes]
        if not names or len(set(names)) != len(names):
            raise DiffSignError(f"a scene needs meshes of different names, not {names}.")
        if self.frames < 1:
            raise DiffSignError("a scene needs at least one frame; the motion has none.")
        if isinstance(self.background, str):
            parse_colour(self.background, "background")
        elif self.background is not None and self.background.shape != (self.camera.height, self.camera.width, 3):
            raise DiffSignError(
                f"the background picture must be {self.camera.width}x{self.camera.height} RGB like the camera's, "
                f"not an array of shape {self.background.shape}."
            )

    @classmethod
    def of(
        cls,
        meshes: Sequence[Mesh],
        vertices: Sequence[np.ndarray],
        camera: Camera,
        fps: float,
        background: str | np.ndarray | None = GREEN,
    ) -> Scene:
        """Return a scene whose vertices are in memory: one (T, V, 3) array for each mesh."""
        lengths = {len(v) for v in vertices}
        if len(vertices) != len(meshes) or len(lengths) != 1:
            raise DiffSignError(f"{len(meshes)} meshes need as many arrays of one length, not lengths {lengths}.")
        return cls(
            meshes=tuple(meshes),
            positions=lambda start, stop: [v[start:stop] for v in vertices],
            frames=lengths.pop(),
            camera=camera,
            fps=fps,
            background=background,
        )
