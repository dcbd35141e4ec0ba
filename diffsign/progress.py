"""Progress bars: on a terminal only, on stderr, the same everywhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")

#: Environment variable with a folder in which each process says how far it is, for a bar over many of them.
FOLDER = "DIFFSIGN_PROGRESS"


def track(items: Iterable[Item], description: str | Callable[[], str], total: int | None = None) -> Iterator[Item]:
    """Yield from ``items`` while a bar advances; silent when stderr is no terminal.

    ``description`` stands before the bar; a function is asked anew after each item, for a figure that changes.
    """
    say = (lambda: description) if isinstance(description, str) else description
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    if FOLDER in os.environ:
        yield from _told(items, say, total, Path(os.environ[FOLDER]) / str(os.getpid()))
        return
    if not sys.stderr.isatty():
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(say(), total=total)
        for item in items:
            yield item
            progress.update(task, advance=1, description=say())


def _told(items: Iterable[Item], say: Callable[[], str], total: int | None, file: Path) -> Iterator[Item]:
    """Yield from ``items`` and write, twice a second, how many there were."""
    last = 0.0
    try:
        for count, item in enumerate(items, 1):
            yield item
            if time.monotonic() - last > 0.5:
                last = time.monotonic()
                file.write_text(f"{say()}\t{count}\t{total or ''}", encoding="utf-8")
    finally:
        file.unlink(missing_ok=True)
