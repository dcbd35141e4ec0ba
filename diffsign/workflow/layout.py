"""Folders of projects: a config, two sheets, a README; and where the workflow's own files are."""

from __future__ import annotations

import csv
import io
import os
import re
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file

#: A project's config, in its folder.
CONFIG_FILE = "config/config.yaml"

VIDEOS = """\
video	path	start	end	caption
"""

SIGNERS = """\
signer	image	text
words		a woman with a green shirt
"""

CONFIG = """\
# What this project makes. Every key that there is, with its default: diffsign config defaults
videos: config/videos.tsv
signers: config/signers.tsv
"""

README = """\
# A DiffSign project

1. Copy videos of a person signing here, and give each a line in `config/videos.tsv`: an id, and the path. `start` and
   `end` cut it, in seconds; `caption` says in words who is seen. Columns are separated by tabs.
2. Say who shall sign in `config/signers.tsv`: an id, and a picture, or words, or both.
3. `diffsign run` makes everything; `Ctrl-C` stops it, and the same command goes on. `diffsign config check
   config/config.yaml` only looks at the sheets.

`results/report.html` shows the results side by side. Settings are in `config/config.yaml`; on a cluster, run Snakemake
itself (`snakemake --snakefile "$(diffsign run --show-snakefile)" --help`).
"""


@dataclass(frozen=True)
class Wish:
    """What a person asks for in one line: videos, and one signer."""

    videos: tuple[Path, ...]
    text: str | None = None
    images: tuple[Path, ...] = ()
    family: str | None = None


def workflow_file() -> Path:
    """Return the workflow's Snakefile: beside the package in a checkout, or where pip put it."""
    root = Path(__file__).resolve().parents[2]
    for path in (root / "Snakefile", Path(sysconfig.get_path("data")) / "share" / "diffsign" / "Snakefile"):
        if path.is_file():
            return path
    raise DiffSignError("the workflow's Snakefile is not beside the package; install DiffSign again.")


def cache_folder() -> Path:
    """Return where bodies and manifests are kept for all projects of a person."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diffsign"


def new_project(folder: Path) -> list[Path]:
    """Lay out a project; return the files.

    Raises:
        DiffSignError: if there is a project already.
    """
    if (folder / "config").exists():
        raise DiffSignError(f"'{folder}' has a folder config already; name a new one, or change what is there.")
    files = {CONFIG_FILE: CONFIG, "config/videos.tsv": VIDEOS, "config/signers.tsv": SIGNERS, "README.md": README}
    for name, text in files.items():
        _write(folder / name, text)
    return [folder / name for name in files]


def write_wish(folder: Path, wish: Wish) -> None:
    """Write the project that makes a wish; files that say the same already stay untouched, so that a run goes on.

    Raises:
        DiffSignError: if a video or a picture is not there, or nothing says who shall sign.
    """
    for path in (*wish.videos, *wish.images):
        require_file(path, "video" if path in wish.videos else "picture")
    if not wish.text and not wish.images:
        raise DiffSignError("say who shall sign: --text 'a woman with a green shirt', --image of a person, or both.")
    videos = [[name, str(path.resolve())] for name, path in _named(wish.videos).items()]
    images = ";".join(str(path.resolve()) for path in wish.images)
    _write(folder / "config/videos.tsv", _sheet([["video", "path"], *videos]))
    row = ["signer", images, wish.text or "", wish.family or ""]
    _write(folder / "config/signers.tsv", _sheet([["signer", "image", "text", "family"], row]))
    settings: dict[str, Any] = {
        "videos": "config/videos.tsv",
        "signers": "config/signers.tsv",
        "resources": str(cache_folder()),
    }
    if not (folder / CONFIG_FILE).exists():
        _write(folder / CONFIG_FILE, yaml.safe_dump(settings, sort_keys=False))


def _named(videos: Sequence[Path]) -> dict[str, Path]:
    """Give each video an id made of its file's name."""
    named: dict[str, Path] = {}
    for path in videos:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-_")[:80] or "video"
        taken = {name.lower() for name in named}
        name, number = stem, 2
        while name.lower() in taken:
            name, number = f"{stem}-{number}", number + 1
        named[name] = path
    return named


def _sheet(rows: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter="\t", lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
