import csv

import pytest

from diffsign.records.clip import probe_clip
from tests.workflow.slurm import slurm, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def test_the_demo_runs_as_jobs_of_a_cluster(project, root, body_path):
    """The cluster profile submits the whole chain with its resources; a broken video is listed and not tried again."""
    (project.folder / "bad.mp4").write_text("this is no video")
    project.write(
        videos=f"video\tpath\tstart\tend\ngood\t{root}/config/demo/source.mp4\t1.0\t1.2\nbad\tbad.mp4\t\t\n",
        signers="signer\ttext\nred\ta woman with a red shirt\n",
        body=str(body_path),
        ingest={"height": 192},
        render={"samples": 1},
        generate={"steps": 1, "width": 128, "height": 128, "device": "cpu"},
    )
    with slurm():
        run = project.snakemake(
            "--workflow-profile",
            str(root / "profiles/slurm"),
            "--slurm-init-seconds-before-status-checks=3",
            "--latency-wait=5",
        )
    assert probe_clip(project.folder / "results/signers/red/good/clip.mkv").frames == 5, run.stdout
    assert (project.folder / "results/report.html").is_file()
    assert run.stdout.count("has been submitted with SLURM jobid") >= 18
    assert "Trying to restart" not in run.stdout
    with (project.folder / "results/tables/failed.csv").open() as table:
        (failed,) = csv.DictReader(table)
    assert (failed["video"], failed["stage"]) == ("bad", "ingest")
