"""Files that are either whole or absent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from diffsign.errors import DiffSignError

#: Suffixes of pictures that are looked for in folders.
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp")


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and move it there when the block ends without error.

    The temporary name keeps the suffix, because encoders choose the format by it. A block that
    raises leaves nothing behind and an older ``path`` untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def require_file(path: str | Path, what: str) -> Path:
    """Return ``path`` if it is a non-empty file, otherwise raise a sentence naming ``what`` it should be."""
    path = Path(path)
    if not path.exists():
        raise DiffSignError(f"{what} '{path}' does not exist; check the path.")
    if path.is_dir():
        raise DiffSignError(f"{what} '{path}' is a folder; a file was expected.")
    if path.stat().st_size == 0:
        raise DiffSignError(f"{what} '{path}' is empty (0 bytes); copy or make it again.")
    return path


def picture_files(paths: Sequence[str | Path]) -> list[Path]:
    """Return the pictures among files and folders, those of a folder sorted by name.

    A name with two suffixes, such as ``1.pose.png``, is a picture's companion and not one of its own.

    Raises:
        DiffSignError: if a path does not exist, or there is no picture at all.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += sorted(
                file for file in path.iterdir() if file.suffix.lower() in PICTURES and len(file.suffixes) == 1
            )
        else:
            files.append(require_file(path, "picture"))
    if not files:
        raise DiffSignError(
            f"there is no picture ({', '.join(PICTURES)}) in {', '.join(repr(str(path)) for path in paths)}; give "
            "three to ten that show the character alone."
        )
    return files
