"""OpenPose JSON: what is read, who is chosen, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from diffsign.config.detect import DetectSettings
from diffsign.detect.stage import Inputs, Outputs, frames_with, run, summarise
from diffsign.errors import DiffSignError
from diffsign.records.clip import iter_clip, write_clip
from diffsign.records.keypoints import BODY, BODY_NAMES, FACE, LEFT_HAND, RIGHT_HAND, Keypoints, load_keypoints
from diffsign.records.placement import Placement, save_placement

RNG = np.random.default_rng(0)


def person(x: float, size: float) -> np.ndarray:
    """Return 137 points spread over ``size`` pixels around ``x``."""
    points = np.ones((137, 3))
    points[:, 0] = x + size * np.linspace(-0.5, 0.5, 137)
    points[:, 1] = 32 + 0.3 * size * np.sin(np.arange(137))
    return points


def as_json(points: np.ndarray) -> dict:
    return {
        "person_id": [-1],
        "pose_keypoints_2d": points[BODY].ravel().tolist(),
        "face_keypoints_2d": points[FACE].ravel().tolist(),
        "hand_left_keypoints_2d": points[LEFT_HAND].ravel().tolist(),
        "hand_right_keypoints_2d": points[RIGHT_HAND].ravel().tolist(),
        "pose_keypoints_3d": [],
    }


def read_openpose(folder: Path, clip: Path) -> Keypoints:
    out = folder.parent / "keypoints.npz"
    said = run(Inputs(clip, folder), Outputs(out), DetectSettings())
    assert said.startswith(f"{out}: found in ")
    return load_keypoints(out)


def write(folder: Path, frames: list[list[dict]]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, people in enumerate(frames):
        content = {"version": 1.3, "people": people}
        (folder / f"clip_{number:012d}_keypoints.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mkv"
    write_clip(path, np.zeros((5, 64, 96, 3), np.uint8), 24)
    return path


def test_points_arrive_in_their_places(tmp_path: Path, clip: Path) -> None:
    people = [person(40 + t, 30) for t in range(5)]
    found = read_openpose(write(tmp_path / "op", [[as_json(p)] for p in people]), clip)
    np.testing.assert_allclose(found.points, np.stack(people), atol=1e-4)
    assert (found.width, found.height, found.fps) == (96, 64, 24)
    assert found.world is None
    assert summarise(found) == "found in 5 frames: body 5, left hand 5, right hand 5, face 5"


def test_the_larger_of_two_is_followed_whatever_their_order(tmp_path: Path, clip: Path) -> None:
    """The people cross in the list, and the small one is for one frame larger."""
    big = [person(60, s) for s in (40, 40, 18, 40, 40)]
    small = [person(15, s) for s in (20, 20, 22, 20, 20)]
    frames = [[b, s] if t % 2 else [s, b] for t, (b, s) in enumerate(zip(big, small, strict=True))]
    found = read_openpose(write(tmp_path / "op", [[as_json(p) for p in f] for f in frames]), clip)
    np.testing.assert_allclose(found.points, np.stack(big), atol=1e-4)


def test_missing_people_and_lists(tmp_path: Path, clip: Path) -> None:
    full = as_json(person(40, 30))
    no_hands = {k: v for k, v in full.items() if "hand" not in k} | {"hand_left_keypoints_2d": []}
    nothing = as_json(np.zeros((137, 3)))
    found = read_openpose(write(tmp_path / "op", [[], [full], [no_hands], [nothing, full], []]), clip)
    assert frames_with(found) == {"body": 3, "left hand": 2, "right hand": 2, "face": 3}
    assert not found.points[[0, 4]].any()


def test_never_a_hand_is_only_a_warning(tmp_path: Path, clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    points = person(40, 30)
    points[LEFT_HAND] = 0
    found = read_openpose(write(tmp_path / "op", [[as_json(points)]] * 5), clip)
    assert frames_with(found)["left hand"] == 0
    assert "left hand was never found" in caplog.text
    assert "right hand" not in caplog.text


def refused(folder: Path, clip: Path) -> str:
    with pytest.raises(DiffSignError) as caught:
        read_openpose(folder, clip)
    return str(caught.value)


def test_refusals(tmp_path: Path, clip: Path) -> None:
    full = as_json(person(40, 30))
    assert "does not exist" in refused(tmp_path / "absent", clip)
    assert "is a file" in refused(clip, clip)
    assert "no '*_keypoints.json'" in refused(write(tmp_path / "none", []), clip)
    assert "4 frames" in refused(write(tmp_path / "four", [[full]] * 4), clip)
    assert "nobody" in refused(write(tmp_path / "nobody", [[]] * 5), clip)
    assert "96x64" in refused(write(tmp_path / "hd", [[as_json(person(1500, 300))]] * 5), clip)


@pytest.mark.parametrize(
    ("people", "complaint"),
    [
        ([{"pose_keypoints_2d": [0.0] * 48}], "48 numbers in 'pose_keypoints_2d', 75 were expected.*BODY_25"),
        ([{"hand_left_keypoints_2d": [0.0] * 60}], "60 numbers in 'hand_left_keypoints_2d', 63"),
        ([{"pose_keypoints_2d": ["x"] * 75}], "something else than numbers"),
        ([{"pose_keypoints_2d": 7}], "no list in"),
        (["Ann"], "no table"),
        ({}, "no list 'people'"),
    ],
)
def test_files_that_openpose_did_not_write(tmp_path: Path, clip: Path, people: object, complaint: str) -> None:
    folder = write(tmp_path / "op", [[]] * 5)
    (folder / "clip_000000000003_keypoints.json").write_text(json.dumps({"people": people}))
    with pytest.raises(DiffSignError, match=complaint):
        read_openpose(folder, clip)


def test_a_file_that_is_no_json(tmp_path: Path, clip: Path) -> None:
    folder = write(tmp_path / "op", [[]] * 5)
    (folder / "clip_000000000002_keypoints.json").write_text("{")
    assert "is not OpenPose JSON" in refused(folder, clip)


def test_frames_are_sorted_by_number(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    write_clip(clip, np.zeros((11, 64, 96, 3), np.uint8), 24)
    folder = tmp_path / "op"
    folder.mkdir()
    for number in range(11):
        content = {"people": [as_json(person(30 + number, 30))]}
        (folder / f"a_{number}_keypoints.json").write_text(json.dumps(content))
    found = read_openpose(folder, clip)
    np.testing.assert_allclose(found.points[:, 68 - 67 + 67, 0] - found.points[0, 68, 0], np.arange(11), atol=1e-4)


def placed(tmp_path: Path, **changes) -> Path:
    """Write the placement of the clip in a video of twice its size at 48 fps with a bar of 4 pixels."""
    values = {"width": 176, "height": 128, "fps": 48.0, "frames": 10, "start": 0.0}
    placement = Placement(**(values | {"to_clip": ((0.5, 0.0, 4.0), (0.0, 0.5, 0.0))} | changes))
    save_placement(tmp_path / "placement.json", placement)
    return tmp_path / "placement.json"


def read_placed(folder: Path, clip: Path, placement: Path) -> Keypoints:
    out = folder.parent / "keypoints.npz"
    run(Inputs(clip, folder, placement), Outputs(out), DetectSettings())
    return load_keypoints(out)


def test_a_folder_of_the_video_is_brought_to_the_clip(tmp_path: Path, clip: Path) -> None:
    people = [person(60 + 4 * t, 40) for t in range(10)]
    people[6][30] = 0
    found = read_placed(write(tmp_path / "op", [[as_json(p)] for p in people]), clip, placed(tmp_path))
    expected = np.stack(people)[::2, :, :2] * 0.5 + [4, 0]
    known = found.confidence > 0
    np.testing.assert_allclose(found.xy[known], expected[known], atol=1e-4)
    assert np.argwhere(~known).tolist() == [[3, 30]]


def test_shares_of_the_picture_are_scaled(tmp_path: Path, clip: Path) -> None:
    points = person(60, 40)
    shares = points.copy()
    shares[:, :2] /= [176, 128]
    found = read_placed(write(tmp_path / "op", [[as_json(shares)]] * 10), clip, placed(tmp_path))
    np.testing.assert_allclose(found.xy[0], points[:, :2] * 0.5 + [4, 0], atol=1e-3)


def test_a_folder_of_another_length_is_of_another_video(tmp_path: Path, clip: Path) -> None:
    folder = write(tmp_path / "op", [[as_json(person(60, 40))]] * 17)
    with pytest.raises(DiffSignError, match=r"17 frames.*10"):
        read_placed(folder, clip, placed(tmp_path))


def test_the_older_model_of_18_points_is_read(tmp_path: Path, clip: Path) -> None:
    body = person(48, 40)[:18]
    entry = {"pose_keypoints_2d": body.ravel().tolist()}
    found = read_openpose(write(tmp_path / "op", [[entry]] * 5), clip)
    for name, index in (("nose", 0), ("left_wrist", 7), ("right_hip", 8), ("left_ear", 17)):
        np.testing.assert_allclose(found.points[0, BODY_NAMES.index(name)], body[index], atol=1e-4)
    np.testing.assert_allclose(found.xy[0, BODY_NAMES.index("mid_hip")], body[[8, 11], :2].mean(0), atol=1e-4)


def test_points_beside_the_person_are_of_another_video(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "config/demo/source.mp4"
    frames = [frame for _, frame in zip(range(6), iter_clip(source), strict=False)]
    clip = tmp_path / "signer.mkv"
    write_clip(clip, frames, 24)
    run(Inputs(clip), Outputs(tmp_path / "seen.npz"), DetectSettings())
    seen = load_keypoints(tmp_path / "seen.npz").points.astype(np.float64)
    right = write(tmp_path / "right", [[as_json(points)] for points in seen])
    assert read_openpose(right, clip).points[:, :8] == pytest.approx(seen[:, :8], abs=1e-3)
    seen[..., 0] -= 130
    wrong = write(tmp_path / "wrong", [[as_json(points)] for points in seen])
    with pytest.raises(DiffSignError, match="shoulder widths"):
        read_openpose(wrong, clip)
