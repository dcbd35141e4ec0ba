"""Make the pictures of the documents from a finished demo: ``python docs/pictures.py``.

Each row of ``docs/images/chain.jpg`` is one step of the chain, each column one moment of the video;
``docs/images/overlay.jpg`` is the avatar over the source.
"""

from pathlib import Path

import cv2
import numpy as np

from diffsign.core.clip import read_clip

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


def main() -> None:
    """Write the pictures."""
    save("chain.jpg", [row(ROOT / "results" / name) for name in ROWS])
    overlay, _ = read_clip(ROOT / "results/videos/demo/avatar/overlay.mp4")
    save("overlay.jpg", [overlay[round(moment * (len(overlay) - 1))] for moment in (0.3, 0.55, 0.85)])


if __name__ == "__main__":
    main()
