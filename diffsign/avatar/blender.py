"""Rendering a :class:`~diffsign.avatar.scene.Scene` with Blender, in processes of its own.

A job folder goes in (:mod:`diffsign.avatar.job`), frames come out as EXR files that are read and deleted while Blender
goes on (:mod:`diffsign.avatar.passes`). Nothing of it outlives the call: Blender ends with whoever started it, and
renders no more than a few frames ahead of what was read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from diffsign import processes
from diffsign.avatar.job import supersampling, write_job
from diffsign.avatar.passes import PASSES, PassReader, layers
from diffsign.avatar.scene import Scene
from diffsign.avatar.stillness import Stillness
from diffsign.config.render import RenderSettings
from diffsign.errors import DiffSignError, missing_library
from diffsign.files import atomic, scratch
from diffsign.progress import track
from diffsign.records.clip import ClipWriter

#: Frames that make up for the start of another Blender.
FRAMES_PER_PROCESS = 8


def script_path(name: str) -> Path:
    """Return a script that runs inside Blender: in the clone, or where an installation puts it."""
    places = [
        Path(__file__).resolve().parents[2] / "blender" / name,
        Path(sysconfig.get_path("data")) / "share" / "diffsign" / "blender" / name,
    ]
    for place in places:
        if place.is_file():
            return place
    raise DiffSignError(
        f"the Blender script '{places[0]}' is missing; run DiffSign from a whole clone of its repository."
    )


def blender_command(program: str | None, script: Path, *arguments: str) -> list[str]:
    """Return the command that runs a script in Blender: an installed ``program``, or the bpy package of this Python."""
    if program is None:
        return [sys.executable, str(script), "--", *arguments]
    found = shutil.which(program)
    if found is None:
        raise DiffSignError(f"Blender program '{program}' does not exist or cannot be run; check the path.")
    options = ["--background", "--factory-startup", "--python-exit-code", "1"]
    return [found, *options, "--python", str(script), "--", *arguments]


class BlenderProcess:
    """One Blender that renders every ``step``-th frame of a job, ``first`` (1 is the first) and on.

    Raises:
        DiffSignError: if Blender is missing.
    """

    def __init__(self, settings: RenderSettings, job: Path, *, first: int = 1, step: int = 1, threads: int = 1) -> None:
        self.name = settings.blender or "the bpy package"
        self.done = 0
        self.problem = ""
        self.output: deque[str] = deque(maxlen=20)
        self.process: subprocess.Popen[bytes] = processes.start(
            blender_command(settings.blender, script_path("render_scene.py"), str(job), str(first), str(step)),
            # Blender's own temporary files go with the job.
            env=os.environ | {"LP_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads), "TMPDIR": str(job)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def next_frame(self) -> tuple[str, int, Path] | None:
        """Wait for a frame; return its layer, its index from 0 and its file, or None if Blender has ended.

        Raises:
            DiffSignError: if Blender has failed.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            kind, _, rest = line.decode(errors="replace").strip().partition(" ")
            if kind == "frame":
                layer, number, path = rest.split(" ", 2)
                self.done = int(number)
                return layer, self.done - 1, Path(path)
            if kind == "problem":
                self.problem = rest
            elif kind:
                self.output.append(f"{kind} {rest}".strip())
        status = self.process.wait()
        processes.require_unhurt(f"Blender ({self.name}, after frame {self.done})", status)
        if status:
            reason = self.problem or (self.output[-1] if self.output else "it said nothing")
            if advice := missing_library(reason):
                raise DiffSignError(f"Blender ({self.name}) does not start: {advice}.")
            raise DiffSignError(
                f"Blender ({self.name}) stopped with status {status} after frame {self.done}: {reason}. Check that "
                "it runs here (pip install bpy, or give the path of an installed Blender), or try another engine."
            )
        return None

    def take(self) -> None:
        """Let Blender render one frame more."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:  # it has ended, which next_frame tells
            pass

    def close(self) -> None:
        """Stop it, if it still runs."""
        processes.stop(self.process)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def process_count(engine: str, threads: int, frames: int) -> int:
    """Return how many Blenders share the frames: Workbench uses hardly more than a core, the others all there are."""
    if engine != "workbench":
        return 1
    return max(1, min(threads, frames // FRAMES_PER_PROCESS))


def run_job(
    settings: RenderSettings, job: Path, layer_count: int, frames: int, threads: int
) -> Iterator[tuple[str, int, Path]]:
    """Run Blender on a job; yield layer, index and file of every frame, those of each layer in order."""
    count = process_count(settings.engine, threads, frames)
    blenders: list[BlenderProcess] = []
    try:
        for first in range(count):
            blenders.append(
                BlenderProcess(settings, job, first=first + 1, step=count, threads=max(1, threads // count))
            )
        for index in range(layer_count * frames):
            blender = blenders[index % frames % count]
            frame = blender.next_frame()
            if frame is None:
                raise DiffSignError(f"Blender wrote {index} of {layer_count * frames} frames and reported no error.")
            yield frame
            blender.take()
        for blender in blenders:
            blender.next_frame()  # Nothing comes, unless it fails while it saves the scene.
    finally:
        for blender in blenders:
            blender.close()


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
        passes: any of :data:`~diffsign.avatar.passes.PASSES`.
        settings: engine, samples, which Blender.
        threads: threads that Blender may use, in one process or in several.
        blend: also save the scene as this ``.blend`` file (with its point caches in a folder beside it).

    Raises:
        DiffSignError: if Blender is missing or fails, or the scene cannot be rendered.
    """
    settings = settings or RenderSettings()
    unknown = [name for name in passes if name not in PASSES]
    if unknown or not passes:
        raise DiffSignError(f"passes are {', '.join(PASSES)}; got {', '.join(unknown) or 'none'}.")
    count = layers(passes, settings.engine)
    with scratch("render") as folder:
        stillness = Stillness(scene, write_job(scene, folder, passes, settings, threads, blend))
        reader = PassReader(scene, passes, supersampling(settings))
        written = run_job(settings, folder, count, scene.frames, threads)
        for layer, number, path in track(written, "rendering", total=count * scene.frames):
            try:
                frame = reader.read(layer, path)
                path.unlink()
            except (OSError, KeyError, ValueError) as error:
                if isinstance(error, DiffSignError):
                    raise
                raise DiffSignError(
                    f"a frame that Blender wrote cannot be read ({error}); is the disk of '{folder.parent}' full?"
                ) from error
            stillness.look(number, frame)
            yield from frame.items()
        if blend is not None:
            _keep_blend(folder, blend)


def _keep_blend(job: Path, blend: Path) -> None:
    """Move the saved scene to ``blend`` and its point caches into the folder ``{stem}-cache`` beside it."""
    caches = blend.parent / f"{blend.stem}-cache"
    caches.mkdir(parents=True, exist_ok=True)
    for cache in job.glob("*.pc2"):
        with atomic(caches / cache.name) as temporary:
            shutil.copyfile(cache, temporary)
    with atomic(blend) as temporary:
        shutil.copyfile(job / "scene.blend", temporary)


def render_scene(
    scene: Scene, passes: Sequence[str] = PASSES, settings: RenderSettings | None = None, *, threads: int = 1
) -> dict[str, np.ndarray]:
    """Render a scene into memory: each pass as one array, frames first (see :mod:`diffsign.avatar.passes`)."""
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
    paths = {name: Path(folder) / f"{name}.mkv" for name in passes}
    size = scene.camera.width, scene.camera.height, scene.fps
    transparent = scene.background is None
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                ClipWriter(path, *size, depth=name == "depth", alpha=name == "color" and transparent)
            )
            for name, path in paths.items()
        }
        preview = stack.enter_context(ClipWriter(Path(folder) / "color.mp4", *size)) if "color" in passes else None
        for name, frame in render_frames(scene, passes, settings, threads=threads, blend=blend):
            writers[name].write(frame)
            if name == "color" and preview is not None:
                preview.write(_over_black(frame) if transparent else frame)
    return paths
