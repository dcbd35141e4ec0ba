import numpy as np
import pytest

from diffsign.records.clip import probe_clip, write_clip
from tests.workflow.slurm import slurm, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def test_rules_run_as_jobs_of_a_cluster(project, root):
    """The cluster profile submits the rules with their resources, and the results come back."""
    for name in ("a", "b"):
        frames = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
        write_clip(project.folder / f"{name}.mp4", frames, 24)
    project.write(
        videos="video\tpath\na\ta.mp4\nb\tb.mp4\n", signers="signer\ttext\ns\ta woman\n", ingest={"height": 64}
    )
    clips = [project.folder / f"results/videos/{name}/clip.mkv" for name in ("a", "b")]
    with slurm():
        run = project.snakemake(
            "--workflow-profile",
            str(root / "profiles/slurm"),
            "--slurm-init-seconds-before-status-checks=5",
            *(str(clip.relative_to(project.folder)) for clip in clips),
        )
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("has been submitted with SLURM jobid") == 2
    assert all(probe_clip(clip).frames == 6 for clip in clips)
