"""After a run in which something failed: list it, and make tables and report of what is there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from diffsign.config.project import Project
from diffsign.config.settings import repeated, to_flags
from diffsign.records.failures import Failure, is_mistake, last_line, load_failures, save_failures

#: Second of the epoch to which outputs of a failed run are dated, so that the next run makes them anew. Snakemake takes
#: 0 for no date at all.
LONG_AGO = 86400.0
#: What is said of a job whose log is empty.
KILLED = "killed before it said anything"


def unfinished_results(dag: Any, failed: Iterable[Any]) -> list[Failure]:
    """Return every result that a run should have made and has not.

    Args:
        dag: Snakemake's graph of jobs after the run.
        failed: jobs (or groups of them) that Snakemake tried in vain.
    """
    waiting = set(dag.needrun_jobs())
    tried = {job for entry in failed for job in getattr(entry, "jobs", [entry])}
    roots: dict[Any, Any] = {}

    def root(job: Any) -> Any:
        """Return the job that a waiting job waits for: one that failed, if there is one."""
        if job not in roots:
            roots[job] = job  # no job waits for itself
            found = [root(other) for other in dag.job_dependencies(job) if other in waiting]
            found.sort(key=lambda other: (other not in tried, other.rule.name))
            roots[job] = found[0] if found else job
        return roots[job]

    failures: dict[tuple[str, str], Failure] = {}
    results = [job for job in waiting if job.rule.name == "evaluate"]
    for job in results or [job for job in waiting if "video" in job.wildcards_dict]:
        video, signer = (str(job.wildcards_dict.get(name, "")) for name in ("video", "signer"))
        cause = root(job)
        log = str(cause.log[0]) if cause.log and cause in tried else ""
        message = (last_line(Path(log)) or KILLED) if log else "not run"
        failures[video, signer] = Failure(video=video, signer=signer, stage=cause.rule.name, log=log, message=message)
    return [failures[ids] for ids in sorted(failures)]


def failures_of_shards(project: Project, dag: Any) -> list[Failure]:
    """Return every result that shards should have made and have not; what a shard did not list was not run."""
    waiting = {str(job.wildcards_dict["shard"]) for job in dag.needrun_jobs() if "shard" in job.wildcards_dict}
    failures: list[Failure] = []
    for shard in (project.shards[name] for name in sorted(waiting)):
        listed = Path(shard.folder) / "failures.json"
        known = {(f.video, f.signer): f for f in load_failures(listed)} if listed.exists() else {}
        for video in shard.videos:
            for signer in project.signers:
                missing = Failure(video=video, signer=signer, stage="shard", message="not run")
                if (video, signer) in known or not known:
                    failures.append(known.get((video, signer), missing))
    return failures


def summarise_failed_run(workflow: Any, project: Project) -> None:
    """List what failed in ``results/failures.json`` and make tables and report of what is there.

    What is written is dated before the metrics that it is made from, so that the next run makes it anew. The run of a
    shard only lists its failures, for the run that started it.

    Args:
        workflow: Snakemake's workflow after the run.
        project: config and sheets.
    """
    config = project.config
    failures = unfinished_results(workflow.dag, workflow.scheduler.failed)
    if config.shard is not None:
        save_failures(Path(config.results) / "shards" / config.shard / "failures.json", failures)
        return
    if project.shards:
        failures = failures_of_shards(project, workflow.dag)
    asked = [job for job in workflow.dag.needrun_jobs() if job.rule.name in ("aggregate", "report")]
    outputs = [file for job in asked for file in job.output]
    if not failures or not outputs:
        return
    listed = Path(config.results) / "failures.json"
    save_failures(listed, failures)
    told = ["--videos", config.videos, *repeated("--signer", project.signers), "--failures", str(listed)]
    command = [sys.executable, "-m", "diffsign"]
    subprocess.run([*command, "aggregate", config.results, *told], check=False)
    if len(failures) < len(project.videos) * len(project.signers):
        page = [f"{config.results}/report.html", "--results", config.results, *to_flags(config.report)]
        subprocess.run([*command, "report", *page, *told], check=False)
    for file in map(Path, outputs):
        if file.exists():
            os.utime(file, (LONG_AGO, LONG_AGO))


def retry_no_mistakes() -> None:
    """Keep Snakemake from trying again what ended in a mistake of the user's; it knows no condition for retries.

    A log of an earlier run says nothing of this one's job, which may have been killed before it began.
    """
    from snakemake.jobs import Job

    begun = time.time()

    def restart_times(job: Any) -> int:
        return 0 if any(is_mistake(Path(log), begun) for log in job.log) else job.rule.restart_times

    Job.restart_times = property(restart_times)  # type: ignore[method-assign]
