"""What a person asks for in one line, as a project: ``diffsign run``."""

from __future__ import annotations

import copy
import csv
import filecmp
import hashlib
import io
import re
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from diffsign.config.schema import load_config, read_config
from diffsign.config.settings import parse
from diffsign.config.sheets import VideoRow
from diffsign.errors import DiffSignError
from diffsign.files import atomic, cache_folder, require_file
from diffsign.ingest.source import probe_source
from diffsign.records.picture import read_picture
from diffsign.workflow.layout import CONFIG_FILE, SIGNERS_FILE, VIDEOS_FILE, write_changed

#: First line of the sheets that ``diffsign run`` writes, and may write anew.
MADE_BY_RUN = "# Written by diffsign run, which writes it anew.\n"
#: Columns of the sheet of videos, one for each kind of source.
KINDS = ("path", "pose", "motion", "say")
COLUMNS = ("video", *KINDS, "start", "end")
WORDS = {"path": "video", "pose": ".pose file", "motion": "motion"}

EXAMPLE = "a woman in a green shirt"


@dataclass(frozen=True)
class Wish:
    """What a person asks for in one line: sources, and one signer.

    Attributes:
        sources: videos, ``.pose`` files, or SMPL-X parameters (``.npz``, or a folder with one a frame).
        say: texts to sign.
        start: seconds into the videos where their clips begin.
        end: seconds into the videos where their clips end.
        text: the signer in words.
        images: pictures of the signer.
        family: the family that draws; None for the config's.
        consent: by whose leave the pictures of a real person are used.
        settings: keys of the config with their values, such as ``generate.steps=8``.
    """

    sources: tuple[Path, ...] = ()
    say: tuple[str, ...] = ()
    start: float | None = None
    end: float | None = None
    text: str | None = None
    images: tuple[Path, ...] = ()
    family: str | None = None
    consent: str | None = None
    settings: tuple[str, ...] = ()


def write_wish(folder: Path, wish: Wish) -> None:
    """Write the project that makes a wish; files that say the same already stay untouched, so that a run goes on.

    Raises:
        DiffSignError: if a source or a picture is not there or is none, nothing says who shall sign, or the folder
            holds something else or may not be written to.
    """
    if not wish.text and not wish.images:
        raise DiffSignError(f"say who shall sign: --text '{EXAMPLE}', --image with a picture of a person, or both.")
    rows = _sources(wish)
    for path in wish.images:
        read_picture(path)
    images = ";".join(str(_tracked(path)) for path in wish.images)
    consent = ["yes", wish.consent] if wish.consent else ["", ""]
    signer = ["signer", images, wish.text or "", wish.family or "", *consent]
    _require_own(folder, rows)
    config, before = _config(folder, wish.settings)
    for path in (*wish.images, *(source for source in wish.sources if _kind(source) != "path")):
        place = folder / _tracked(path)
        if place != path.resolve() and not (place.is_file() and filecmp.cmp(path, place, shallow=False)):
            with atomic(place) as temporary:
                shutil.copyfile(path, temporary)
    write_changed(folder / VIDEOS_FILE, MADE_BY_RUN + _sheet([COLUMNS, *rows]))
    columns = ["signer", "image", "text", "family", "real_person", "consent"]
    write_changed(folder / SIGNERS_FILE, MADE_BY_RUN + _sheet([columns, signer]))
    if config != before:
        write_changed(folder / CONFIG_FILE, yaml.safe_dump(config, sort_keys=False))


def _config(folder: Path, settings: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the config with some settings changed, and as it is in the folder now."""
    path, before = folder / CONFIG_FILE, None
    config: dict[str, Any] = {"videos": VIDEOS_FILE, "signers": SIGNERS_FILE, "cache": str(cache_folder())}
    if path.is_file():
        read_config(path)
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
        config = copy.deepcopy(before)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise DiffSignError(f"--set {setting} has no value; write it as --set generate.steps=8.")
        section, *names = reversed(key.split("."))
        place = config
        for name in reversed(names):
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise DiffSignError(f"--set {setting}: '{name}' of the config is no section with keys of its own.")
        place[section] = yaml.safe_load(value)
    load_config(config, "--set")
    return config, before


def default_folder(wish: Wish) -> Path:
    """Return the folder of a wish for which none is named: beside the user, called after its first source."""
    return Path(f"{next(iter(_named(wish)), 'diffsign')}-signed")


def _kind(source: Path | str) -> str:
    """Return the column of a source."""
    if isinstance(source, str):
        return "say"
    if source.suffix.lower() == ".pose":
        return "pose"
    return "motion" if source.suffix.lower() == ".npz" or (source.is_dir() and any(source.glob("*.npz"))) else "path"


def _sources(wish: Wish) -> list[list[str]]:
    """Return the rows of the sheet of videos: an id, and a cell for each of :data:`KINDS`."""
    rows: list[list[str]] = []
    for name, source in _named(wish).items():
        kind = _kind(source)
        if isinstance(source, str):
            cell = source
        else:
            found = source if source.is_dir() and kind == "motion" else require_file(source, WORDS[kind])
            if kind == "path":
                probe_source(found)
            cell = str(found.resolve() if kind == "path" else _tracked(found))
        window = [str(time) if time is not None and kind == "path" else "" for time in (wish.start, wish.end)]
        row = [name, *(cell if kind == column else "" for column in KINDS), *window]
        parse(VideoRow, {column: cell for column, cell in zip(COLUMNS, row, strict=True) if cell}, f"source '{name}'")
        rows.append(row)
    return rows


def _require_own(folder: Path, rows: Sequence[Sequence[str]]) -> None:
    """Refuse a folder whose sheets a person has written, or that holds the results of other sources."""
    if folder.exists() and not folder.is_dir():
        raise DiffSignError(f"'{folder}' is a file; name a folder for the project and its results with -o.")
    if "{" in str(folder.resolve()) or "}" in str(folder.resolve()):
        raise DiffSignError(
            f"'{folder.resolve()}' has {{ or }} in its path, which the workflow reads as a pattern; name another "
            "folder with -o."
        )
    sheet = folder / VIDEOS_FILE
    if not sheet.is_file():
        return
    text = sheet.read_text(encoding="utf-8", errors="replace")
    if not text.startswith(MADE_BY_RUN):
        raise DiffSignError(
            f"'{folder}' is a project with sheets of its own. Add a row to '{sheet}' and run it: diffsign run -o "
            f"{folder}; or name another folder with -o."
        )
    kept = list(csv.reader(io.StringIO(text.removeprefix(MADE_BY_RUN)), delimiter="\t"))[1:]
    sources = [list(row[: len(KINDS) + 1]) for row in rows]
    if gone := [row for row in kept if row[: len(KINDS) + 1] not in sources]:
        what = ", ".join(f"'{cell}'" for row in gone for cell in row[1 : len(KINDS) + 1] if cell)
        raise DiffSignError(
            f"'{folder}' is where {what} is signed; name another folder with -o, or all sources in one command."
        )


def _tracked(path: Path) -> Path:
    """Return where sheet and workflow find a file: where it is, or a copy of it if its path is a pattern to them."""
    path = path.resolve()
    if not re.search("[{};]", str(path)) or path.is_dir():
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return Path("config/files") / f"{_identifier(path.stem)}-{digest}{path.suffix}"


def _identifier(stem: str) -> str:
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")[:80] or "source"


def _named(wish: Wish) -> dict[str, Path | str]:
    """Give each source an id made of its file's name, or of what is said."""
    named: dict[str, Path | str] = {}
    for source in (*wish.sources, *wish.say):
        stem = _identifier(source if isinstance(source, str) else source.resolve().stem)
        taken = {name.lower() for name in named}
        name, number = stem, 2
        while name.lower() in taken:
            name, number = f"{stem}-{number}", number + 1
        named[name] = source
    return named


def _sheet(rows: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter="\t", lineterminator="\n").writerows(rows)
    return stream.getvalue()
