"""What the workflow says before anything runs."""

import re
import shutil
import subprocess

import pytest

from tests.workflow.conftest import jobs

VIDEOS = "video\tpath\na\ta.mp4\n"
SIGNERS = "signer\ttext\ns\ta woman\n"

RULES = (
    "fetch ingest detect clean fit smooth render overlay detect_avatar control_pose control_canny "
    "encode generate join detect_signer evaluate aggregate report all"
).split()


@pytest.fixture
def small(project):
    """A project with a file for its one video."""
    (project.folder / "a.mp4").write_bytes(b"not looked at by a dry run")
    return project


@pytest.mark.parametrize("config", ["config.yaml", "paper.yaml"])
def test_shipped_configs_list_every_job(project, root, config):
    planned = project.planned("--directory", str(root), "--forceall", "--configfile", str(root / "config" / config))
    assert set(RULES) <= set(planned)


def test_lint_has_no_complaints(project, root):
    run = project.snakemake("--directory", str(root), "--lint")
    assert run.returncode == 0, run.stdout
    assert "good condition" in run.stdout


def test_chunks_become_jobs_which_share_the_cores(small):
    small.write(videos=VIDEOS, signers=SIGNERS, chunks=3)
    said = small.snakemake("--dry-run", cores=6).stdout
    assert jobs(said)["generate"] == 3
    threads = {
        rule: int(count) for rule, count in re.findall(r"^rule (\w+):\n(?: .*\n)*? +threads: (\d+)$", said, re.M)
    }
    assert threads["generate"] == 2 and threads["evaluate"] == threads["render"] == 4 and "fit" not in threads


def test_films_for_editors_are_made_when_they_are_asked_for(small):
    small.write(videos=VIDEOS, signers=SIGNERS, export={"films": ["webm", "mov", "inset"], "avatar": ["mov"]})
    jobs = small.planned("export")
    assert {name: jobs[name] for name in ("export_avatar", "export_cutout", "mark_cutout", "mark_inset")} == {
        "export_avatar": 1,
        "export_cutout": 1,
        "mark_cutout": 2,
        "mark_inset": 1,
    }
    assert jobs["ingest"] == jobs["ingest_backdrop"] == jobs["export_inset"] == 1 and "evaluate" not in jobs


def test_a_family_is_fine_tuned_on_a_subject_when_a_signer_asks_for_it(small):
    (small.folder / "zwx").mkdir()
    (small.folder / "zwx/1.png").write_bytes(b"not looked at by a dry run")
    characters = {name: {"pictures": ["zwx"], "words": f"a {name} person"} for name in ("zwx", "unasked")}
    small.write(videos=VIDEOS, signers="signer\tlora\ns\tzwx:0.8\n", characters=characters)
    run = small.snakemake("--dry-run", "--printshellcmds")
    assert len(re.findall(r"^rule personalize:", run.stdout, flags=re.M)) == 1, run.stdout
    assert "'characters' is called 'subjects' now" in run.stdout
    assert "--picture=zwx '--instance-prompt=a zwx person'" in run.stdout
    assert "--lora=resources/subjects/zwx.safetensors:0.8" in run.stdout


@pytest.mark.parametrize(
    ("mistake", "complaint"),
    [
        ({"ingst": {}}, "unknown key 'ingst' (did you mean 'ingest'?)"),
        ({"generate": {"background": "wall.png"}}, "generate: background picture 'wall.png' does not exist"),
        ({"family": {"text": "sd16"}}, "there is no model family 'sd16' (did you mean 'sd15'?)"),
    ],
)
def test_mistakes_in_the_config_end_in_one_sentence(small, mistake, complaint):
    small.write(videos=VIDEOS, signers=SIGNERS, **mistake)
    run = small.snakemake("--dry-run")
    assert run.returncode != 0
    assert complaint in run.stdout
    assert "Traceback" not in run.stdout


@pytest.mark.parametrize(
    ("videos", "signers", "complaint"),
    [
        ("video\tpath\na\tnone.mp4\n", SIGNERS, "video 'a' has no file at 'none.mp4'"),
        (VIDEOS, "signer\timage\ns\tnone.png\n", "signer 's' has no picture at 'none.png'"),
        (VIDEOS, "signer\ttext\tbackground\ns\ta man\t#12345\n", "signer 's': background must be a colour"),
    ],
)
def test_mistakes_in_the_sheets_end_in_one_sentence(small, videos, signers, complaint):
    small.write(videos=videos, signers=signers)
    run = small.snakemake("--dry-run")
    assert run.returncode != 0
    assert complaint in run.stdout
    assert "Traceback" not in run.stdout


def test_missing_weights_are_named_before_anything_else_runs(small):
    small.write(videos=VIDEOS, signers=SIGNERS, family={"text": "sdxl"})
    run = small.snakemake(environment={"HF_HUB_OFFLINE": "1", "HF_HOME": str(small.folder / "hub")}, cores=1)
    assert run.returncode != 0
    said = run.stdout
    assert "stabilityai/stable-diffusion-xl-base-1.0" in said
    assert "rule fetch" in said and "rule ingest" not in said
    assert not list((small.folder / "resources").glob("families/sdxl*"))


def test_texts_and_pose_files_take_the_place_of_detection(small):
    (small.folder / "b.pose").touch()
    small.write(
        videos="video\tpath\tpose\tsay\na\ta.mp4\nb\t\tb.pose\nc\t\t\thello\n", signers="signer\ttext\nx\ta woman\n"
    )
    counted = small.planned()
    assert (counted["ingest"], counted["detect"], counted["import_pose"], counted["say"]) == (1, 1, 2, 1)
    assert counted["clean"] == counted["evaluate"] == 3


def test_python_is_the_one_that_runs_snakemake(small):
    small.write(videos=VIDEOS, signers=SIGNERS)
    run = small.snakemake("results/videos/a/clip.mkv", environment={"PATH": "/usr/bin:/bin"})
    assert "a.mp4" in run.stdout and "damaged" in run.stdout


def test_paths_with_braces_and_dashes(project):
    videos = "video\tpath\na\t{b} c.mp4\nd\t-e.mp4\n"
    for name in ("{b} c.mp4", "-e.mp4"):
        (project.folder / name).write_bytes(b"not looked at by a dry run")
    project.write(videos=videos, signers=SIGNERS)
    run = project.snakemake("--dry-run", "--printshellcmds")
    assert run.returncode == 0, run.stdout
    assert "diffsign ingest '{b} c.mp4' " in run.stdout
    assert f"diffsign ingest {project.folder}/-e.mp4 " in run.stdout


@pytest.fixture
def many(project):
    """A project of seven videos, two to a shard."""
    names = [f"v{number}" for number in range(7)]
    for name in names:
        (project.folder / f"{name}.mp4").write_bytes(b"not looked at by a dry run")
    rows = "".join(f"{name}\t{name}.mp4\n" for name in names)
    project.write(videos=f"video\tpath\n{rows}", signers=SIGNERS, shard_size=1)
    return project


def test_a_large_sheet_is_planned_in_shards(many):
    planned = many.planned()
    assert planned["shard_videos"] == planned["shard_signers"] == 7
    assert not {"ingest", "generate", "evaluate"} & set(planned)
    assert many.planned("--config", "shard_size=2").get("ingest") == 7
    assert many.planned("--config", "shard_size=0").get("ingest") == 7


def test_a_single_file_of_a_large_sheet_can_be_asked_for(many):
    assert many.planned("results/videos/v3/keypoints.npz") == {"ingest": 1, "detect": 1, "total": 2}
    said = many.snakemake("--dry-run", "results/videos/v8/keypoints.npz")
    assert said.returncode != 0 and "has no video 'v8'" in said.stdout


def test_a_shard_plans_its_own_clips(many):
    planned = many.planned("videos", "--config", "shard=s00003")
    assert planned["ingest"] == 1 and "v3" in many.snakemake("--dry-run", "videos", "--config", "shard=s00003").stdout


MODULE = """
configfile: "config/config.yaml"

module diffsign:
    snakefile:
        "{snakefile}"
    config:
        config

use rule * from diffsign as diffsign_*

rule all:
    input:
        rules.diffsign_all.input,
    default_target: True
"""


def test_the_workflow_is_a_module_of_another(small, root):
    small.write(videos=VIDEOS, signers=SIGNERS, results="out")
    (small.folder / "Snakefile").write_text(MODULE.format(snakefile=root / "Snakefile"))
    planned = small.planned("--snakefile", str(small.folder / "Snakefile"), environment={"PYTHONPATH": ""})
    assert planned["diffsign_ingest"] == planned["diffsign_evaluate"] == planned["diffsign_report"] == 1
    assert "ingest" not in planned


@pytest.fixture
def hosted(small, root):
    """A folder as snakedeploy leaves it, whose workflow comes from a hosting provider (out of Snakemake's cache)."""
    repository = small.folder / "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com/owner/diffsign"
    tree = small.folder / "tree"
    shutil.copytree(root / "rules", tree / "rules")
    shutil.copy(root / "Snakefile", tree)
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    for command in (["init"], ["add", "."], ["commit", "--message", "all"], ["tag", "v1"]):
        subprocess.run(["git", *author, "-C", str(tree), *command], check=True, capture_output=True)
    subprocess.run(["git", "clone", "--bare", str(tree), str(repository)], check=True, capture_output=True)
    small.write(videos=VIDEOS, signers=SIGNERS, results="out")
    source = 'github("owner/diffsign", path="Snakefile", tag="v1")'
    (small.folder / "workflow").mkdir()
    (small.folder / "workflow/Snakefile").write_text(MODULE.replace('"{snakefile}"', source))
    return small


def test_the_workflow_is_a_module_from_a_hosting_provider(hosted, tmp_path):
    file = ("--snakefile", str(hosted.folder / "workflow/Snakefile"))
    cache = {"XDG_CACHE_HOME": str(hosted.folder / "cache")}
    planned = hosted.planned(*file, environment=cache)
    assert planned["diffsign_ingest"] == planned["diffsign_report"] == 1
    (tmp_path / "none/diffsign").mkdir(parents=True)
    (tmp_path / "none/diffsign/__init__.py").write_text("raise ModuleNotFoundError('diffsign')")
    said = hosted.snakemake("--dry-run", *file, environment=cache | {"PYTHONPATH": str(tmp_path / "none")})
    assert said.returncode != 0 and "pip install" in said.stdout and "Traceback" not in said.stdout


def test_the_image_copies_what_the_workflow_needs(root):
    copied = re.findall(r"^COPY (.*) \S+$", (root / "Dockerfile").read_text(), flags=re.M)
    names = {name for line in copied for name in line.split()}
    assert {"Snakefile", "rules", "envs", "config", "diffsign", "blender", "constraints.txt", "profiles"} <= names
    assert all((root / name).exists() for name in names)


def test_sources_that_are_no_film_skip_what_they_have(small):
    (small.folder / "b.npz").write_bytes(b"not looked at by a dry run")
    (small.folder / "c.pose").write_bytes(b"not looked at by a dry run")
    small.write(videos="video\tmotion\tpose\tsay\nb\tb.npz\nc\t\tc.pose\nd\t\t\thi\n", signers=SIGNERS)
    said = small.snakemake("--dry-run", "--printshellcmds")
    assert said.returncode == 0, said.stdout
    planned = jobs(said.stdout)
    assert (planned["import_motion"], planned["import_pose"], planned["say"], planned["fit"]) == (1, 2, 1, 2)
    assert not {"ingest", "detect"} & set(planned) and planned["evaluate"] == 3
    compared = dict(re.findall(r"--source-keypoints results/videos/(\w)/(\S+) .*--skeleton", said.stdout))
    assert compared == {"b": "avatar/keypoints.npz", "c": "keypoints.npz", "d": "keypoints.npz"}


def test_a_cluster_needs_no_number_of_cores(small, root):
    chapters = "".join(path.read_text() for path in (root / "rules").glob("*.smk"))
    assert "workflow.cores or" not in chapters, "a dry run has cores where a run has none"
    small.write(videos=VIDEOS, signers=SIGNERS)
    run = small.snakemake("--dry-run", "--workflow-profile", str(root / "profiles/slurm"), cores=None)
    assert run.returncode == 0, run.stdout
