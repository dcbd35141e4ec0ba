"""Back-translation with toy translators: a command and a function, their scores by sacrebleu's own front door."""

import sys
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from pose_format import Pose
from pydantic import ValidationError

from diffsign.config.evaluate import BackTranslation, EvaluateSettings
from diffsign.config.settings import parse_flags, to_flags
from diffsign.errors import DiffSignError
from diffsign.evaluate.back_translation import NO_TEXT, OFF, Shown, bleu, chrf, similarity, translated
from diffsign.records.keypoints import save_keypoints
from diffsign.records.metric_definitions import TRANSLATION

TOY = """
import sys, pathlib
text = pathlib.Path(sys.argv[1]).with_suffix(".txt").read_text()
if text.startswith("!"):
    sys.exit("no signer in sight")
print(text)
"""
MODULE = """
import pathlib

def read(path):
    return pathlib.Path(path).with_suffix(".txt").read_text()

def number(path):
    return 7

def vectors(texts):
    return [[text.count("a"), text.count("b")] for text in texts]
"""
SENTENCE = "the black cat sat on the old mat"


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Clips whose text stands in a file beside them, and translators that read it there."""
    (tmp_path / "a folder").mkdir()
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "toy_module.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "toy_module", raising=False)

    def write(name: str, text: str) -> Shown:
        path = tmp_path / "a folder" / f"{name}.mkv"
        path.with_suffix(".txt").write_text(text)
        return Shown(path, path.with_suffix(".npz"))

    return write


def command(**changes) -> BackTranslation:
    return BackTranslation(**{"command": f"{sys.executable} toy.py {{clip}}", "name": "toy"} | changes)


def test_scores_are_sacrebleus(shown) -> None:
    read = "the cat sat on an old mat"
    metrics = translated(command(), shown("source", SENTENCE), shown("result", f" {read}\n"), SENTENCE, 72)
    assert set(metrics) == set(TRANSLATION)
    assert metrics["back_bleu"].value == pytest.approx(sacrebleu.sentence_bleu(read, [SENTENCE]).score, rel=1e-12)
    assert metrics["back_chrf"].value == pytest.approx(sacrebleu.sentence_chrf(read, [SENTENCE]).score, rel=1e-12)
    assert metrics["back_bleu_source"].value == pytest.approx(100)
    assert metrics["back_chrf_source"].value == pytest.approx(100)
    assert metrics["back_chrf_kept"].value == metrics["back_chrf"].value
    bare = metrics["back_bleu"]
    assert (bare.network, bare.frames) == ("toy", 72)
    assert bare.settings["read"] == read and bare.settings["reference"] == SENTENCE
    assert "version:" in str(bare.settings["signature"])
    assert "embedding" in (metrics["back_similarity"].reason or "")


def test_bleu_and_chrf_on_paper() -> None:
    """One word of four is wrong in the middle: 3 of 4 unigrams, 1 of 3 bigrams, and no longer n-gram."""
    value, _ = bleu("a b x d", "a b c d")
    # sacrebleu's exponential smoothing counts missing trigrams and 4-grams as 1/2 of 2 and 1/4 of 1
    assert value == pytest.approx(100 * (3 / 4 * 1 / 3 * 1 / 4 * 1 / 4) ** 0.25)
    assert chrf("abc", "abd")[0] == pytest.approx(100 * np.mean([2 / 3, 1 / 2, 0]))
    for score in (bleu, chrf):
        assert score(SENTENCE, SENTENCE)[0] == pytest.approx(100)
        assert score("", SENTENCE)[0] == score("zzz", SENTENCE)[0] == 0


def test_without_words_what_is_read_in_the_source_is_the_measure(shown) -> None:
    metrics = translated(command(), shown("source", SENTENCE), shown("result", SENTENCE), None, 5)
    assert metrics["back_bleu"].reason == NO_TEXT
    assert metrics["back_chrf_kept"].value == pytest.approx(100)
    assert {metric.reason for metric in translated(None, shown("a", ""), shown("b", ""), "x", 5).values()} == {OFF}


def test_a_translator_that_fails_or_reads_nothing_is_a_finding(shown) -> None:
    metrics = translated(command(), shown("source", "!"), shown("result", ""), SENTENCE, 5)
    assert "status 1: no signer in sight" in (metrics["back_bleu_source"].reason or "")
    assert "status 1" in (metrics["back_chrf_kept"].reason or "")
    assert metrics["back_bleu"].value == 0, "nothing was read, where something is signed"
    slow = command(command=f"{sys.executable} -c 'import time; time.sleep(9)' {{clip}}", timeout=0.2)
    assert "longer than 0.2 s" in (translated(slow, shown("a", ""), shown("b", ""), "x", 5)["back_bleu"].reason or "")


def test_a_function_reads_clips_keypoints_and_pose_files(shown, make_keypoints) -> None:
    settings = BackTranslation(entry="toy_module:read", embedding="toy_module:vectors")
    metrics = translated(settings, shown("source", "aab"), shown("result", "ab"), "aabb", 5)
    assert metrics["back_similarity"].value == pytest.approx(1), "one to one, as two to two"
    assert metrics["back_bleu"].network == "toy_module:read"
    assert similarity("toy_module:vectors", "a", "b") == 0
    assert np.isnan(similarity("toy_module:vectors", "a", "c"))
    metrics = translated(settings, shown("source", "aab"), shown("result", "c"), "aabb", 5)
    assert metrics["back_similarity"].value is None

    clip = shown("posed", "")
    save_keypoints(clip.keypoints, make_keypoints())
    Path("sizes.py").write_text("import os, sys; print(sys.argv[1].rsplit('.')[-1], os.path.getsize(sys.argv[1]))")
    for kind, suffix in (("pose", "pose"), ("keypoints", "npz")):
        read = translated(command(command=f"{sys.executable} sizes.py {{{kind}}}"), clip, clip, "x", 5)[
            "back_bleu"
        ].settings["read"]
        assert str(read).split()[0] == suffix and int(str(read).split()[1]) > 1000


def test_a_pose_file_is_what_pose_format_reads(tmp_path: Path, make_keypoints) -> None:
    from diffsign.records.pose_file import save_pose_file

    keypoints = make_keypoints()
    save_pose_file(tmp_path / "a.pose", keypoints)
    pose = Pose.read((tmp_path / "a.pose").read_bytes())
    assert pose.body.data.shape == (len(keypoints), 1, 137, 2) and pose.body.fps == keypoints.fps


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"command": "no-such-program {clip}"}, r"'no-such-program' cannot be run"),
        ({"entry": "toy_module:nothing"}, "no function 'nothing'"),
        ({"entry": "no_module:read"}, "cannot be imported"),
        ({"entry": "toy_module:number"}, "returned int"),
        ({"entry": "toy_module:read", "embedding": "toy_module:read"}, "failed on a list of two texts"),
        ({"entry": "toy_module:read", "embedding": "toy_module:number"}, "one vector of numbers"),
    ],
)
def test_wrong_translators_are_one_sentence(shown, settings: dict, said: str) -> None:
    with pytest.raises(DiffSignError, match=said):
        translated(BackTranslation(**settings), shown("source", "a"), shown("result", "a"), "a", 5)


@pytest.mark.parametrize(
    "settings", [{}, {"command": "x {clip}", "entry": "a:b"}, {"command": "x clip"}, {"entry": "a.b"}]
)
def test_settings_name_one_translator(settings: dict) -> None:
    with pytest.raises(ValidationError):
        BackTranslation(**settings)


def test_a_translator_comes_through_the_flags() -> None:
    settings = EvaluateSettings(back_translation=command())
    flag = next(flag for flag in to_flags(settings) if flag.startswith("--back-translation="))
    parsed = parse_flags(EvaluateSettings, {"back_translation": flag.partition("=")[2]}, "diffsign evaluate")
    assert parsed == settings
