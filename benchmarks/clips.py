"""Synthetic clips with known truth, in two sets, and the points that a detector finds in them.

*gentle*: slow and sharp signing, always in view, as in a studio. *like life*: the presets of
``diffsign synthetic-signer``, which vary what real videos vary.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import diffsign
from diffsign.errors import DiffSignError
from diffsign.records.clip import probe_clip
from diffsign.records.keypoints import Keypoints, load_keypoints
from diffsign.synthetic.truth import Truth

#: Seeds that no setting was tuned on; 7 and 11 to 14 were.
TEST_SEEDS = tuple(range(101, 113))
#: Presets of the second set, two people each.
HARD_PRESETS = ("fast", "webcam", "seated", "gif", "touching", "turn-taking")
HARD_SEEDS = (201, 211)
#: What detection depends on: with other code there, points are found anew.
DETECTION = ("ingest", "detect", "config/ingest.py", "config/detect.py")


@dataclass(frozen=True)
class SyntheticClip:
    """A clip to render: its name, the set that it belongs to, and the flags of ``diffsign synthetic-signer``."""

    name: str
    group: str
    flags: tuple[str, ...]

    def render(self, body: Path, work: Path) -> tuple[Path, Path]:
        """Return video and truth, rendered unless they are there."""
        folder = work / self.name
        video, truth, stamp = folder / "source.mp4", folder / "truth.npz", folder / "flags.json"
        flags = [f"--truth={truth}", f"--body={body}", "--threads=1", *self.flags]
        kept = json.loads(stamp.read_text()) if stamp.exists() else list(self.flags)
        if not (video.exists() and truth.exists() and kept == list(self.flags)):
            run("synthetic-signer", video, *flags)
            stamp.write_text(json.dumps(self.flags))
        return video, truth


def gentle(seeds: tuple[int, ...] = TEST_SEEDS) -> list[SyntheticClip]:
    """Return the gentle set: other people, phrases, clothes and cameras, 2 to 4 s at 24 to 30 frames a second."""
    return [
        SyntheticClip(
            f"seed{seed}",
            "gentle",
            (f"--seed={seed}", f"--seconds={2 + seed // 3 % 3}", f"--fps={24 + seed % 3 * 3}"),
        )
        for seed in seeds
    ]


def like_life(presets: tuple[str, ...] = HARD_PRESETS) -> list[SyntheticClip]:
    """Return the set that is as hard as life: two people of each preset, 2.5 s."""
    return [
        SyntheticClip(
            f"{preset}{first + number}",
            "like life",
            (f"--preset={preset}", f"--seed={first + number}", "--seconds=2.5", "--samples=5"),
        )
        for number, preset in enumerate(presets)
        for first in HARD_SEEDS
    ]


def run(*arguments: str | Path) -> None:
    """Run a command of ``diffsign``; its error ends the benchmark."""
    done = subprocess.run([sys.executable, "-m", "diffsign", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode} and said nothing."]
        raise DiffSignError(f"diffsign {arguments[0]} failed: {said[-1]}")


def detection_code() -> str:
    """Return a hash of the code that finds points."""
    root, digest = Path(diffsign.__file__).parent, hashlib.sha256()
    for name in DETECTION:
        place = root / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def detected(video: Path, truth: Truth, work: Path) -> tuple[Keypoints, float]:
    """Return the cleaned keypoints of a video at its own size and rate, and seconds that this took.

    Points are found once and kept until the code that finds them changes; they are cleaned anew every time.

    Raises:
        DiffSignError: if the video cannot be read, or the truth's pictures have another size.
    """
    folder = work / f"{video.parent.name}-{video.stem}"
    clip, raw, clean, stamp = (
        folder / name for name in ("clip.mkv", "keypoints.npz", "keypoints.clean.npz", "code.txt")
    )
    start = time.perf_counter()
    kept = stamp.exists() and stamp.read_text() == detection_code() and raw.stat().st_mtime >= video.stat().st_mtime
    if not (raw.exists() and kept):
        info, camera = probe_clip(video), truth.camera
        # Truth that does not say how large its pictures are says it by the principal point, which is about the middle.
        if max(abs(info.width - camera.width) / info.width, abs(info.height - camera.height) / info.height) > 0.1:
            raise DiffSignError(
                f"'{video}' is {info.width}x{info.height}, but the camera of its truth is for {camera.width}x"
                f"{camera.height} pixels; give K and image_size for the video's own pixels."
            )
        run("ingest", video, clip, f"--height={8 * round(info.height / 8)}", f"--fps={truth.fps or info.fps}")
        start = time.perf_counter()
        run("detect", clip, raw)
        stamp.write_text(detection_code())
    run("clean", raw, clean)
    return load_keypoints(clean), time.perf_counter() - start
