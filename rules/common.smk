"""What the chapters share: the checked config and sheets, and where things are."""

import logging
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The package is found beside this Snakefile, installed or not: here, and by the commands of the rules, whose `python` is
# the one that runs Snakemake unless conda or a container puts its own before it. As a module from a hosting provider the
# workflow has nothing beside it, and the package is the one that is installed.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
if ROOT.is_dir():
    sys.path.insert(0, str(ROOT))
try:
    from diffsign import __version__ as VERSION
except ModuleNotFoundError:
    raise WorkflowError(
        "the package diffsign is not installed beside Snakemake; install it from the repository that the workflow comes "
        "from, as in: pip install git+https://github.com/OWNER/REPOSITORY"
    ) from None
from diffsign.config.project import load_project
from diffsign.config.settings import repeated, to_flags
from diffsign.config.sheets import ID_PATTERN
from diffsign.errors import DiffSignError
from diffsign.workflow.experiments import chosen_experiments, comparison, overrides
from diffsign.workflow.failures import retry_no_mistakes, summarise_failed_run
from diffsign.workflow.layout import package_folder, workflow_file

for variable, folder in {
    "PYTHONPATH": package_folder(Path(".snakemake/diffsign").absolute()),
    "PATH": Path(sys.executable).parent,
}.items():
    os.environ[variable] = os.pathsep.join(
        filter(None, [str(folder), os.getenv(variable, "")])
    )

retry_no_mistakes()
if not workflow.is_main_process:
    # Warnings of former names are given once, by the run and not by each of its jobs.
    logging.getLogger("diffsign").setLevel(logging.ERROR)

try:
    PROJECT = load_project(config)
except DiffSignError as error:
    raise WorkflowError(str(error)) from None

CONFIG = PROJECT.config
VIDEOS = PROJECT.videos
SIGNERS = PROJECT.signers
RESULTS = CONFIG.results
RESOURCES = CONFIG.resources
SHARED = CONFIG.shared
BODY = PROJECT.body
#: Graphics cards that one job of a diffusion model takes on a cluster.
GPUS = 1 if CONFIG.generate.device == "cuda" else 0
#: Sources that are SMPL-X parameters, and those that are a ``.pose`` file or a text, as patterns of their ids.
PARAMETERS = "|".join(
    re.escape(name) for name, row in PROJECT.clips.items() if row.motion is not None
)
POSED = "|".join(
    re.escape(name)
    for name, row in PROJECT.clips.items()
    if not row.filmed and row.motion is None
)
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
SNAKEFILE = f"{ROOT}/Snakefile" if ROOT.is_dir() else str(workflow_file())


wildcard_constraints:
    video=ID_PATTERN if PROJECT.shards else "|".join(map(re.escape, PROJECT.clips)),
    signer="|".join(map(re.escape, SIGNERS)),
    shard=r"s\d+",
    subject="|".join(map(re.escape, CONFIG.subjects)) or "none",


scattergather:
    chunks=CONFIG.chunks,


def minutes(clips, each):
    """Return the minutes that clips take: ``each`` for a minute of signing, and ten for the start."""
    return round(10 + each * clips.seconds / 60)


#: Cores that the run may use; None where none are named, as on a cluster (``workflow.cores`` would be an error).
CORES = workflow.resource_settings.cores


def share(jobs):
    """Return what says the threads of a job of which there are so many: its part of the cores, at most four.

    More are not used well. A job of a cluster has two, whatever ``--cores`` says: what it asks for when it is submitted
    is what it takes when it runs.
    """

    def threads(wildcards):
        if CORES is None or not (workflow.is_main_process and workflow.local_exec):
            return 2
        return min(4, max(1, CORES // max(1, jobs)))

    return threads


#: Threads of a job of one video, of one signer, of one video by one signer, and of a chunk of that.
OF_ONE_VIDEO = share(len(VIDEOS))
OF_ONE_SIGNER = share(len(SIGNERS))
OF_ONE_RESULT = share(len(VIDEOS) * len(SIGNERS))
OF_ONE_CHUNK = share(len(VIDEOS) * len(SIGNERS) * CONFIG.chunks)


def growing(amount):
    """Return a resource that grows with every attempt."""
    return lambda wildcards, attempt: amount * attempt


def lasting(each):
    """Return the runtime of a step that takes ``each`` minutes for a minute of signing; it grows with every attempt."""
    return lambda wildcards, attempt: attempt * minutes(video(wildcards), each)


def video(wildcards):
    """Return the video of a job."""
    return PROJECT.video(wildcards.video)


def signer(wildcards):
    """Return the signer of a job."""
    return PROJECT.signer(wildcards.signer)


def subject(wildcards):
    """Return the subject of a job."""
    return PROJECT.subject(wildcards.subject)


def shard(wildcards):
    """Return the shard of a job."""
    return PROJECT.shards[wildcards.shard]
