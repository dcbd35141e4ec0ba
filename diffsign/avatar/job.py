"""The job folder that Blender renders: ``job.json``, base meshes as ``.npy``, one PC2 point cache a mesh."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from diffsign.avatar.scene import Material, Mesh, Scene
from diffsign.avatar.stillness import Farthest
from diffsign.config.colour import parse_colour
from diffsign.config.render import RenderSettings
from diffsign.errors import DiffSignError
from diffsign.progress import track

#: Frames whose vertices are in memory at once.
FRAMES_AT_ONCE = 64
#: Workbench renders at most this many times as large, and the pictures are scaled down.
LARGEST_SCALE = 4


def supersampling(settings: RenderSettings) -> int:
    """Return how many times as wide and high as the clip Workbench renders; the other engines sample by themselves."""
    if settings.engine != "workbench":
        return 1
    return min(LARGEST_SCALE, round(math.sqrt(settings.samples)))


def write_job(
    scene: Scene, folder: Path, passes: Sequence[str], settings: RenderSettings, threads: int, blend: Path | None = None
) -> int:
    """Write everything that Blender needs to render ``scene`` into ``folder``, with ``threads`` threads a process.

    Returns:
        The frame that is farthest from the first; 0 if nothing moves.
    """
    camera = scene.camera
    if abs(camera.K[0, 1]) > 1e-6:
        raise DiffSignError(f"Blender has no camera with skew, but K[0, 1] is {camera.K[0, 1]:g}; set it to 0.")
    first, near, far, middle, farthest = _write_caches(scene, folder)
    materials: list[Material] = [material for mesh in scene.meshes for material in mesh.materials]
    offsets = np.cumsum([0, *(len(mesh.materials) for mesh in scene.meshes)])
    job = {
        "engine": settings.engine,
        "samples": settings.samples,
        "scale": supersampling(settings),
        "threads": threads,
        "frames": scene.frames,
        "fps": scene.fps,
        "passes": list(passes),
        "camera": {
            "K": camera.K.tolist(),
            "R": camera.R.tolist(),
            "t": camera.t.tolist(),
            "width": camera.width,
            "height": camera.height,
            "near": max(0.01, 0.9 * near),
            "far": 1.1 * far,
        },
        "middle": middle.tolist(),
        "materials": [material_spec(material, i, folder) for i, material in enumerate(materials)],
        "objects": [
            _mesh_spec(mesh, i, first[i], list(range(offsets[i], offsets[i + 1])), folder)
            for i, mesh in enumerate(scene.meshes)
        ],
        "blend": f"{blend.stem}-cache" if blend else None,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    return farthest


def _open_cache(stack: ExitStack, path: Path, vertices: int, frames: int) -> BinaryIO:
    """Open a PC2 point cache and write its header: one sample a frame, from frame 1 on."""
    stream = stack.enter_context(path.open("wb"))
    stream.write(struct.pack("<12siiffi", b"POINTCACHE2\0", 1, vertices, 1.0, 1.0, frames))
    return stream


def _write_caches(scene: Scene, folder: Path) -> tuple[list[np.ndarray], float, float, np.ndarray, int]:
    """Write every mesh's point cache.

    Returns:
        The first frame's vertices, nearest and farthest depth, the middle, and the frame farthest from the first.
    """
    first: list[np.ndarray] = []
    farthest = Farthest()
    near, far = np.inf, 0.0
    with ExitStack() as stack:
        streams = []
        for start in track(range(0, scene.frames, FRAMES_AT_ONCE), "posing"):
            stop = min(start + FRAMES_AT_ONCE, scene.frames)
            chunk = [np.asarray(v, dtype="<f4") for v in scene.positions(start, stop)]
            if not first:
                first = [v[0].copy() for v in chunk]
                streams = [
                    _open_cache(stack, folder / f"{i}.pc2", v.shape[1], scene.frames) for i, v in enumerate(chunk)
                ]
            for mesh, vertices, stream in zip(scene.meshes, chunk, streams, strict=True):
                _require_finite(mesh, vertices, start)
                depth = vertices @ scene.camera.R[2].astype(np.float32) + np.float32(scene.camera.t[2])
                near, far = min(near, float(depth.min())), max(far, float(depth.max()))
                stream.write(np.ascontiguousarray(vertices).tobytes())
            farthest.add(chunk)
    if far <= 0.01:
        raise DiffSignError("the whole scene lies behind the camera; check the motion's translation and camera.")
    middle = np.concatenate(first).astype(np.float64).mean(axis=0)
    return first, near, far, middle, farthest.frame


def _require_finite(mesh: Mesh, vertices: np.ndarray, start: int) -> None:
    if not np.isfinite(vertices).all():
        bad = start + int(np.argmin(np.isfinite(vertices).all(axis=(1, 2))))
        raise DiffSignError(
            f"frame {bad} of mesh '{mesh.name}' has non-finite vertices; fit or smooth the motion again."
        )


def material_spec(material: Material, index: int, folder: Path) -> dict[str, object]:
    """Return what Blender is told of a material; its texture goes into ``folder``."""
    texture = None
    if material.texture is not None:
        texture = f"texture{index}.png"
        cv2.imwrite(str(folder / texture), material.texture[..., ::-1])
    return {
        "name": material.name,
        "rgb": parse_colour(material.colour),
        "roughness": material.roughness,
        "metallic": material.metallic,
        "subsurface": material.subsurface,
        "texture": texture,
    }


def _mesh_spec(mesh: Mesh, index: int, first: np.ndarray, materials: list[int], folder: Path) -> dict[str, object]:
    arrays = {"vertices": first, "faces": mesh.faces, "material": mesh.face_material}
    if mesh.uv is not None:
        arrays["uv"] = mesh.uv
    for name, array in arrays.items():
        np.save(folder / f"{index}.{name}.npy", array)
    files = {
        name: f"{index}.{name}.npy" if name in arrays else None for name in ("vertices", "faces", "material", "uv")
    }
    return {"name": mesh.name, "smooth": mesh.smooth, "cache": f"{index}.pc2", "materials": materials, **files}
