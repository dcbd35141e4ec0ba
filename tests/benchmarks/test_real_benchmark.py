"""The benchmark of real videos: its rates on planted motion, and the whole way on a clip made here."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from diffsign.errors import DiffSignError
from diffsign.geometry.camera import Camera
from diffsign.geometry.skeleton import JOINTS
from diffsign.records.clip import read_clip
from diffsign.records.keypoints import LEFT_HAND, RIGHT_HAND, Keypoints
from diffsign.records.motion import Motion
from diffsign.synthetic.truth import Truth

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import real as benchmark
import real_measures as measures
from truth import load_truth

HEADER = "clip\thand\tfirst\tlast\twhat\tfingers\n"
FRAMES = 12


@pytest.fixture(scope="module")
def tee(body) -> Motion:
    """A signer with stretched arms, all of it in a picture of 512 by 256 pixels."""
    camera = Camera.facing(512, 256, 500.0)
    motion = Motion.rest(FRAMES, camera, 24.0, body.n_betas, body.n_expression, body.sha256)
    middle = body.joints(motion.rows([0]))[0, 12]
    return replace(motion, transl=np.tile(np.array([0.0, 0.0, -2.5]) - middle, (FRAMES, 1)).astype(np.float32))


def label(what: str, value: str = "", hand: str = "left", first: int = 0, last: int = FRAMES - 1) -> measures.Label:
    return measures.Label("a.mp4", hand, first, last, what, value)


def clip_of(body, motion: Motion, *labels: measures.Label, fitted: Motion | None = None) -> measures.Clip:
    """A clip whose detected points are those of the fitted motion, or of the smoothed one."""
    seen = motion if fitted is None else fitted
    pixels = seen.camera.project(body.keypoints(seen))
    points = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], axis=-1).astype(np.float32)
    keypoints = Keypoints(points, seen.fps, seen.camera.width, seen.camera.height)
    return measures.Clip("a.mp4", keypoints, keypoints, seen, motion, np.arange(len(seen)), 256, list(labels))


def test_a_hand_that_is_not_there_is_shown_or_not(body, tee) -> None:
    clip = clip_of(body, tee, label("absent", first=2, last=5))
    assert measures.presence(clip, measures.pose(body, tee))[0]["absent_shown"] == 4
    narrow = replace(tee, camera=Camera.facing(128, 256, 500.0))
    rates, worst = measures.presence(clip_of(body, narrow, label("absent")), measures.pose(body, narrow))
    assert (rates["absent"], rates["absent_shown"], worst) == (FRAMES, 0, [])


def test_a_visible_hand_is_near_where_it_was_detected_or_labelled(body, tee) -> None:
    clip = clip_of(body, tee, label("visible"))
    posed = measures.pose(body, tee)
    assert measures.presence(clip, posed)[0]["visible_near"] == FRAMES
    away = clip.detected.points.copy()
    away[4:8, LEFT_HAND, 1] += 1.5 * posed.palm["left"][0]
    moved = replace(clip, detected=replace(clip.detected, points=away))
    rates, worst = measures.presence(moved, posed)
    assert rates["visible_near"] == FRAMES - 4
    assert {frame for _, frame, _ in worst} == {4, 5, 6, 7}
    place = clip.detected.xy[0, LEFT_HAND].mean(axis=0)
    labelled = replace(moved, labels=[*clip.labels, label("place", f"{place[0]:.1f},{place[1]:.1f}")])
    assert measures.presence(labelled, posed)[0]["visible_near"] == FRAMES


def test_a_hand_lost_for_a_moment_is_where_it_passes(body, tee) -> None:
    clip = clip_of(body, tee, label("visible"))
    points = clip.detected.points.copy()
    points[3:6, LEFT_HAND, 2] = 0
    lost = replace(clip.detected, points=points)
    rates, _ = measures.presence(replace(clip, detected=lost, clean=lost), measures.pose(body, tee))
    assert (rates["visible_near"], rates["visible_unplaced"]) == (FRAMES, 0)


def test_fingers_are_extended_or_folded(body, tee) -> None:
    clip = clip_of(body, tee, label("extended", "thumb,index,middle,ring,little"))
    assert measures.handshapes(clip, measures.pose(body, tee))[0] == {"fingers": 60, "fingers_right": 60}
    hand = tee.left_hand_pose.copy()
    hand[:6, :3, 2] = -1.2  # the index finger's three joints
    folded = replace(tee, left_hand_pose=hand)
    rates, worst = measures.handshapes(clip, measures.pose(body, folded))
    assert rates["fingers_right"] == 54
    assert {frame for _, frame, _ in worst} == set(range(6))
    asked = replace(clip, labels=[label("folded", "index", last=5)])
    assert measures.handshapes(asked, measures.pose(body, folded))[0] == {"fingers": 6, "fingers_right": 6}


def test_touching_hands(body, tee) -> None:
    asked = label("contact", "other_hand")
    apart = measures.contacts(clip_of(body, tee, asked), measures.pose(body, tee), body)
    assert apart["contact_kept"] == 0
    assert apart["contact_cm"] > 50
    pose = tee.body_pose.copy()
    pose[:, 15, 1], pose[:, 16, 1] = -1.95, 1.95  # arms forward, hands together
    together = replace(tee, body_pose=pose)
    near = measures.contacts(clip_of(body, together, asked), measures.pose(body, together), body)
    assert (near["contact_frames"], near["contact_kept"]) == (FRAMES, FRAMES)
    chin = measures.contacts(clip_of(body, together, label("contact", "chin")), measures.pose(body, together), body)
    assert chin["contact_kept"] == 0


def test_a_stroke_that_is_flattened(body, tee) -> None:
    steps = 0.15 * np.sin(np.linspace(0, 2 * np.pi, FRAMES))
    quick = replace(tee, transl=(tee.transl + steps[:, None] * [0, 1, 0]).astype(np.float32))
    flat = replace(tee, transl=(tee.transl + 0.5 * steps[:, None] * [0, 1, 0]).astype(np.float32))
    clip = clip_of(body, flat, fitted=quick)
    rates, worst = measures.movement(clip, measures.pose(body, quick), measures.pose(body, flat))
    assert rates["strokes"] > 0
    assert rates["hands_fitted_90"] == pytest.approx(0, abs=1e-3)
    assert rates["peak_speed_fitted"] == pytest.approx(1, abs=0.02)
    assert rates["peak_speed_smoothed_over_fitted"] == pytest.approx(0.5, abs=0.02)
    assert max(worst)[0] == pytest.approx(0.075 / measures.pose(body, tee).palm_metres, rel=0.05)


def test_swapped_hands_count_where_cleaning_put_them(body, tee) -> None:
    clip = clip_of(body, tee, label("visible"))
    points = clip.detected.points.copy()
    points[:, LEFT_HAND], points[:, RIGHT_HAND] = points[:, RIGHT_HAND].copy(), points[:, LEFT_HAND].copy()
    changes = np.zeros(points.shape[:2], np.uint8)
    changes[:, LEFT_HAND.start : RIGHT_HAND.stop] = measures.Change.SWAPPED
    swapped = replace(clip, detected=replace(clip.detected, points=points), clean=replace(clip.clean, changes=changes))
    np.testing.assert_allclose(measures.detected_middle(swapped, "left"), measures.detected_middle(clip, "left"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.mp4\tleft\t0\tx\tabsent\t", "row 2"),
        ("a.mp4\tboth\t0\t3\tabsent\t", "'both'"),
        ("a.mp4\tleft\t5\t3\tabsent\t", "5 to 3"),
        ("a.mp4\tleft\t0\t3\tfolded\tpinky", "'pinky'"),
        ("a.mp4\tleft\t0\t3\ttouches\tchin", "'touches'"),
        ("a.mp4\tleft\t0\t3\tcontact\tnose", "'nose'"),
        ("a.mp4\tleft\t0\t3\tplace\tup", "'up'"),
        ("a.mp4\tleft\t0", "last, what"),
    ],
)
def test_labels_that_say_nothing(tmp_path, row, said) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text(HEADER + row + "\n")
    with pytest.raises(DiffSignError, match=said):
        measures.read_labels(path)


def test_folders_without_videos(tmp_path) -> None:
    with pytest.raises(DiffSignError, match="nowhere"):
        benchmark.find_videos(tmp_path / "nowhere", [])
    with pytest.raises(DiffSignError, match="no videos"):
        benchmark.find_videos(tmp_path, [])
    (tmp_path / "a.MP4").touch()
    assert benchmark.find_videos(tmp_path, []) == [tmp_path / "a.MP4"]
    with pytest.raises(DiffSignError, match=r"no b\.mp4"):
        benchmark.find_videos(tmp_path, ["b.mp4"])


def visible_rows(truth: Truth):
    """Rows of labels that say in which frames a hand is well inside the picture."""
    for side in ("left", "right"):
        middle = truth.camera.project(truth.joints[:, JOINTS.index(f"{side}_middle1")])
        for t in np.flatnonzero(((middle > 40) & (middle < 216)).all(axis=1)):
            yield f"a.mp4\t{side}\t{t}\t{t}\tvisible\t\n"


def test_a_video_of_a_signer_all_the_way(tmp_path, body_path) -> None:
    """Measured, drawn, and not done again when nothing has changed."""
    folder, work = tmp_path / "my videos", tmp_path / "work"
    made = ["synthetic-signer", folder / "a.mp4", "--body", body_path, "--seconds=0.5", "--fps=12", "--samples=1"]
    benchmark.run(*made, "--height=256", "--width=256", "--seed=5", "--truth", tmp_path / "truth.npz")
    (tmp_path / "labels.tsv").write_text(HEADER + "".join(visible_rows(load_truth(tmp_path / "truth.npz"))))
    given = [folder, "--labels", tmp_path / "labels.tsv", "--json", tmp_path / "real.json", "--work", work]
    given += ["--body", body_path, "--sheet", "2"]
    benchmark.main([str(argument) for argument in given])
    report = json.loads((tmp_path / "real.json").read_text())
    (row,), total = report["clips"], report["total"]
    assert (row["clip"], total["clips"]) == ("a.mp4", 1)
    assert total["visible"] >= row["frames"] >= 6
    assert total["visible_near"] >= 0.9 * total["visible"]
    assert set(row["seconds"]) == {"ingest", "detect", "clean", "fit", "smooth", "render"}
    sheet = cv2.imread(str(work / "a.mp4" / "sheet.png"))
    frames, _ = read_clip(work / "a.mp4" / "clip.mkv")
    shown = cv2.resize(frames[0], (224, 224), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(sheet[18 : 18 + 224, :224, ::-1], shown)
    kept = (work / "a.mp4" / "motion.npz").stat().st_mtime_ns
    benchmark.main([str(argument) for argument in given])
    assert (work / "a.mp4" / "motion.npz").stat().st_mtime_ns == kept
    assert json.loads((tmp_path / "real.json").read_text())["clips"][0]["seconds"] == row["seconds"]
