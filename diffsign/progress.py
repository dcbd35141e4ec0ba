"""Progress bars: on a terminal only, on stderr, the same everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str | Callable[[], str], total: int | None = None) -> Iterator[Item]:
    """Yield from ``items`` while a bar advances; silent when stderr is no terminal.

    ``description`` stands before the bar; a function is asked anew after each item, for a figure that changes.
    """
    say = (lambda: description) if isinstance(description, str) else description
    if not sys.stderr.isatty():
        yield from items
        return
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(say(), total=total)
        for item in items:
            yield item
            progress.update(task, advance=1, description=say())
