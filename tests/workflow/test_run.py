"""A small run as users make it: the demo's source, a few frames, one signer; and runs after it."""

import json
import re

import pytest

from tests.workflow.conftest import ROOT, Project
from tests.workflow.test_dry_runs import jobs

VIDEOS = f"video\tpath\tstart\tend\ngood\t{ROOT}/config/demo/source.mp4\t1.0\t1.25\nbad\tbad.mp4\t\t\n"
SIGNERS = "signer\ttext\nred\ta woman with a red shirt\n"

CONFIG = {
    "ingest": {"height": 192},
    "render": {"samples": 1},
    "generate": {"steps": 1, "width": 128, "height": 128, "device": "cpu"},
    "chunks": 2,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory, body_path):
    """Run a good and a broken video with ``--keep-going``; return the project and what was said."""
    project = Project(tmp_path_factory.mktemp("run"))
    (project.folder / "bad.mp4").write_text("this is no video")
    project.write(videos=VIDEOS, signers=SIGNERS, body=str(body_path), **CONFIG)
    result = project.snakemake("--keep-going")
    project.write(videos=VIDEOS.replace("bad\tbad.mp4\t\t\n", ""), signers=SIGNERS, body=str(body_path), **CONFIG)
    return project, result, project.snakemake()


def test_a_broken_video_is_named_and_the_others_finish(run):
    project, first, _ = run
    assert first.returncode != 0
    assert "bad.mp4" in first.stdout
    assert "Traceback" not in first.stdout
    assert json.loads((project.folder / "results/signers/red/good/metrics.json").read_text())
    assert not list((project.folder / "results/videos/bad").glob("*.mkv"))


def test_everything_is_made(run):
    project, _, second = run
    assert second.returncode == 0, second.stdout
    videos, signer = project.folder / "results/videos/good", project.folder / "results/signers/red/good"
    names = "clip.mkv clip.mp4 keypoints.npz keypoints.clean.npz motion.fit.npz motion.npz avatar/overlay.mp4"
    made = [*(videos / name for name in names.split())]
    made += [videos / f"avatar/{name}.mkv" for name in ("color", "depth", "normal", "mask")]
    made += [videos / f"control/{name}.mkv" for name in ("pose", "canny", "depth")]
    made += [signer / name for name in ("clip.mkv", "clip.mp4", "keypoints.npz", "metrics.json")]
    made += [project.folder / name for name in ("results/report.html", "results/tables/clips.csv")]
    assert [path for path in made if not path.stat().st_size] == []
    assert not (signer / "chunks").exists() or not list((signer / "chunks").iterdir())
    assert "red" in (project.folder / "results/tables/clips.csv").read_text()


def again(project: Project, body_path, *, signers: str = SIGNERS, **changes: object) -> dict[str, int]:
    """Return the jobs that a dry run would do after a change, and put the config back."""
    sheet = VIDEOS.replace("bad\tbad.mp4\t\t\n", "")
    project.write(videos=sheet, signers=signers, body=str(body_path), **(CONFIG | changes))
    said = project.snakemake("--dry-run")
    assert said.returncode == 0, said.stdout
    return jobs(said.stdout)


def test_a_second_run_does_nothing(run, body_path):
    assert again(run[0], body_path) == {}


def test_a_changed_prompt_redoes_the_signer_and_no_fit(run, body_path):
    todo = again(run[0], body_path, signers=SIGNERS.replace("red shirt", "blue shirt"))
    assert {"encode", "generate", "join", "evaluate", "report"} <= set(todo)
    assert not {"ingest", "detect", "fit", "render", "control_canny"} & set(todo)


def test_a_changed_threshold_redoes_the_edges_and_no_rendering(run, body_path):
    todo = again(run[0], body_path, control={"canny": {"low": 80}})
    assert {"control_canny", "generate", "evaluate"} <= set(todo)
    assert not {"fit", "render", "control_pose", "control_depth", "encode"} & set(todo)


def test_the_log_of_a_rule_is_its_own(run):
    log = (run[0].folder / "results/logs/good/ingest.log").read_text()
    assert re.search(r"6 frames", log)
