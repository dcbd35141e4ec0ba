"""What a run did not make: which result, at which stage, and what its log says last."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from diffsign.errors import explain_validation
from diffsign.files import atomic, require_file

#: What the command line writes before a mistake that the user can mend.
MISTAKE = "Error: "


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

    format: Literal["diffsign-failures"] = "diffsign-failures"
    version: Literal[1] = 1
    failures: list[Failure]


def save_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write failures as JSON."""
    with atomic(path) as temporary:
        temporary.write_text(_Failures(failures=list(failures)).model_dump_json(indent=1), encoding="utf-8")


def load_failures(path: Path) -> list[Failure]:
    """Read what :func:`save_failures` wrote.

    Raises:
        DiffSignError: if the file is not there or is something else.
    """
    try:
        return _Failures.model_validate_json(require_file(path, "list of failures").read_bytes()).failures
    except ValidationError as error:
        raise explain_validation(error, f"list of failures '{path}'") from error


def last_line(log: Path) -> str:
    """Return the last line of a log that says something: the error, if it ends in one."""
    try:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    said = [line for line in lines if line]
    errors = [line for line in said if line.startswith(MISTAKE)]
    return (errors or said or [""])[-1]


def is_mistake(log: Path) -> bool:
    """Tell whether a log ends in a mistake that only the user can mend, so that trying again is of no use."""
    return last_line(log).startswith(MISTAKE)
