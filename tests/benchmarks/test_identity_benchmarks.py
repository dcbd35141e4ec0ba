"""Who is told apart by face and by motion: what the two benchmarks make of people whose answer is known."""

from __future__ import annotations

from pathlib import Path

import faces
import identity_motion
import numpy as np
import pytest
from identity_motion import Stretch, compare, interval, read_people, statistics, stretches, told, tracks_of
from scipy.stats import binomtest

from diffsign.errors import DiffSignError
from diffsign.evaluate.faces import DlibRecogniser
from diffsign.records.keypoints import LEFT_HAND, Keypoints, save_keypoints


def people(count: int, stretches: int, apart: float, seed: int = 0, clips: int = 1) -> list[Stretch]:
    """Return stretches of people whose statistics lie ``apart`` times the noise from each other."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(count, 6)) * apart
    return [
        Stretch(f"p{person}", f"p{person} clip {clip}", number, places[person] + rng.normal(size=6))
        for person in range(count)
        for clip in range(clips)
        for number in range(stretches)
    ]


def test_people_far_apart_are_told_and_people_alike_are_guessed() -> None:
    far, alike = people(5, 6, 50.0), people(5, 40, 0.0)
    assert told(far, far) == (30, 30)
    right, count = told(alike, alike)
    assert interval(right, count)[0] < 1 / 5 < interval(right, count)[1]


def test_a_stretch_is_not_compared_with_itself_nor_with_its_clip_where_there_are_others() -> None:
    """Two people with one stretch each: alone, each is taken for the other."""
    single = people(2, 1, 50.0)
    assert told(single, single) == (0, 2)
    # Stretches of a clip are alike, clips of a person are not.
    two = [
        Stretch(person, clip, number, np.array([place + 0.01 * number]))
        for person, clip, place in (("a", "a1", 0.0), ("a", "a2", 10.0), ("b", "b1", 1.0), ("b", "b2", 11.0))
        for number in range(3)
    ]
    assert told(two, two) == (0, 12)


@pytest.mark.parametrize(("right", "count"), [(0, 9), (4, 9), (9, 9)])
def test_the_interval_is_scipys(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(method="exact")
    assert interval(right, count) == pytest.approx((expected.low, expected.high))


def test_statistics_of_a_straight_and_a_lost_track() -> None:
    tracks = np.stack([np.arange(5.0), np.full(5, 3.0), np.full(5, np.nan)], -1)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        values = statistics(tracks, 10.0, held=True).reshape(5, 3)
    assert values[0, :2].tolist() == [10, 0], "speed"
    assert values[1, :2].tolist() == [0, 0], "its spread"
    assert values[2, :2] == pytest.approx([np.sqrt(2), 0]), "spread"
    assert values[3, :2].tolist() == [2, 3], "where it is held"
    assert values[4].tolist() == [1, 1, 0], "how often it is seen"


def signer(pace: float, seed: int, frames: int = 60) -> Keypoints:
    """Someone whose hands move at a pace of their own; a left hand is lost now and then."""
    rng = np.random.default_rng(seed)
    points = np.ones((frames, 137, 3), np.float32)
    points[..., :2] = np.random.default_rng(0).uniform(40, 60, (137, 2))
    points[:, 2, :2], points[:, 5, :2] = (30, 40), (70, 40)
    wave = np.sin(np.arange(frames) * pace + rng.uniform(0, 6))[:, None] * 8
    for moved in (4, 7, slice(25, 67)):
        points[:, moved, 1] += wave if isinstance(moved, slice) else wave[:, 0]
    points[rng.random(frames) < 0.1, LEFT_HAND, 2] = 0
    return Keypoints(points=points, fps=10.0, width=100, height=100)


def test_people_are_told_by_their_pace_wherever_they_stand(tmp_path: Path) -> None:
    rows = ["person\tbefore\tafter"]
    for number, pace in enumerate((0.2, 0.5, 0.9, 1.4)):
        before = signer(pace, number)
        moved = before.points.copy()
        moved[..., :2] = 1.5 * moved[..., :2] + 20
        files = [tmp_path / f"{number}-{kind}.npz" for kind in ("before", "after")]
        save_keypoints(files[0], before)
        save_keypoints(files[1], before.with_points(moved, width=200, height=200))
        rows.append(f"person {number}\t{files[0]}\t{files[1]}")
    sheet = tmp_path / "people.tsv"
    sheet.write_text("\n".join(rows))
    compared = compare(read_people(sheet), seconds=2.0)
    assert [row["known"] + row["seen"] for row in compared[:3]] == ["beforebefore", "afterafter", "beforeafter"]
    assert all(row["stretches"] == 12 and row["chance"] == 0.25 for row in compared)
    assert all(row["right"] > 0.9 for row in compared if row["statistics"] == "how it moves")
    assert compared[0]["right"] == compared[1]["right"], "place and size are nothing to go by"
    assert "% of 12 |" in identity_motion.table(compared)[-1]


def test_what_is_followed_does_not_depend_on_place_and_size() -> None:
    first = signer(0.5, 1)
    moved = first.points.copy()
    moved[..., :2] = 2 * moved[..., :2] - 30
    assert tracks_of(first.with_points(moved)) == pytest.approx(tracks_of(first), abs=1e-4, nan_ok=True)


def test_short_clips_and_wrong_sheets_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DiffSignError, match="shorter than a stretch"):
        stretches("a", "clip", signer(0.5, 0), 30.0, held=True)
    (tmp_path / "a.tsv").write_text("person,before\nx,y\n")
    with pytest.raises(DiffSignError, match=r"a\.tsv.*person, before and after"):
        read_people(tmp_path / "a.tsv")


def test_distances_within_a_file_a_person_and_between_people() -> None:
    recogniser = object.__new__(DlibRecogniser)  # its distances alone, without its network
    described = {"a": [np.array([[0.0, 0], [0, 1]]), np.array([[3.0, 0]])], "b": [np.array([[0.0, 5]])]}
    kinds = faces.distances(recogniser, described)
    assert kinds["one clip"].tolist() == [1]
    assert kinds["one person, other clips"] == pytest.approx([3, np.sqrt(10)])
    assert kinds["different people"] == pytest.approx([5, 4, np.sqrt(34)])
    lines = faces.lines_of({"drawn": kinds}, recogniser)
    assert lines[2] == "| drawn, one clip | 1 | 1.00 | 1.00 | 1.00 | 0 % |" and len(lines) == 5
