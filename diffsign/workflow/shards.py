"""One shard of a large sheet: a run of Snakemake of its own, inside a job of the run that started it.

Planning is what takes Snakemake long (``python benchmarks/scale.py``), so a run of many clips does not plan their
steps. It plans shards, and each shard plans its own clips.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diffsign import processes
from diffsign.errors import DiffSignError, TryAgainError
from diffsign.files import atomic
from diffsign.records.failures import MISTAKE, Failure, load_failures
from diffsign.workflow.warm import warm_commands


@dataclass(frozen=True)
class Inputs:
    """What is run.

    Attributes:
        snakefile: the workflow.
        config: what the config says, as ``key=value`` (:attr:`diffsign.config.project.Shard.changes`).
        part: rule that asks for the files: ``videos`` up to the avatars, ``signers`` the rest.
        repairs: how often the shard was finished and then found incomplete.
    """

    snakefile: Path
    config: tuple[str, ...]
    part: Literal["videos", "signers"]
    repairs: int = 0


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        status: says that the part is done (.json); ``failures.json`` beside it lists what is not.
    """

    status: Path


@dataclass(frozen=True)
class Resources:
    """What the run may take."""

    cores: int = 1
    mem_mb: int | None = None
    gpu: int = 0


def snakemake_command(inputs: Inputs, resources: Resources) -> list[str]:
    """Return the command of the inner run, which never asks a cluster for more jobs."""
    limits = {"mem_mb": resources.mem_mb, "gpu": resources.gpu}
    return [
        *(sys.executable, "-m", "snakemake", inputs.part, "--snakefile", str(inputs.snakefile)),
        *("--executor", "local", "--workflow-profile", "none", "--cores", str(resources.cores)),
        *("--resources", *(f"{name}={limit}" for name, limit in limits.items() if limit is not None)),
        *("--keep-going", "--rerun-incomplete", "--nolock", "--show-failed-logs", "--printshellcmds"),
        *("--config", *inputs.config),
    ]


def run(inputs: Inputs, outputs: Outputs, resources: Resources) -> str:
    """Make one part of a shard; a clip that fails leaves the others whole.

    The part ``videos`` is done when every other clip is; the part ``signers`` tries what it lacks once more, and then
    says what failed.

    Raises:
        DiffSignError: if results are missing because of mistakes that the user can mend.
        TryAgainError: if something else went wrong, such as a job that was killed.
    """
    listed = outputs.status.parent / "failures.json"
    listed.unlink(missing_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != "SNAKEMAKE_PROFILE"}
    with warm_commands() as warm:
        done = processes.run(snakemake_command(inputs, resources), env=environment | warm, stdout=None, stderr=None)
    failures = load_failures(listed) if listed.exists() else []
    if done.returncode and not failures:
        raise TryAgainError(f"Snakemake ended with status {done.returncode} and did not say what failed.")
    if failures and inputs.part == "signers":
        other = [failure for failure in failures if not failure.message.startswith(MISTAKE)]
        raise TryAgainError(_said(other)) if other else DiffSignError(_said(failures))
    with atomic(outputs.status) as temporary:
        temporary.write_text(json.dumps({"repairs": inputs.repairs}), encoding="utf-8")
    return f"'{outputs.status}'" + (f"; {_said(failures)}" if failures else "")


def _said(failures: list[Failure]) -> str:
    first = failures[0]
    names = f"{first.video} by {first.signer}" if first.signer else first.video
    return f"{len(failures)} failed; the first is {names}, at {first.stage}: {first.message}"
