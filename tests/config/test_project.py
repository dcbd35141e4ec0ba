"""What the rules ask of a config and its sheets."""

import json

import pytest

from diffsign.config.project import Project, load_project
from diffsign.errors import DiffSignError

VIDEOS = "video\tpath\tstart\tcrop\topenpose\tcaption\na\ta.mp4\t1.5\t8:8:0:0\tkeypoints\ta man\nb\ta.mp4\t\t\t\t\n"
SIGNERS = (
    "signer\timage\tregion\ttext\tnegative\tseed\tbackground\tlora\n"
    "words\t\t\ta woman\tblur\t7\t#ffffff\t\n"
    "picture\tx.png;y.png\tsigner;background\t\t\t\ty.png\t\n"
    "zoe\t\t\t\t\t\t\tzwx:0.8\n"
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Load a project of two videos and three signers, with what a test says of its config."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "x.png", "y.png", "1.png"):
        (tmp_path / name).write_bytes(b"not looked at")
    (tmp_path / "videos.tsv").write_text(VIDEOS)
    (tmp_path / "signers.tsv").write_text(SIGNERS)

    def load(**config) -> Project:
        subjects = {"zwx": {"pictures": ["1.png"], "words": "a zwx person", "steps": 9}}
        return load_project({"videos": "videos.tsv", "signers": "signers.tsv", "characters": subjects} | config)

    return load


def test_a_video_says_its_trim_and_the_settings(project):
    flags = project(ingest={"fps": 12}).video("a").ingest_flags()
    assert flags[:2] == ["--start=1.5", "--crop=8:8:0:0"] and "--fps=12.0" in flags
    assert not any(flag.startswith(("--start", "--end", "--crop")) for flag in project().video("b").ingest_flags())


def test_the_film_behind_an_inset_is_all_of_the_source(project):
    flags = project(ingest={"fps": 12}).video("a").backdrop_flags()
    assert "--bars=keep" in flags and "--fps=null" in flags
    assert not any(flag.startswith("--crop") for flag in flags)


def test_keypoints_that_are_there_are_named(project):
    assert "--openpose=keypoints" in project().video("a").detect_flags()
    assert not any(flag.startswith("--openpose") for flag in project().video("b").detect_flags())


def test_a_signer_is_encoded_by_words_pictures_and_loras(project):
    loaded = project()
    assert loaded.signer("words").encode_flags() == ["--text=a woman", "--negative=blur"]
    assert loaded.signer("picture").encode_flags() == [
        "--image=x.png",
        "--image=y.png",
        "--region=signer",
        "--region=background",
    ]
    lora = loaded.subject("zwx").lora
    assert loaded.signer("zoe").encode_flags() == ["--text=a zwx person", f"--lora={lora}:0.8"]
    assert loaded.signer("zoe").loras == [lora] and loaded.signer("words").loras == []


def test_a_signers_row_goes_before_the_config(project):
    loaded = project(generate={"seed": 1, "background": "x.png"})
    assert "--seed=7" in loaded.signer("words").generate_flags("a")
    assert "--seed=1" in loaded.signer("zoe").generate_flags("a")
    assert [loaded.signer(name).background for name in ("words", "picture", "zoe")] == [[], ["y.png"], ["x.png"]]


def test_controls_are_those_of_the_family(project):
    loaded = project(generate={"controls": {"pose": 1.0, "depth": 0.0}}, results="out")
    assert loaded.controls == ["pose"]
    assert loaded.signer("words").control_clips("a") == {"pose": "out/videos/a/control/pose.mkv"}
    assert "--pose=out/videos/a/control/pose.mkv" in loaded.signer("words").generate_flags("a")


def test_a_family_is_fetched_with_what_its_signers_need(project):
    flags = project(generate={"controls": {"pose": 1.0}}).family("demo").parts.fetch_flags()
    controls = next(json.loads(flag.split("=", 1)[1]) for flag in flags if flag.startswith("--controls"))
    assert controls == ["pose"]
    assert "--ip-adapter" in flags and "--loras=[]" in flags
    entry = {"sd15": {"base": {"id": "weights"}}}
    loaded = project(families=entry)
    assert f"--definition={json.dumps(entry['sd15'])}" in loaded.family("sd15").parts.fetch_flags()
    assert "--no-ip-adapter" in loaded.family("sd15").parts.fetch_flags()


def test_a_base_in_one_file_is_read_whole(project, tmp_path):
    with (tmp_path / "base.safetensors").open("wb") as file:
        file.truncate(4 << 30)
    base = {"id": str(tmp_path / "base.safetensors"), "config": "sd15"}
    assert project(families={"demo": {"base": base}}).signer("words").parts.fetch_memory == 2000 + 3 * 4096
    assert project().signer("words").parts.fetch_memory == 2000


def test_the_manifest_of_a_signer_does_not_hang_on_others(project):
    loaded = project()
    words, picture = (loaded.signer(name).parts for name in ("words", "picture"))
    assert "--no-ip-adapter" in words.fetch_flags() and "--ip-adapter" in picture.fetch_flags()
    assert words.manifest != picture.manifest and loaded.parts[words.name] == words
    changed = project(families={"demo": {"prompt": "someone"}})
    assert changed.signer("words").parts.manifest != words.manifest
    together = project(together=True)
    assert together.signer("words").parts == together.signer("picture").parts == together.family("demo").parts


def test_a_subject_is_trained_from_its_pictures(project):
    subject = project().subject("zwx")
    assert subject.pictures == ["1.png"]
    assert subject.parts.needed.controls == ["canny"]  # pictures are learned under their edges
    assert subject.parts.manifest.startswith("resources/families/demo-")
    assert {"--picture=1.png", "--steps=9"} <= set(subject.personalize_flags())


def test_a_result_is_compared_with_the_words_of_both(project):
    loaded = project()
    flags = loaded.signer("words").evaluate_flags("a")
    assert flags[:2] == ["--source-text=a man", "--signer-text=a woman"]
    assert loaded.signer("picture").evaluate_flags("b")[:2] == ["--reference=x.png", "--reference=y.png"]


def test_a_body_of_ones_own_is_taken(project):
    assert project().body == "resources/body/body.npz"
    assert project(body="my.npz").body == "my.npz"


def test_projects_share_what_no_setting_changes_and_nothing_else(project):
    loaded = project(cache="c", credentials={"signed": True})
    assert loaded.body == "c/body/body.npz"
    assert loaded.certificate == ["c/credentials/certificate.pem", "c/credentials/key.pem"]
    assert loaded.signer("words").parts.manifest.startswith("resources/families/demo-")
    assert project(cache="c", body="my.npz").body == "my.npz"


def test_a_mistake_is_named_with_its_file(project, tmp_path):
    project()
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(DiffSignError, match=r"videos\.tsv.*'a'.*a\.mp4"):
        project()


def test_signers_of_a_family_are_told_in_one_command(project):
    family = project().families["demo"]
    flags = family.together_flags("a")
    also = [json.loads(flag.removeprefix("--also=")) for flag in flags if flag.startswith("--also=")]
    assert [job["out"] for job in also] == [f"results/signers/{name}/a/clip.mkv" for name in ("picture", "zoe")]
    assert "--seed=7" in flags and also[0]["seed"] is None  # the first signer's seed is its own
    assert also[0]["background"] == "y.png"
