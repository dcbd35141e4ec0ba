"""Rendering a :class:`~diffsign.avatar.scene.Scene` with Blender, in a process of its own.

A job folder goes in (``job.json``, base meshes as ``.npy``, one PC2 point cache a mesh), frames come out
as EXR files that are read and deleted while Blender goes on. Nothing of it outlives the call.

Passes:
    color: (H, W, 3) uint8 sRGB over the scene's background, (H, W, 4) with straight alpha if that is None.
    depth: (H, W) uint16, distance along the camera's z axis as :mod:`diffsign.records.depth` stores it; 0 is nothing.
    normal: (H, W, 3) uint8, unit normal in the picture's axes (x right, y up, z towards the camera), each
        mapped from [-1, 1] to [0, 255]; black is nothing.
    mask: (H, W) of the body's coverage repeated to (H, W, 3) uint8, 0 nothing to 255 covered.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import sysconfig
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from diffsign import processes
from diffsign.avatar.exr import read_exr
from diffsign.avatar.scene import Material, Mesh, Scene
from diffsign.config.colour import parse_colour
from diffsign.config.render import RenderSettings
from diffsign.errors import DiffSignError
from diffsign.files import atomic, scratch
from diffsign.progress import track
from diffsign.records.clip import ClipWriter
from diffsign.records.depth import FARTHEST, encode_depth

PASSES = ("color", "depth", "normal", "mask")

#: Frames whose vertices are in memory at once.
CHUNK = 64


def render_script() -> Path:
    """Return the script that runs inside Blender: in the clone, or where an installation puts it."""
    places = [
        Path(__file__).resolve().parents[2] / "blender" / "render_scene.py",
        Path(sysconfig.get_path("data")) / "share" / "diffsign" / "blender" / "render_scene.py",
    ]
    for place in places:
        if place.is_file():
            return place
    raise DiffSignError(
        f"the Blender script '{places[0]}' is missing; run DiffSign from a whole clone of its repository."
    )


def _command(settings: RenderSettings, job: Path) -> list[str]:
    script = [str(render_script()), "--", str(job)]
    if settings.blender is None:
        return [sys.executable, *script]
    program = shutil.which(settings.blender)
    if program is None:
        raise DiffSignError(f"Blender program '{settings.blender}' does not exist or cannot be run; check the path.")
    return [program, "--background", "--factory-startup", "--python-exit-code", "1", "--python", *script]


def _write_cache(stack: ExitStack, path: Path, vertices: int, frames: int) -> BinaryIO:
    """Open a PC2 point cache and write its header: one sample a frame, from frame 1 on."""
    stream = stack.enter_context(path.open("wb"))
    stream.write(struct.pack("<12siiffi", b"POINTCACHE2\0", 1, vertices, 1.0, 1.0, frames))
    return stream


def _write_caches(scene: Scene, folder: Path) -> tuple[list[np.ndarray], float, float, np.ndarray]:
    """Write every mesh's point cache; return the first frame's vertices, nearest and farthest depth, and the middle."""
    first: list[np.ndarray] = []
    near, far = np.inf, 0.0
    with ExitStack() as stack:
        streams = []
        for start in track(range(0, scene.frames, CHUNK), "posing"):
            stop = min(start + CHUNK, scene.frames)
            chunk = [np.asarray(v, dtype="<f4") for v in scene.positions(start, stop)]
            if not first:
                first = [v[0].copy() for v in chunk]
                streams = [
                    _write_cache(stack, folder / f"{i}.pc2", v.shape[1], scene.frames) for i, v in enumerate(chunk)
                ]
            for index, (vertices, stream) in enumerate(zip(chunk, streams, strict=True)):
                if not np.isfinite(vertices).all():
                    bad = start + int(np.argmin(np.isfinite(vertices).all(axis=(1, 2))))
                    raise DiffSignError(
                        f"frame {bad} of mesh '{scene.meshes[index].name}' has vertices that are no numbers; "
                        "fit or smooth the motion again."
                    )
                depth = vertices @ scene.camera.R[2].astype(np.float32) + np.float32(scene.camera.t[2])
                near, far = min(near, float(depth.min())), max(far, float(depth.max()))
                stream.write(np.ascontiguousarray(vertices).tobytes())
    if far <= 0.01:
        raise DiffSignError("the whole scene lies behind the camera; check the motion's translation and camera.")
    middle = np.concatenate(first).astype(np.float64).mean(axis=0)
    return first, near, far, middle


def _material_spec(material: Material, index: int, folder: Path) -> dict:
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


def _mesh_spec(mesh: Mesh, index: int, first: np.ndarray, materials: list[int], folder: Path) -> dict:
    arrays = {"vertices": first, "faces": mesh.faces, "material": mesh.face_material}
    if mesh.uv is not None:
        arrays["uv"] = mesh.uv
    for name, array in arrays.items():
        np.save(folder / f"{index}.{name}.npy", array)
    files = {
        name: f"{index}.{name}.npy" if name in arrays else None for name in ("vertices", "faces", "material", "uv")
    }
    return {"name": mesh.name, "smooth": mesh.smooth, "cache": f"{index}.pc2", "materials": materials, **files}


def write_job(
    scene: Scene, folder: Path, passes: Sequence[str], settings: RenderSettings, threads: int, blend: Path | None = None
) -> None:
    """Write everything that Blender needs to render ``scene`` into ``folder``."""
    camera = scene.camera
    if abs(camera.K[0, 1]) > 1e-6:
        raise DiffSignError(f"Blender has no camera with skew, but K[0, 1] is {camera.K[0, 1]:g}; set it to 0.")
    first, near, far, middle = _write_caches(scene, folder)
    materials: list[Material] = [material for mesh in scene.meshes for material in mesh.materials]
    offsets = np.cumsum([0, *(len(mesh.materials) for mesh in scene.meshes)])
    job = {
        "engine": settings.engine,
        "samples": settings.samples,
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
        "materials": [_material_spec(material, i, folder) for i, material in enumerate(materials)],
        "objects": [
            _mesh_spec(mesh, i, first[i], list(range(offsets[i], offsets[i + 1])), folder)
            for i, mesh in enumerate(scene.meshes)
        ],
        "blend": f"{blend.stem}-cache" if blend else None,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")


def _run(settings: RenderSettings, job: Path, threads: int, frames: int) -> Iterator[tuple[str, int, Path]]:
    """Run Blender on a job; yield layer, index and file of every frame as it is written."""
    # Blender's own temporary files go with the job's.
    environment = os.environ | {
        "LP_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "TMPDIR": str(job.absolute()),
    }
    process = processes.start(
        _command(settings, job),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
    )
    said: deque[str] = deque(maxlen=20)
    problem, done = "", 0
    assert process.stdout is not None
    try:
        for line in process.stdout:
            kind, _, rest = line.strip().partition(" ")
            if kind == "frame":
                layer, number, path = rest.split(" ", 2)
                done = int(number)
                yield layer, done - 1, Path(path)
            elif kind == "problem":
                problem = rest
            elif line.strip():
                said.append(line.strip())
        status = process.wait()
    finally:
        processes.stop(process)
        process.stdout.close()
    if status:
        reason = problem or (said[-1] if said else "it said nothing")
        how = f"was killed by signal {-status}" if status < 0 else f"stopped with status {status}"
        raise DiffSignError(
            f"Blender ({settings.blender or 'the bpy package'}) {how} after frame {done} of {frames}: {reason}. "
            "Check that it runs here (pip install bpy, or give the path of an installed Blender), "
            "or try another engine."
        )


def _keep_blend(job: Path, blend: Path) -> None:
    """Move the saved scene to ``blend`` and its point caches into the folder ``{stem}-cache`` beside it."""
    caches = blend.parent / f"{blend.stem}-cache"
    caches.mkdir(parents=True, exist_ok=True)
    for cache in job.glob("*.pc2"):
        with atomic(caches / cache.name) as temporary:
            shutil.copyfile(cache, temporary)
    with atomic(blend) as temporary:
        shutil.copyfile(job / "scene.blend", temporary)


def _to_srgb() -> np.ndarray:
    linear = np.arange(65536) / 65535
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return curve.astype(np.float32)


class _Reader:
    """Turns the channels of Blender's frames into the passes."""

    def __init__(self, scene: Scene, passes: Sequence[str]) -> None:
        self.passes = passes
        self.camera = scene.camera
        self.curve = _to_srgb()
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
        channels = {name.split(".", 1)[-1]: values for name, values in read_exr(path).items()}
        alpha = channels["Combined.A"]
        rgb = np.stack([channels[f"Combined.{c}"] for c in "RGB"], axis=-1)
        straight = rgb / np.maximum(alpha, 1e-6)[..., None]
        # Workbench sums samples in half floats and loses up to 1 % of full coverage on the way.
        full = float(alpha.max())
        alpha = np.clip(alpha / full if full > 0.97 else alpha, 0, 1)
        if layer == "normal":
            return {"normal": self._normal(2 * straight - 1, alpha)}
        found = {}
        if "color" in self.passes:
            found["color"] = self._color(straight, alpha)
        if "depth" in self.passes:
            found["depth"] = self._depth(channels["Depth.Z"], alpha)
        if "mask" in self.passes:
            found["mask"] = np.repeat(np.rint(alpha * 255).astype(np.uint8)[..., None], 3, axis=-1)
        if "normal" in self.passes and "Normal.X" in channels:
            world = np.stack([channels["Normal.X"], channels["Normal.Z"], -channels["Normal.Y"]], axis=-1)
            picture = world @ self.camera.R.T.astype(np.float32) * np.array([1, -1, -1], np.float32)
            found["normal"] = self._normal(picture, alpha)
        return found

    def _color(self, straight: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        srgb = 255 * self.curve[np.rint(np.clip(straight, 0, 1) * 65535).astype(np.uint16)]
        if self.background is None:
            return np.rint(np.dstack([srgb, 255 * alpha])).astype(np.uint8)
        return np.rint(self.background + alpha[..., None] * (srgb - self.background)).astype(np.uint8)

    def _depth(self, z: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        seen = (alpha > 0) & (z < 1e6)
        if np.any(z[seen] > FARTHEST):
            raise DiffSignError(
                f"the avatar is {z[seen].max():.1f} m away, but the depth pass ends at {FARTHEST:.1f} m; "
                "fit with a shorter focal length or render without depth."
            )
        return encode_depth(np.where(seen, z, np.inf))

    def _normal(self, normal: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        # An open surface (a sleeve) shows its inside: what is seen from behind is turned to the viewer.
        behind = (normal * self.rays).sum(axis=-1, keepdims=True) > 0.25
        normal = np.where(behind, -normal, normal)
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        unit = normal / np.maximum(length, 1e-6)
        return np.where(alpha[..., None] >= 0.5, np.rint((unit + 1) * 127.5), 0).astype(np.uint8)


def render_frames(
    scene: Scene,
    passes: Sequence[str] = PASSES,
    settings: RenderSettings | None = None,
    *,
    threads: int = 1,
    blend: Path | None = None,
) -> Iterator[tuple[str, np.ndarray]]:
    """Render a scene and yield ``(pass, frame)`` as Blender finishes them.

    The frames of one pass come in order; those of different passes do not come together.

    Args:
        scene: what to render.
        passes: any of :data:`PASSES`.
        settings: engine, samples, which Blender.
        threads: threads that Blender may use.
        blend: also save the scene as this ``.blend`` file (with its point caches in a folder beside it).

    Raises:
        DiffSignError: if Blender is missing or fails, or the scene cannot be rendered.
    """
    settings = settings or RenderSettings()
    unknown = [name for name in passes if name not in PASSES]
    if unknown or not passes:
        raise DiffSignError(f"passes are {', '.join(PASSES)}; got {', '.join(unknown) or 'none'}.")
    with scratch("render") as folder:
        write_job(scene, folder, passes, settings, threads, blend)
        reader = _Reader(scene, passes)
        layers = 2 if settings.engine == "workbench" and "normal" in passes and len(passes) > 1 else 1
        written = _run(settings, folder, threads, scene.frames)
        count = 0
        for layer, _, path in track(written, "rendering", total=layers * scene.frames):
            try:
                found = reader.read(layer, path)
                path.unlink()
            except (OSError, KeyError, ValueError) as error:
                if isinstance(error, DiffSignError):
                    raise
                raise DiffSignError(
                    f"a frame that Blender wrote cannot be read ({error}); is the disk of '{folder.parent}' full?"
                ) from error
            count += 1
            yield from found.items()
        if blend is not None:
            _keep_blend(folder, blend)
        if count != layers * scene.frames:
            raise DiffSignError(f"Blender wrote {count} of {layers * scene.frames} frames and reported no error.")


def render_scene(
    scene: Scene, passes: Sequence[str] = PASSES, settings: RenderSettings | None = None, *, threads: int = 1
) -> dict[str, np.ndarray]:
    """Render a scene into memory: each pass as one array, frames first (see the module for their types)."""
    frames: dict[str, list[np.ndarray]] = {name: [] for name in passes}
    for name, frame in render_frames(scene, passes, settings, threads=threads):
        frames[name].append(frame)
    return {name: np.stack(list_) for name, list_ in frames.items()}


def _over_black(frame: np.ndarray) -> np.ndarray:
    return np.rint(frame[..., :3] * (frame[..., 3:] / 255.0)).astype(np.uint8)


def render_clips(
    scene: Scene,
    folder: str | Path,
    passes: Sequence[str] = PASSES,
    settings: RenderSettings | None = None,
    *,
    threads: int = 1,
    blend: Path | None = None,
) -> dict[str, Path]:
    """Render a scene into clips ``folder/{pass}.mkv`` (and ``color.mp4``); return their paths."""
    folder = Path(folder)
    camera = scene.camera
    paths = {name: folder / f"{name}.mkv" for name in passes}
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                ClipWriter(
                    path,
                    camera.width,
                    camera.height,
                    scene.fps,
                    depth=name == "depth",
                    alpha=name == "color" and scene.background is None,
                )
            )
            for name, path in paths.items()
        }
        if "color" in passes:
            preview = ClipWriter(folder / "color.mp4", camera.width, camera.height, scene.fps)
            stack.enter_context(preview)
        for name, frame in render_frames(scene, passes, settings, threads=threads, blend=blend):
            writers[name].write(frame)
            if name == "color":
                preview.write(_over_black(frame) if scene.background is None else frame)
    return paths
