"""Which results a run should have: those that are there, and what failed instead."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffsign.config.sheets import VideoRow, read_sheet
from diffsign.errors import DiffSignError
from diffsign.files import atomic
from diffsign.records.failures import Failure, load_failures

#: Columns of the table of failures.
COLUMNS = ("video", "signer", "stage", "message", "log")


@dataclass(frozen=True)
class Expected:
    """The results of a run.

    Attributes:
        metrics: the metrics files that are there.
        failures: every other result, and why it is not there.
    """

    metrics: tuple[Path, ...]
    failures: tuple[Failure, ...] = ()


def expected_results(
    folder: Path, metrics: Sequence[Path], videos: Path | None, signers: Sequence[str], failures: Sequence[Path] = ()
) -> Expected:
    """Return the given metrics, and what is there of every video by every signer.

    Args:
        folder: folder of results.
        metrics: metrics files by name.
        videos: sheet of the videos, with signers.
        signers: names of the signers.
        failures: lists of what a run did not make; a result in them does not count, even if there is an older one.
    """
    if (videos is None) != (not signers):
        raise DiffSignError("give the sheet of --videos and each --signer, or none of them.")
    if videos is None:
        return Expected(tuple(metrics), tuple(failure for path in failures for failure in load_failures(path)))
    known = {(failure.video, failure.signer): failure for path in failures for failure in load_failures(path)}
    found = [*metrics]
    failed: list[Failure] = []
    for video in read_sheet(videos, VideoRow):
        for signer in signers:
            file = folder / "signers" / signer / video / "metrics.json"
            if (video, signer) in known:
                failed.append(known[video, signer])
            elif file.is_file():
                found.append(file)
            else:
                failed.append(Failure(video=video, signer=signer, stage="", message="not run"))
    return Expected(tuple(found), tuple(failed))


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write the table of what failed; it has a header alone if nothing did."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(failure, column) for column in COLUMNS] for failure in failures)
