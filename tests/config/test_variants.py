"""Sweeps, samples and frames: what one row stands for."""

import pytest

from diffsign.config.project import load_project
from diffsign.errors import DiffSignError

VIDEOS = "video\tpath\tframes\na\ta.mp4\t\nb\ta.mp4\t3;9\n"
SIGNERS = "signer\timage\ttext\tcontrols\tsteps\ns\t\ta woman\t\t\np\tx.png\ta man\tpose:0.5;canny\t4\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "x.png"):
        (tmp_path / name).write_bytes(b"not looked at")

    def load(signers=SIGNERS, videos=VIDEOS, **config):
        (tmp_path / "videos.tsv").write_text(videos)
        (tmp_path / "signers.tsv").write_text(signers)
        return load_project({"videos": "videos.tsv", "signers": "signers.tsv"} | config)

    return load


def test_a_sweep_makes_a_signer_for_every_value(project):
    loaded = project(sweep={"ip_adapter_scale": [0.4, 0.6], "guidance_scale": [2.0]})
    # words alone have no adapter whose scale could differ
    assert list(loaded.signers) == [
        "s-guidance_scale-2",
        "p-ip_adapter_scale-0_4-guidance_scale-2",
        "p-ip_adapter_scale-0_6-guidance_scale-2",
    ]
    settings = loaded.signer("p-ip_adapter_scale-0_6-guidance_scale-2").settings
    assert (settings.ip_adapter_scale, settings.guidance_scale, settings.steps) == (0.6, 2.0, 4)


def test_a_sweep_may_name_its_values_and_leaves_what_a_row_sets(project):
    loaded = project(sweep={"controls": {"one": {"pose": 1.0}, "two": {"pose": 1.0, "depth": 0.5}}})
    assert list(loaded.signers) == ["s-controls-one", "s-controls-two", "p"]
    assert loaded.signer("s-controls-two").controls == ["pose", "depth"]
    assert loaded.signer("p").settings.controls == {"pose": 0.5, "canny": 1.0}
    assert loaded.controls == ["canny", "depth", "pose"]
    flags = loaded.family("demo").parts.fetch_flags()
    assert any(flag.startswith("--controls") and "depth" in flag for flag in flags)


def test_samples_have_successive_seeds_and_share_what_is_encoded(project):
    loaded = project(samples=2, generate={"seed": 7})
    assert list(loaded.signers) == ["s-1", "s-2", "p-1", "p-2"]
    assert [loaded.signer(name).settings.seed for name in loaded.signers] == [7, 8, 7, 8]
    assert loaded.signer("s-2").conditioning == loaded.signer("s-1").conditioning
    assert loaded.signer("p-1").conditioning != loaded.signer("s-1").conditioning


def test_no_video_is_called_as_the_whole_clip_of_another(project):
    assert "b_whole" in project(videos=VIDEOS + "c\ta.mp4\t\n").clips
    with pytest.raises(DiffSignError, match=r"'b_whole'.*rename"):
        project(videos=VIDEOS + "b_whole\ta.mp4\t\n")


def test_frames_are_of_the_whole_clip(project):
    loaded = project()
    assert loaded.selected == {"b": [3, 9]} and list(loaded.clips) == ["a", "b", "b_whole"]
    assert "--frame=3" in loaded.video("b").select_flags()
    assert loaded.whole == "results/videos/{video}_whole"
    assert project(frames=[1]).selected == {"a": [1], "b": [3, 9]}


def test_videos_of_another_run_are_taken_from_there(project, tmp_path):
    (tmp_path / "results/experiments/source/videos/a").mkdir(parents=True)
    with pytest.raises(DiffSignError, match="'results/experiments/source' has nothing of the video 'b'"):
        project(videos_from="results/experiments/source")
    (tmp_path / "results/experiments/source/videos/b").mkdir()
    loaded = project(videos_from="results/experiments/source")
    assert loaded.selected == {"a": [], "b": [3, 9]} and list(loaded.clips) == ["a", "b"]
    assert loaded.whole == "results/experiments/source/videos/{video}"
    assert not any(flag.startswith("--frame") for flag in loaded.video("a").select_flags())


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"sweep": {"scale": [1]}}, "'scale' cannot be swept"),
        ({"sweep": {"steps": []}}, "'steps' has no values"),
        ({"sweep": {"steps": [0]}}, "'steps' is 0"),
        ({"sweep": {"preset": ["papre"]}}, "has no preset 'papre'"),
        ({"frames": [2, 1]}, "each once and in order"),
        ({"samples": 0}, "'samples' is 0"),
    ],
)
def test_mistakes_are_named(project, config, complaint):
    with pytest.raises(DiffSignError, match=complaint):
        project(**config)


def test_two_signers_of_one_name_are_refused(project):
    with pytest.raises(DiffSignError, match="two signers would be called 's-1'"):
        project(signers="signer\ttext\tsamples\ns\ta\t2\ns-1\tb\t\n")
