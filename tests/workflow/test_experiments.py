"""The paper's experiments as they ship, with the demo family."""

import pytest

from tests.workflow.conftest import ROOT, jobs

FOLDER = ROOT / "config" / "experiments"
EXPERIMENTS = sorted(path.stem for path in FOLDER.glob("[ES]*.yaml"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_lists_its_jobs(project, name):
    run = project.snakemake(
        "--directory", str(ROOT), "--dry-run", "--forceall", "--configfile", str(FOLDER / f"{name}.yaml")
    )
    assert run.returncode == 0, run.stdout
    counts = jobs(run.stdout)
    assert counts["evaluate"] == counts["join"] >= 1
    frames_chosen = "frames" in (FOLDER / f"{name.split('_')[0]}_videos.tsv").read_text().splitlines()[0]
    assert counts.get("select", 0) == frames_chosen and counts["ingest"] == counts["fit"] == 1


def test_the_target_runs_every_experiment(project):
    run = project.snakemake("--directory", str(ROOT), "--dry-run", "experiments")
    assert run.returncode == 0, run.stdout
    assert jobs(run.stdout)["experiment"] == len(EXPERIMENTS)
