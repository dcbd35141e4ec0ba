"""What the benchmarks of letters and of the fit make of known figures."""

from __future__ import annotations

import json

import clips
import fit_tables
import letters
import numpy as np
import proportions
import pytest
from scipy.spatial.transform import Rotation
from tables import replace_between

from diffsign.errors import DiffSignError
from diffsign.records.keypoints import COUNT, RIGHT_HAND, Keypoints


def letter(name, language="ase", angle=0.0, fingers=(0, 0, 0, 0, 0)):
    angles = Rotation.from_rotvec(np.tile([0.0, 0.0, angle], (15, 1))).as_matrix()
    return letters.Letter(language, name, "right", np.array(fingers), np.array(fingers), angles, 3, float("nan"))


def test_charts_name_five_fingers_of_every_letter():
    for chart in letters.CHARTS.values():
        assert all(len(states) == 5 and set(states) <= set("EF.") for states in chart.values())
    assert set(letters.SHARED) <= set(letters.AMERICAN)


def test_fingers_that_a_letter_leaves_open_are_not_counted():
    right = letter("L", fingers=(1, 1, -1, -1, -1))
    half = letter("B", fingers=(0, 1, 1, 0, 1))
    assert letters.kept([right], "fingers") == 1
    assert letters.kept([half], "fingers") == pytest.approx(3 / 5)
    rows = letters.report([right, half])["letters"]
    assert rows[0]["wrong"] == []
    assert rows[1]["wrong"] == ["thumb not folded", "ring not extended"]


def test_letters_are_told_apart_by_the_nearest_of_the_other_language():
    pairs = [letter("A", "ase", 0.0), letter("B", "ase", 1.0), letter("A", "gsg", 0.1), letter("B", "gsg", 0.2)]
    hits, count, mistaken = letters.told_apart(pairs)
    assert count == 4
    # B of the one is nearest to B of the other; German B lies nearer to American A
    assert hits == 3
    assert mistaken == ["B (German) for A"]
    assert letters.distance(pairs[0], pairs[1]) == pytest.approx(np.degrees(1.0))


def test_a_letter_is_read_where_the_hand_is_up_and_still():
    points = np.zeros((12, COUNT, 3), np.float32)
    heights = np.array([400, 300, 200, 100, 100, 101, 100, 100, 100, 200, 300, 400])
    points[:, RIGHT_HAND] = np.stack([np.full(12, 250), heights, np.ones(12)], axis=1)[:, None]
    frames = letters.hold(Keypoints(points, 12.0, 512, 512), RIGHT_HAND)
    assert set(frames) <= set(range(3, 9)) and len(frames) >= 3


def test_the_mean_of_rotations_is_a_rotation_between_them():
    two = Rotation.from_rotvec([[0.2, 0, 0], [0.4, 0, 0]]).as_matrix()[:, None]
    assert Rotation.from_matrix(letters.mean_rotation(two)[0]).as_rotvec() == pytest.approx([0.3, 0, 0])


def test_lengths_of_a_hand_are_in_palms():
    hand = np.zeros((1, 21, 3))
    hand[0, 9] = [0, 2, 0]
    hand[0, 5], hand[0, 17] = [0.5, 2, 0], [-0.5, 2, 0]
    hand[0, 6:9] = hand[0, 5] + np.outer([1, 1.5, 2], [0, 1, 0])
    lengths = proportions.hand_lengths(hand)
    assert lengths["palm's width"][0] == pytest.approx(0.5)
    assert lengths["index, knuckle to tip"][0] == pytest.approx(1.0)


def rows_of(group, value):
    row = {"clip": "a/source.mp4", "set": group, "peak_memory_mb": 900.0, "tr_v2v_left_hand_mm": value,
           "location_wrist_from_head_mm_median": 2 * value}  # fmt: skip
    return [row | {"points": points} for points in ("detected", "true")]


def test_tables_have_a_column_a_set_and_a_row_a_clip(tmp_path, monkeypatch):
    rows = [*rows_of("gentle", 8.0), *rows_of("like life", 12.0)]
    means = {f"{row['set']}, {row['points']}": {k: v for k, v in row.items() if isinstance(v, float)} for row in rows}
    (tmp_path / "fit.json").write_text(json.dumps({"clips": rows, "mean": means}))
    page = tmp_path / "page.md"
    (tmp_path / "images").mkdir()
    page.write_text(f"before\n{fit_tables.BEGIN}\nfigures of before\n{fit_tables.END}\nafter\n")
    monkeypatch.setattr("sys.argv", ["fit_tables", str(tmp_path / "fit.json"), "--docs", str(page)])
    fit_tables.main()
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "figures of before" not in text
    wrist = next(line for line in text.splitlines() if "wrist from the head" in line)
    assert [cell.strip() for cell in wrist.split("|")[2:-1]] == ["16.0", "16.0", "24.0", "24.0", "≤ 30.0"]
    assert "| a |" in text
    assert (tmp_path / "images/fit_clips.png").stat().st_size > 1000


def test_a_page_without_marks_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(DiffSignError, match=r"page\.md"):
        replace_between(page, "<!-- a -->", "<!-- b -->", ["x"])
    assert page.read_text() == "nothing\n"


def test_the_sets_have_clips_of_their_own():
    names = [clip.name for clip in (*clips.gentle(), *clips.like_life())]
    assert len(set(names)) == len(names) == 24
    assert {clip.group for clip in clips.like_life()} == {"like life"}
