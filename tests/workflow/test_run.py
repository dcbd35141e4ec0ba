"""A small run as users make it: the demo's source, a few frames, one signer; and runs after it."""

import csv
import json
import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest

from tests.workflow.conftest import Project

HEADER = "video\tpath\tstart\tend\n"
SIGNERS = "signer\ttext\nred\ta woman with a red shirt\n"

CONFIG = {
    "ingest": {"height": 192},
    "render": {"samples": 1},
    "generate": {"steps": 1, "width": 128, "height": 128, "device": "cpu"},
    "chunks": 2,
}


@dataclass(frozen=True)
class Run:
    """What a good and a broken video came to.

    Attributes:
        first: the run of both with ``--keep-going``.
        failed: the table of failures after it.
        mended: jobs that a run would do if the broken video were a good one.
        second: the run of the good video alone.
    """

    project: Project
    good: str
    first: subprocess.CompletedProcess[str]
    failed: list[dict[str, str]]
    page: str
    mended: dict[str, int]
    second: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory, root, body_path):
    """Run a good and a broken video, then the good one alone."""
    project = Project(tmp_path_factory.mktemp("run"))
    good, bad = f"good\t{root}/config/demo/source.mp4\t1.0\t1.25\n", project.folder / "bad.mp4"
    bad.write_text("this is no video")
    project.write(videos=f"{HEADER}{good}bad\tbad.mp4\t\t\n", signers=SIGNERS, body=str(body_path), **CONFIG)
    first = project.snakemake("--keep-going", "--retries", "1")
    with (project.folder / "results/tables/failed.csv").open() as table:
        failed = list(csv.DictReader(table))
    page = (project.folder / "results/report.html").read_text()
    shutil.copy(root / "config/demo/source.mp4", bad)
    mended = project.planned()
    project.write(videos=HEADER + good, signers=SIGNERS, body=str(body_path), **CONFIG)
    return Run(project, HEADER + good, first, failed, page, mended, project.snakemake())


def test_a_broken_video_is_named_and_the_others_finish(run):
    assert run.first.returncode != 0
    assert "bad.mp4" in run.first.stdout
    assert "Traceback" not in run.first.stdout
    assert json.loads((run.project.folder / "results/signers/red/good/metrics.json").read_text())
    assert not list((run.project.folder / "results/videos/bad").glob("*.mkv"))


def test_tables_and_report_come_for_what_succeeded(run):
    (row,) = run.failed
    assert (row["video"], row["signer"], row["stage"]) == ("bad", "red", "ingest")
    assert row["message"].startswith("Error: ") and "bad.mp4" in row["message"]
    assert (run.project.folder / row["log"]).is_file()
    assert "red, good" in run.page and row["message"].split("'")[0] in run.page


def test_a_mistake_is_not_tried_again(run):
    assert run.first.stdout.count("Error in rule ingest") == 1


def test_a_mended_video_redoes_what_follows_and_nothing_else(run):
    assert run.mended["ingest"] == run.mended["evaluate"] == run.mended["report"] == run.mended["aggregate"] == 1
    assert not {"fetch", "encode"} & set(run.mended)


def test_everything_is_made(run):
    project = run.project
    assert run.second.returncode == 0, run.second.stdout
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
    assert (project.folder / "results/tables/failed.csv").read_text().count("\n") == 1


def again(run: Run, body_path, *, signers: str = SIGNERS, **changes: object) -> dict[str, int]:
    """Return the jobs that a dry run would do after a change, and put the config back."""
    run.project.write(videos=run.good, signers=signers, body=str(body_path), **(CONFIG | changes))
    return run.project.planned()


def test_a_second_run_does_nothing(run, body_path):
    assert again(run, body_path) == {}


def test_a_changed_prompt_redoes_the_signer_and_no_fit(run, body_path):
    todo = again(run, body_path, signers=SIGNERS.replace("red shirt", "blue shirt"))
    assert {"encode", "generate", "join", "evaluate", "report"} <= set(todo)
    assert not {"ingest", "detect", "fit", "render", "control_canny"} & set(todo)


def test_a_changed_threshold_redoes_the_edges_and_no_rendering(run, body_path):
    todo = again(run, body_path, control={"canny": {"low": 80}})
    assert {"control_canny", "generate", "evaluate"} <= set(todo)
    assert not {"fit", "render", "control_pose", "control_depth", "encode"} & set(todo)


def test_another_signer_leaves_the_first_as_it_is(run, body_path, root):
    """Though it needs more of the family: the adapter, for a picture."""
    more = f"signer\ttext\timage\n{SIGNERS.splitlines()[1]}\t\npic\t\t{root}/config/demo/reference.png\n"
    todo = again(run, body_path, signers=more)
    assert todo["fetch"] == todo["encode"] == todo["join"] == todo["evaluate"] == 1 and todo["generate"] == 2


def test_a_changed_family_draws_its_signers_anew(run, body_path):
    todo = again(run, body_path, families={"demo": {"prompt": "someone"}})
    assert {"fetch", "encode", "generate", "mark", "evaluate"} <= set(todo)
    assert not {"fit", "render", "control_pose"} & set(todo)


def test_the_log_of_a_rule_is_its_own(run):
    log = (run.project.folder / "results/logs/good/ingest.log").read_text()
    assert re.search(r"6 frames", log)
