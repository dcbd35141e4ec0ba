"""The paper's experiments as they ship, with the demo family."""

import csv
import shutil

import pytest
import yaml

from diffsign.config.schema import load_config
from diffsign.errors import DiffSignError
from diffsign.workflow.experiments import chosen_experiments, comparison, overrides
from tests.workflow.conftest import ROOT, Project, jobs

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


def test_a_picture_and_words_are_compared_over_six_clips(project):
    planned = ("--directory", str(ROOT), "--dry-run", "compare", "--forceall")
    run = project.snakemake(*planned, "--configfile", str(FOLDER / "demo_clips.yaml"))
    assert run.returncode == 0, run.stdout
    assert (jobs(run.stdout)["evaluate"], jobs(run.stdout)["compare"]) == (12, 1)


def test_what_is_made_from_the_video_is_shared_where_it_is_the_same(monkeypatch):
    monkeypatch.chdir(ROOT)
    for overlay, own in ((None, {"E5", "S_pose"}), ("config/experiments/demo.yaml", {"S_pose"})):
        config = load_config({"experiments_overlay": overlay} if overlay else {})
        shared = {
            name: any(told.startswith("videos_from=") for told in overrides(config, name)) for name in EXPERIMENTS
        }
        assert {name for name, whether in shared.items() if not whether} == own
    assert "S_adapter" not in chosen_experiments(config, EXPERIMENTS), "the demo family has one adapter"
    assert (comparison(config).by, comparison(config).best) == ("signer", "run")
    with pytest.raises(DiffSignError, match=r"no 'E11' .did you mean 'E1'"):
        chosen_experiments(load_config({"experiments": ["E11"]}), EXPERIMENTS)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, body_path):
    """A folder with the experiments, and a config laid over them: two of six frames, one signer, small pictures."""
    folder = tmp_path_factory.mktemp("experiments")
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "clip.tsv").write_text("video\tpath\tstart\tend\ndemo\tconfig/demo/source.mp4\t1.0\t1.25\n")
    (folder / "signer.tsv").write_text("signer\ttext\nman\ta man with a white shirt\n")
    overlay = {
        "experiments": ["E3"],
        "body": str(body_path),
        "videos": "clip.tsv",
        "signers": "signer.tsv",
        "frames": [2, 3],
        "samples": 1,
        "ingest": {"height": 192, "width": 192},
        "fit": {"stages": "default"},
        "render": {"samples": 1},
        "family": dict.fromkeys(("image", "text", "multimodal"), "demo"),
        "generate": {"steps": 1, "width": 128, "height": 128},
        "credentials": {"signed": False},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(overlay))
    return Project(folder)


def test_an_experiment_runs_and_is_compared(tiny):
    run = tiny.snakemake("experiments", "--config", "experiments_overlay=tiny.yaml")
    assert run.returncode == 0, run.stdout
    results = tiny.folder / "results/experiments"
    assert (results / "source/videos/demo/avatar/color.mkv").exists()
    assert not (results / "E3/videos/demo_whole").exists() and not (results / "E3/videos/demo/motion.fit.npz").exists()
    with (results / "compare/compare.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["metric"] == "hands_pck_strict_source"]
    assert [(row["method"], row["n"], row["frames"]) for row in rows] == [("man", "1", "4")], "two hands in two frames"
    assert (results / "E3/report.html").exists()
    again = tiny.snakemake("experiments", "--config", "experiments_overlay=tiny.yaml")
    assert "Nothing to be done" in again.stdout


def test_the_target_runs_every_experiment(project):
    run = project.snakemake("--directory", str(ROOT), "--dry-run", "experiments")
    assert run.returncode == 0, run.stdout
    assert jobs(run.stdout)["experiment"] == len(EXPERIMENTS)
