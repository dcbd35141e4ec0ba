"""Files that are either whole or absent, and temporary ones that do not stay."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from diffsign.errors import DiffSignError, DiskFullError

#: Suffixes of pictures that are looked for in folders.
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp")

#: What temporary names have in them, so that a later run knows them.
_MARK = "diffsign-"
#: A disk with fewer bytes left than this is full, whatever a library says of the write that failed.
_FULL = 64 * 1024
#: Errors of a place where nothing may be written, full or not.
_FORBIDDEN = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.EISDIR,
)


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, says that a disk or a quota is full."""
    while error is not None:
        if isinstance(error, DiskFullError):
            return True
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(words in str(error) for words in ("No space left on device", "Disk quota exceeded")):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_forbidden(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _FORBIDDEN


@contextmanager
def _naming_what_forbids(path: Path) -> Generator[None, None, None]:
    """Turn errors of a place where nothing may be written into one that names ``path``."""
    try:
        yield
    except OSError as error:
        if _is_forbidden(error):
            raise DiffSignError(f"'{path}' cannot be written: {error.strerror}; choose another place.") from error
        raise


@contextmanager
def naming_a_full_disk(path: Path, advice: str) -> Generator[None, None, None]:
    """Turn every error that comes of a full disk into a :class:`DiskFullError` that names ``path``."""
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        if (isinstance(error, DiffSignError) or _is_forbidden(error)) and not is_disk_full(error):
            raise
        folder = next(parent for parent in (path, *path.absolute().parents) if parent.is_dir())
        if is_disk_full(error) or shutil.disk_usage(folder).free < _FULL:
            raise DiskFullError(f"the disk is full: '{path}' could not be written; {advice}.") from error
        raise


def _lock(descriptor: int) -> bool:
    """Lock an open file or folder for this process, or tell that another holds it (or that locks do not work here)."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def cache_folder() -> Path:
    """Return where a person's projects keep what they share."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diffsign"


def require_writable(folder: Path, advice: str) -> None:
    """Make a folder, if it is missing.

    Raises:
        DiffSignError: if it cannot be made, or nothing may be written in it; ``advice`` says what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = None if os.access(folder, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)
    except OSError as error:
        reason = error.strerror
    if reason:
        raise DiffSignError(f"the folder '{folder}' cannot be written: {reason}; {advice}.")


@contextmanager
def one_at_a_time(folder: Path) -> Generator[None, None, None]:
    """Wait until no other process is in such a block for the same folder, which is made if it is missing.

    Where a file system has no locks, nobody waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(pattern: str) -> None:
    """Remove temporary files and folders that nobody holds any more: what a killed run has left."""
    for name in glob.glob(pattern):  # noqa: PTH207 - a pattern with an absolute, escaped folder
        with suppress(OSError):
            # Network file systems lock only what is open for writing.
            descriptor = os.open(name, os.O_RDONLY if Path(name).is_dir() else os.O_RDWR)
            try:
                if _lock(descriptor):
                    shutil.rmtree(name) if Path(name).is_dir() else Path(name).unlink()
            finally:
                os.close(descriptor)


def _created(path: Path, folder: bool = False) -> int | None:
    """Make and lock an empty file or folder; return its descriptor, or None if the name is taken."""
    try:
        if folder:
            path.mkdir(mode=0o700)
        else:
            path.touch(exist_ok=False)
    except FileExistsError:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except FileNotFoundError:
        return None
    _lock(descriptor)
    if path.exists():  # nobody took it for abandoned before it was locked
        return descriptor
    os.close(descriptor)
    return None


@contextmanager
def temporary_beside(path: Path) -> Generator[Path, None, None]:
    """Give an empty temporary file in the folder of ``path``, with its suffix; it is removed afterwards.

    What earlier runs left of the same file when they were killed is removed first. A lock tells them from files that
    another process is writing.
    """
    start, end = f".{path.stem[:40]}.{_MARK}", path.suffix
    _remove_abandoned(f"{glob.escape(str(path.absolute().parent / start))}*{glob.escape(end)}")
    temporary, descriptor = None, None
    try:
        while descriptor is None:
            temporary = path.parent / f"{start}{secrets.token_hex(4)}{end}"
            with _naming_what_forbids(path):
                descriptor = _created(temporary)
        assert temporary is not None
        yield temporary
    finally:
        # Its name was known before it was made, so that an exit at any time finds it.
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def atomic(path: str | Path) -> Generator[Path, None, None]:
    """Give a temporary path beside ``path`` and move it there when the block ends without error.

    The temporary name keeps the suffix, because encoders choose the format by it. A block that raises leaves nothing
    behind and an older ``path`` untouched; what a killed run has left is removed by the next one.

    Raises:
        DiskFullError: if the block fails because there is no space left.
        DiffSignError: if nothing may be written there.
    """
    path = Path(path)
    with naming_a_full_disk(path, "make room, or write elsewhere"):
        with _naming_what_forbids(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise NotADirectoryError(errno.ENOTDIR, "Not a folder", str(path.parent)) from error
        with temporary_beside(path) as temporary:
            yield temporary
            temporary.replace(path)


@contextmanager
def scratch(purpose: str, place: Path | None = None) -> Generator[Path, None, None]:
    """Give an empty folder that is removed afterwards, unless it was moved, as are those that killed runs have left.

    Args:
        purpose: a word for its name.
        place: folder that it is made in; by default ``TMPDIR``.

    Raises:
        DiskFullError: if the block fails because there is no space left.
    """
    advice = "make room, or set TMPDIR to a folder on a larger disk" if place is None else "make room"
    place = place or Path(tempfile.gettempdir())
    start = f"{_MARK}{purpose}-"
    _remove_abandoned(f"{glob.escape(str(place / start))}*")
    with naming_a_full_disk(place, advice):
        folder, descriptor = None, None
        try:
            while descriptor is None:
                folder = place / f"{start}{secrets.token_hex(4)}"
                descriptor = _created(folder, folder=True)
            assert folder is not None
            yield folder
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            if descriptor is not None:
                os.close(descriptor)


def require_file(path: str | Path, what: str) -> Path:
    """Return ``path`` if it is a non-empty file, otherwise raise an error naming ``what`` it should be."""
    path = Path(path)
    if "\0" in str(path):
        raise DiffSignError(f"{what} {str(path)!r} is no path: it holds a zero byte.")
    try:
        exists = path.exists()
    except OSError as error:
        raise DiffSignError(f"{what} '{path}' cannot be looked at: {error.strerror}.") from error
    if not exists:
        raise DiffSignError(f"{what} '{path}' does not exist; check the path.")
    if path.is_dir():
        raise DiffSignError(f"{what} '{path}' is a folder; a file was expected.")
    if not path.is_file():
        raise DiffSignError(f"{what} '{path}' is no ordinary file (a pipe or a device).")
    if not os.access(path, os.R_OK):
        raise DiffSignError(f"{what} '{path}' may not be read by you; change its permissions.")
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
