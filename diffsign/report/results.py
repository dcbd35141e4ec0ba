"""The results of a run, read one after the other, so that ten thousand need no more memory than three."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from diffsign.errors import DiffSignError
from diffsign.progress import track
from diffsign.records.metrics import Evaluation, load_metrics, read_names


@dataclass(frozen=True)
class Results:
    """The metrics files of a run, sorted by signer and video, read when they are iterated over.

    Attributes:
        paths: the files.
        names: signer and video of each.
    """

    paths: tuple[Path, ...]
    names: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Evaluation]:
        return (load_metrics(path) for path in track(self.paths, "reading results"))

    def without_series(self, description: str) -> Iterator[Evaluation]:
        """Yield the results without their per-frame values, behind a progress bar."""
        return (load_metrics(path, series=False) for path in track(self.paths, description))


def find_results(paths: Iterable[str | Path]) -> Results:
    """Sort the metrics files of all results by signer and video.

    Raises:
        DiffSignError: if there is none, one cannot be read, or two are of the same video and signer.
    """
    files: dict[tuple[str, str], Path] = {}
    for path in map(Path, paths):
        signer, video = read_names(path)
        if (signer, video) in files:
            raise DiffSignError(
                f"'{files[signer, video]}' and '{path}' are both of the video '{video}' by the signer '{signer}'; "
                "give each once (the names come from --video and --signer of `diffsign evaluate`)."
            )
        files[signer, video] = path
    if not files:
        raise DiffSignError("no metrics were given; name the JSON files that `diffsign evaluate` wrote.")
    names = tuple(sorted(files))
    return Results(tuple(files[pair] for pair in names), names)
