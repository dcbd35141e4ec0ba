import csv
import sys

import numpy as np
import pytest
from pose_format import Pose

from diffsign.config.say import SaySettings
from diffsign.detect.pose_file import keypoints_of_pose, read_pose_file
from diffsign.errors import DiffSignError
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND
from diffsign.say.stage import Inputs, Outputs, run

LEFT_HAND_POINTS, RIGHT_HAND_POINTS = ([*range(67)[part]] for part in (LEFT_HAND, RIGHT_HAND))

pytest.importorskip("spoken_to_signed", reason="the extra 'text' is not installed")


def say(tmp_path, text, lexicon=None, **settings):
    out = tmp_path / "said.pose"
    return run(Inputs(text, lexicon), Outputs(out), SaySettings(**settings)), out


def test_a_word_is_spelled_with_the_right_hand(tmp_path):
    line, out = say(tmp_path, "Amit", letters_per_second=2.0)
    assert "amit (fingerspelled)" in line
    keypoints = keypoints_of_pose(read_pose_file(out), 512)
    assert len(keypoints) / keypoints.fps == pytest.approx(2.0, abs=0.3)
    assert (keypoints.confidence[:, RIGHT_HAND] > 0).mean() > 0.9
    assert (keypoints.confidence[:, LEFT_HAND] == 0).all()


@pytest.mark.parametrize(("spoken", "signed", "word"), [("de", "gsg", "Amit"), ("el", "gss", "Μαρια")])
def test_alphabets_with_points_without_confidence_are_spelled(tmp_path, spoken, signed, word):
    _, out = say(tmp_path, word, spoken_language=spoken, signed_language=signed)
    keypoints = keypoints_of_pose(read_pose_file(out), 512)
    assert len(keypoints) / keypoints.fps == pytest.approx(len(word) / 3, abs=0.5)
    assert (keypoints.confidence[:, [*LEFT_HAND_POINTS, *RIGHT_HAND_POINTS]] > 0).any(axis=1).mean() > 0.7


def test_the_pace_is_kept_by_long_words(tmp_path):
    _, out = say(tmp_path, "Massachusetts", letters_per_second=4.0)
    pose = read_pose_file(out)
    assert len(pose.points["POSE_LANDMARKS"]) / pose.fps == pytest.approx(13 / 4, abs=0.4)


def test_the_same_text_gives_the_same_bytes(tmp_path):
    _, out = say(tmp_path, "ana")
    first = out.read_bytes()
    say(tmp_path, "ana")
    assert out.read_bytes() == first


def test_a_lexicon_of_ones_own_has_signs_and_the_rest_is_spelled(tmp_path):
    _, letter = say(tmp_path, "b")
    folder = tmp_path / "lexicon"
    folder.mkdir()
    (folder / "house.pose").write_bytes(letter.read_bytes())
    with (folder / "index.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow("path spoken_language signed_language start end words glosses priority".split())
        rows.writerow(["house.pose", "en", "ase", 0, 0, "house", "HOUSE", 0])
    line, out = say(tmp_path, "house ana", folder)
    assert "house (sign)" in line
    assert "ana (fingerspelled)" in line
    with out.open("rb") as stream:
        assert np.isfinite(np.ma.filled(Pose.read(stream.read()).body.data, 0)).all()


@pytest.mark.parametrize(
    ("text", "settings", "facts"),
    [
        ("  ", {}, ["empty"]),
        ("…", {}, ["…"]),
        ("ana ½½", {}, ["½½", "a b c d"]),
        ("ana", {"signed_language": "zzz"}, ["en → zzz", "en → ase"]),
    ],
)
def test_what_cannot_be_said_is_named(tmp_path, text, settings, facts):
    with pytest.raises(DiffSignError) as error:
        say(tmp_path, text, **settings)
    assert all(fact in str(error.value) for fact in facts)
    assert not (tmp_path / "said.pose").exists()


def test_a_folder_that_is_no_lexicon_is_named(tmp_path):
    with pytest.raises(DiffSignError, match=r"index\.csv"):
        say(tmp_path, "ana", tmp_path)


def test_the_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spoken_to_signed.gloss_to_pose", None)
    with pytest.raises(DiffSignError, match=r"diffsign\[text\]"):
        say(tmp_path, "ana")
