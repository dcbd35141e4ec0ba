"""Make the pictures of the documents.

    python docs/pictures.py                                 # from a finished demo
    python docs/pictures.py grid --body body.npz            # what the demo family draws

Each row of ``docs/images/chain.jpg`` is one step of the chain, each column one moment of the video;
``docs/images/overlay.jpg`` is the avatar over the source. ``docs/images/grid.jpg`` is eight signers by eight poses,
bodies, poses and attributes all kept from training: the first five rows from words, two from a picture alone, the last
from a picture whose shirt and background the words change.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from diffsign.records.clip import read_clip

ROOT = Path(__file__).parents[1]
ROWS = (
    "videos/demo/clip.mkv",
    "videos/demo/avatar/color.mkv",
    "videos/demo/control/pose.mkv",
    "signers/words/demo/clip.mkv",
    "signers/picture/demo/clip.mkv",
    "signers/both/demo/clip.mkv",
)
MOMENTS = 7
SIDE = 220


def row(path: Path) -> np.ndarray:
    """Return ``MOMENTS`` frames of a clip side by side, (SIDE, width, 3) uint8 RGB."""
    frames, info = read_clip(path)
    width = round(SIDE * info.width / info.height)
    picked = np.linspace(0.12, 0.95, MOMENTS) * (len(frames) - 1)
    return np.hstack([cv2.resize(frames[round(i)], (width, SIDE), interpolation=cv2.INTER_AREA) for i in picked])


def save(name: str, rows: list[np.ndarray]) -> None:
    """Write rows of pictures below each other to ``docs/images``."""
    target = ROOT / "docs/images" / name
    target.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(target), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


def grid(body: Path, family: Path | None, work: Path) -> np.ndarray:
    """Draw eight signers in eight poses, (2048, 2048, 3) uint8 RGB, on held-out frames kept in ``work``."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from appearance_measures import Artist, held_out_attributes, make_clips, manifest_of  # pyright: ignore[reportMissingImports]

    from diffsign.body.model import load_body
    from diffsign.config.generate import GenerateSettings
    from diffsign.training.attributes import Attributes, caption

    held = make_clips(load_body(body), work, 4, 72)
    artist = Artist(manifest_of(family), held, GenerateSettings(device="cpu"))  # type: ignore[call-arg]
    rng = np.random.default_rng(8)
    poses = [held.numbers(clip)[moment] for clip in range(4) for moment in (24, 52)]
    rows = []
    for number, attributes in enumerate(held_out_attributes(8, rng)):
        reference = work / "reference.png"
        portrait = (held.frames.portrait(rng, attributes, 128).transpose(1, 2, 0)[..., ::-1] * 255).round()
        cv2.imwrite(str(reference), portrait.astype(np.uint8))
        if number < 5:
            signer = artist.signer(caption(attributes))
        elif number < 7:
            signer = artist.signer(picture=reference)
        else:
            said = Attributes("yellow", attributes.skin, attributes.hair, attributes.sleeves, "blue")
            signer = artist.signer(caption(said, named=frozenset({"shirt", "background"})), reference)
        rows.append(np.hstack(list(artist.draw(signer, poses))))
    return np.vstack(rows)


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description="Make the pictures of the documents.")
    parser.add_argument("what", nargs="?", choices=["demo", "grid"], default="demo")
    parser.add_argument("--body", type=Path, help="body file, for the grid")
    parser.add_argument("--family", type=Path, help="folder of a demo family, by default the one that ships")
    parser.add_argument("--work", type=Path, help="folder that keeps the held-out frames")
    given = parser.parse_args()
    if given.what == "grid":
        if given.body is None:
            parser.error("the grid needs --body")
        with tempfile.TemporaryDirectory() as temporary:
            picture = grid(given.body, given.family, given.work or Path(temporary))
        save("grid.jpg", [picture])
        return
    save("chain.jpg", [row(ROOT / "results" / name) for name in ROWS])
    overlay, _ = read_clip(ROOT / "results/videos/demo/avatar/overlay.mp4")
    save("overlay.jpg", [overlay[round(moment * (len(overlay) - 1))] for moment in (0.3, 0.55, 0.85)])


if __name__ == "__main__":
    main()
