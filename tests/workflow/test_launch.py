"""One line in, results out: what `diffsign run` and `diffsign new` write and start."""

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.config.project import load_project
from diffsign.config.schema import Config, load_signers, load_videos, read_config
from diffsign.errors import DiffSignError
from diffsign.progress import FOLDER, track
from diffsign.records.clip import write_clip
from diffsign.workflow.launch import Following, frames_left, make_shared, release_lock
from diffsign.workflow.layout import new_project, workflow_file
from diffsign.workflow.wish import Wish, default_folder, write_wish

SAID = """\
Building DAG of jobs...
Job stats:
job        count
-------  -------
ingest         1
clean          1
total         12

[Wed Nov 25 14:00:00 2026]
rule ingest:
    input: my video.mp4
    output: results/videos/my-video/clip.mkv
    jobid: 7
    wildcards: video=my-video
    threads: 2
Shell command: python -m diffsign ingest
[Wed Nov 25 14:00:01 2026]
localrule encode:
    jobid: 3
    wildcards: signer=signer
[Wed Nov 25 14:00:09 2026]
Finished jobid: 7 (Rule: ingest)
1 of 12 steps (8%) done
"""


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """A folder with two videos of the same name and a picture."""
    for name in ("my video.mp4", "b/my video.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_clip(tmp_path / name, np.zeros((2, 16, 16, 3), np.uint8), 24)
    Image.new("RGB", (8, 8)).save(tmp_path / "ana.png")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_snakemakes_output_is_followed():
    following = Following()
    finished = [name for line in SAID.splitlines() if (name := following.hear(line))]
    assert (following.done, following.total) == (1, 12)
    assert following.running == {3: "encode signer"}
    assert finished == ["ingest my-video"]


def test_a_process_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    seen = [frames_left(tmp_path) for _ in track([1, 2, 3], "Frames")]
    assert seen[1] == "1/3"
    assert frames_left(tmp_path) == ""


def test_a_wish_becomes_a_project(inputs):
    videos = (inputs / "my video.mp4", inputs / "b/my video.mp4")
    wish = Wish(videos, text="a woman in a green shirt", images=(inputs / "ana.png",))
    write_wish(inputs / "out", wish)
    config = read_config(inputs / "out/config/config.yaml")
    os.chdir(inputs / "out")
    assert {name: row.path for name, row in load_videos(config).items()} == {
        "my-video": str(videos[0]),
        "my-video-2": str(videos[1]),
    }
    (signer,) = load_signers(config).values()
    assert (signer.text, signer.image) == ("a woman in a green shirt", [str(inputs / "ana.png")])
    assert config.shared == str(inputs / "cache/diffsign") and config.resources == "resources"


def test_a_cache_that_cannot_be_written_is_named_before_anything_is(inputs, monkeypatch):
    (inputs / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(inputs / "file"))
    result = CliRunner().invoke(app, ["run", "--say", "hi", "--text", "a man", "-o", str(inputs / "out")])
    assert re.search(r"file/diffsign' cannot be written: Not a directory; set XDG_CACHE_HOME", str(result.exception))
    assert not (inputs / "out").exists()
    with pytest.raises(DiffSignError, match=r"file/other' cannot be written.*config\.yaml"):
        make_shared(Config(cache=str(inputs / "file/other")))


def test_what_projects_share_is_made_once(inputs, monkeypatch):
    config = Config(cache=str(inputs / "cache"))
    threads = [threading.Thread(target=make_shared, args=[config]) for _ in range(3)]
    made, plain = [], subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **options: made.append(command) or plain(command, **options))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [command[3] for command in made] == ["body", "certificate"]
    assert {file.name for file in (inputs / "cache").rglob("*.*")} == {"body.npz", "certificate.pem", "key.pem"}
    make_shared(Config(cache=str(inputs / "other"), body="my.npz", credentials={"signed": False}))
    make_shared(Config())
    assert len(made) == 2


def test_the_same_wish_touches_nothing(inputs):
    wish = Wish((inputs / "my video.mp4",), text="a man")
    write_wish(inputs / "out", wish)
    files = [*(inputs / "out/config").iterdir()]
    before = [file.stat().st_mtime_ns for file in files]
    write_wish(inputs / "out", wish)
    assert [file.stat().st_mtime_ns for file in files] == before


def test_settings_of_a_wish_stay_in_its_config(inputs):
    wish = Wish((inputs / "my video.mp4",), text="a man", settings=("generate.steps=8", "ingest.height=192"))
    write_wish(inputs / "out", wish)
    write_wish(inputs / "out", dataclasses.replace(wish, settings=("generate.steps=9",)))
    config = read_config(inputs / "out/config/config.yaml")
    assert (config.generate.steps, config.ingest.height) == (9, 192)
    for wrong, said in (("generate.steps", "no value"), ("generate.stepz=8", "steps"), ("generate.steps=many", "many")):
        with pytest.raises(DiffSignError, match=said):
            write_wish(inputs / "out", dataclasses.replace(wish, settings=(wrong,)))


def test_a_wish_that_cannot_be_made_is_refused(inputs):
    with pytest.raises(DiffSignError, match=r"none\.mp4"):
        write_wish(inputs / "out", Wish((inputs / "none.mp4",), text="a man"))
    with pytest.raises(DiffSignError, match="--text"):
        write_wish(inputs / "out", Wish((inputs / "my video.mp4",)))
    (inputs / "text.mp4").write_bytes(b"no video")
    with pytest.raises(DiffSignError, match=r"text\.mp4.*not a video"):
        write_wish(inputs / "out", Wish((inputs / "text.mp4",), text="a man"))
    with pytest.raises(DiffSignError, match=r"picture.*my video\.mp4"):
        write_wish(inputs / "out", Wish((inputs / "my video.mp4",), images=(inputs / "my video.mp4",)))
    assert not (inputs / "out").exists()


def test_words_poses_and_motions_are_sources_too(inputs):
    for name in ("b.pose", "walk {1}.npz"):
        (inputs / name).write_bytes(b"something")
    (inputs / "frames").mkdir()
    (inputs / "frames/00001_0.npz").write_bytes(b"something")
    sources = tuple(inputs / name for name in ("b.pose", "walk {1}.npz", "frames"))
    text = 'says "hi";\t{video} # it\'s'
    wish = Wish(sources, say=("Grüße, Amit",), text=text, images=(inputs / "ana.png",), consent="Ana, by letter")
    write_wish(inputs / "out", wish)
    config = read_config(inputs / "out/config/config.yaml")
    os.chdir(inputs / "out")
    rows = load_videos(config)
    assert [*rows] == ["b", "walk-1", "frames", "Grue-Amit"]
    assert rows["b"].pose == str(inputs / "b.pose") and rows["Grue-Amit"].say == "Grüße, Amit"
    copy = Path(rows["walk-1"].motion)  # Snakemake would take the braces for a wildcard
    assert copy.parent == Path("config/files") and copy.read_bytes() == b"something"
    assert rows["frames"].motion == str(inputs / "frames")
    (signer,) = load_signers(config).values()
    assert signer.text == text and signer.real_person == "yes" and signer.consent == "Ana, by letter"


def test_a_folder_of_others_is_left_alone(inputs):
    first = inputs / "my video.mp4"
    second = inputs / "b/other.mp4"
    shutil.copy(first, second)
    write_wish(inputs / "out", Wish((first,), text="a man"))
    with pytest.raises(DiffSignError, match=r"my video\.mp4.*signed"):
        write_wish(inputs / "out", Wish((second,), text="a man"))
    write_wish(inputs / "out", Wish((first, second), start=1, end=2.5, text="a tall man"))
    os.chdir(inputs / "out")
    assert load_videos(read_config("config/config.yaml"))["other"].end == 2.5
    os.chdir(inputs)
    with pytest.raises(DiffSignError, match="ends at"):
        write_wish(inputs / "out", Wish((first, second), start=3, end=2.5, text="a tall man"))
    new_project(inputs / "new")
    before = (inputs / "new/config/videos.tsv").read_text()
    with pytest.raises(DiffSignError, match="sheets of its own"):
        write_wish(inputs / "new", Wish((first,), text="a man"))
    assert (inputs / "new/config/videos.tsv").read_text() == before
    with pytest.raises(DiffSignError, match=r"ana\.png.*a file"):
        write_wish(inputs / "ana.png", Wish((first,), text="a man"))
    with pytest.raises(DiffSignError, match=r"/proc/out.*written"):
        write_wish(Path("/proc/out"), Wish((first,), text="a man"))
    with pytest.raises(DiffSignError, match=r"pattern.*-o"):
        write_wish(inputs / "out {x}", Wish((first,), text="a man"))
    assert default_folder(Wish((first,))) == Path("my-video-signed")


def test_a_new_project_is_a_project(inputs):
    new_project(inputs / "new")
    os.chdir(inputs / "new")
    with open("config/videos.tsv", "a") as sheet:  # noqa: PTH123
        sheet.write("a\t../my video.mp4\t\t\t\t\n")
    project = load_project(yaml.safe_load((inputs / "new/config/config.yaml").read_text()))
    assert [*project.videos] == ["a"] and [*project.signers] == ["words"]
    with pytest.raises(DiffSignError, match="config"):
        new_project(inputs / "new")


def test_a_folder_that_is_no_project_is_named(inputs):
    result = CliRunner().invoke(app, ["run", "-o", "empty"])
    assert isinstance(result.exception, DiffSignError) and "empty" in str(result.exception)


def start(folder, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "diffsign", "run", *arguments, "-o", "out", "--cores", "1"]
    # Tests that run in the background ignore Ctrl-C, and so would what they start.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=folder, text=True, preexec_fn=heard, **streams)


def test_a_broken_video_is_said_at_the_end_of_a_run(inputs, body_path):
    new_project(inputs / "out")
    (inputs / "text.mp4").write_bytes(b"no video")
    with (inputs / "out/config/videos.tsv").open("a") as sheet:
        sheet.write("a\t../text.mp4\t\t\t\t\n")
    with (inputs / "out/config/config.yaml").open("a") as config:
        config.write(f"body: {body_path}\n")
    process = start(inputs)
    said, _ = process.communicate()
    assert process.returncode == 1
    assert "a by words, at ingest: video '../text.mp4'" in said and "Traceback" not in said
    assert "rule ingest" in (inputs / "out/run.log").read_text()


def test_a_run_that_is_stopped_goes_on(inputs):
    process = start(inputs, "my video.mp4", "--text", "a man")
    log = inputs / "out/run.log"
    for _ in range(600):
        if log.exists() and "rule " in log.read_text():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "goes on from here" in said
    again = start(inputs, "my video.mp4", "--text", "a man", "--dry-run")
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert "ingest" in said


def test_a_folder_is_unlocked_after_a_kill(inputs):
    new_project(inputs / "new")
    locks = inputs / "new/.snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").write_text("results/report.html\n")
    owner = inputs / "new/.snakemake/diffsign.pid"
    owner.write_text(f"{os.uname().nodename} {os.getpid()}")
    with pytest.raises(DiffSignError, match=f"{os.getpid()}.*--unlock"):
        release_lock(inputs / "new", workflow_file())
    dead = subprocess.Popen(["true"])
    dead.wait()
    owner.write_text(f"{os.uname().nodename} {dead.pid}")
    with (inputs / "new/config/videos.tsv").open("a") as sheet:
        sheet.write("a\t../my video.mp4\t\t\t\t\n")
    release_lock(inputs / "new", workflow_file())
    assert not any(locks.glob("*"))
