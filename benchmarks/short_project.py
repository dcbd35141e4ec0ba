"""A project of short clips of the demo's source and one signer, drawn small, for what is measured of whole runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "config/demo/source.mp4"
CONFIG: dict[str, Any] = {
    "videos": "config/videos.tsv",
    "signers": "config/signers.tsv",
    "ingest": {"height": 128},
    "render": {"samples": 1},
    "generate": {"steps": 1, "width": 128, "height": 128, "device": "cpu"},
}


def make_project(folder: Path, videos: Sequence[Sequence[str]], config: dict[str, Any] | None = None) -> None:
    """Write config and sheets.

    Args:
        folder: of the project; it gets ``broken.mp4``, which is no video.
        videos: rows of the sheet of videos, the header first.
        config: what differs from :data:`CONFIG`.
    """
    (folder / "config").mkdir(parents=True)
    (folder / "config/config.yaml").write_text(yaml.safe_dump(CONFIG | (config or {})))
    (folder / "broken.mp4").write_text("this is no video")
    (folder / "config/videos.tsv").write_text("\n".join("\t".join(row) for row in videos) + "\n")
    (folder / "config/signers.tsv").write_text("signer\ttext\nred\ta woman with a red shirt\n")
