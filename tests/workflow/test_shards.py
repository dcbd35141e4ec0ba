"""What a shard's job starts, and what it says when something failed."""

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from diffsign.errors import DiffSignError, TryAgainError
from diffsign.records.failures import Failure, save_failures
from diffsign.workflow import shards
from diffsign.workflow.shards import Inputs, Outputs, Resources, run, snakemake_command

BAD_VIDEO = Failure(video="a", signer="s", stage="ingest", log="a.log", message="Error: 'a.mp4' is no video.")
KILLED = Failure(video="b", signer="s", stage="fit", log="b.log", message="fitting 12 of 80 frames")


@pytest.fixture
def shard(tmp_path, monkeypatch):
    """Run one part of a shard in whose place a script ends with a status and lists failures."""

    def go(part: str, status: int, *failures: Failure) -> Path:
        out = tmp_path / "s00000" / f"{part}.json"

        def pretend(*arguments, **options):
            assert not (out.parent / "failures.json").exists(), "a list of an earlier run"
            if failures:
                save_failures(out.parent / "failures.json", failures)
            return subprocess.CompletedProcess([], status)

        monkeypatch.setattr(shards.processes, "run", pretend)
        monkeypatch.setattr(shards, "warm_commands", lambda: nullcontext({}))
        run(Inputs(Path("Snakefile"), ('shard="s00000"',), part, 3), Outputs(out), Resources())
        return out

    return go


def test_a_finished_part_says_so(shard):
    assert json.loads(shard("signers", 0).read_text()) == {"repairs": 3}


@pytest.mark.parametrize("failure", [BAD_VIDEO, KILLED])
def test_a_video_that_fails_leaves_the_other_avatars_whole(shard, failure):
    assert shard("videos", 1, failure).exists()


def test_a_broken_video_is_said_at_the_end(shard):
    with pytest.raises(DiffSignError, match=r"a by s, at ingest: .*a\.mp4") as caught:
        shard("signers", 1, BAD_VIDEO)
    assert not isinstance(caught.value, TryAgainError)


def test_what_was_killed_may_pass_the_next_time(shard, tmp_path):
    with pytest.raises(TryAgainError, match="b by s, at fit"):
        shard("signers", 1, BAD_VIDEO, KILLED)
    for part in ("videos", "signers"):
        with pytest.raises(TryAgainError, match="status 2"):
            shard(part, 2)
        assert not (tmp_path / "s00000" / f"{part}.json").exists()


def test_the_inner_run_asks_no_cluster():
    inputs = Inputs(Path("w/Snakefile"), ("chunks=2", 'shard="s00000"'), "signers")
    command = snakemake_command(inputs, Resources(4, 16000, 1))
    text = " ".join(command)
    assert command[:4] == [sys.executable, "-m", "snakemake", "signers"]
    assert "--executor local" in text and "--cores 4" in text and "--resources mem_mb=16000 gpu=1" in text
    assert command[-3:] == ["--config", "chunks=2", 'shard="s00000"']
