"""What the chapters share: the checked config and sheets, and where things are."""

import re
import shlex
import sys

from snakemake.exceptions import WorkflowError

# The package is found beside this Snakefile, whether or not it is installed.
sys.path.insert(0, workflow.basedir)
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(workflow.basedir)}${{PYTHONPATH:+:$PYTHONPATH}}; ")

from diffsign.core.config import load_config, load_signers, load_videos
from diffsign.core.errors import DiffSignError
from diffsign.core.settings import to_flags

try:
    CONFIG = load_config(config)
    VIDEOS = load_videos(CONFIG)
    SIGNERS = load_signers(CONFIG)
except DiffSignError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
RESOURCES = CONFIG.resources
BODY = CONFIG.body or f"{RESOURCES}/body/body.npz"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"


wildcard_constraints:
    video="|".join(re.escape(video) for video in VIDEOS),
    signer="|".join(re.escape(signer) for signer in SIGNERS),
