"""Folders of projects: a config, two sheets, a README; and where the workflow's own files are."""

from __future__ import annotations

import sysconfig
from contextlib import suppress
from pathlib import Path

from diffsign.errors import DiffSignError
from diffsign.files import atomic

#: A project's config, in its folder.
CONFIG_FILE = "config/config.yaml"

VIDEOS_FILE, SIGNERS_FILE = "config/videos.tsv", "config/signers.tsv"

VIDEOS = """\
video	path	say	start	end	caption
"""

SIGNERS = """\
signer	image	text
words		a woman in a green shirt
"""

CONFIG = """\
# What this project makes. Every key that there is, with its default: diffsign config defaults
videos: config/videos.tsv
signers: config/signers.tsv
"""

README = """\
# A DiffSign project

1. Copy videos of a person signing here, and give each a line in `config/videos.tsv`: an id, and the path, or in its
   place a word to `say`. `start` and `end` cut a video, in seconds; `caption` says in words who is seen. Columns are
   separated by tabs.
2. Say who shall sign in `config/signers.tsv`: an id, and a picture, or words, or both.
3. `diffsign run` makes everything; `Ctrl-C` stops it, and the same command goes on. `diffsign config check
   config/config.yaml` only looks at the sheets.

`results/report.html` shows the results side by side. Settings are in `config/config.yaml`; on a cluster, run Snakemake
itself (`snakemake --snakefile "$(diffsign run --show-snakefile)" --help`).
"""


def workflow_file() -> Path:
    """Return the workflow's Snakefile: beside the package in a checkout, or where pip put it."""
    root = Path(__file__).resolve().parents[2]
    for path in (root / "Snakefile", Path(sysconfig.get_path("data")) / "share" / "diffsign" / "Snakefile"):
        if path.is_file():
            return path
    raise DiffSignError("the workflow's Snakefile is not beside the package; install DiffSign again.")


def package_folder(place: Path) -> Path:
    """Return a folder with the package and no other one, for commands that run in an environment of their own.

    In a checkout that is the repository; otherwise ``place``, with a link to where the package is installed.
    """
    package = Path(__file__).resolve().parents[1]
    if (package.parent / "Snakefile").is_file():
        return package.parent
    link = place / package.name
    if link.resolve() != package:
        place.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        with suppress(FileExistsError):  # another job was quicker
            link.symlink_to(package, target_is_directory=True)
    return place


def new_project(folder: Path) -> list[Path]:
    """Lay out a project; return the files.

    Raises:
        DiffSignError: if there is a project already.
    """
    if (folder / "config").exists():
        raise DiffSignError(f"'{folder}' has a folder config already; name a new one, or change what is there.")
    files = {CONFIG_FILE: CONFIG, "config/videos.tsv": VIDEOS, "config/signers.tsv": SIGNERS, "README.md": README}
    for name, text in files.items():
        write_changed(folder / name, text)
    return [folder / name for name in files]


def write_changed(path: Path, text: str) -> None:
    """Write a text file, unless it says the same already."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
