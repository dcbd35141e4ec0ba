"""What a run did not make: which result, at which stage, and what its log says last."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from diffsign.errors import explain_validation
from diffsign.records.json_record import load_record, save_record

FORMAT, VERSION = "diffsign-failures", 1


class Failure(BaseModel):
    """One result that is missing.

    Attributes:
        video: id of the source video.
        signer: id of the signer.
        stage: name of the rule that failed, or that was not run.
        log: its log file; empty if it was not run.
        message: last line of the log.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: str
    signer: str
    stage: str
    log: str = ""
    message: str = ""


class _Failures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    failures: list[Failure]


def save_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write failures as JSON (format ``diffsign-failures``)."""
    save_record(path, FORMAT, VERSION, _Failures(failures=list(failures)).model_dump(mode="json"), indent=1)


def load_failures(path: Path) -> list[Failure]:
    """Read what :func:`save_failures` wrote.

    Raises:
        DiffSignError: if the file is not there or is something else.
    """
    values, _ = load_record(path, FORMAT, VERSION, "list of failures")
    try:
        return _Failures.model_validate(values).failures
    except ValidationError as error:
        raise explain_validation(error, f"list of failures '{path}'") from error


#: What the command line writes before the reason for which it ends: a mistake that the user can mend, or another one.
MISTAKE, FAILED = "Error: ", "Failed: "


def last_line(log: Path) -> str:
    """Return what a log says last: the reason for which the command ended, or where it was when it was killed."""
    try:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    said = [line for line in lines if line]
    reasons = [line for line in said if line.startswith((MISTAKE, FAILED))]
    return (reasons or said or [""])[-1]


def is_mistake(log: Path, since: float = 0.0) -> bool:
    """Tell whether a log, if it was written after ``since`` (seconds of the epoch), ends in a mistake of the user's.

    Trying again is of no use then.
    """
    try:
        return log.stat().st_mtime >= since and last_line(log).startswith(MISTAKE)
    except OSError:
        return False
