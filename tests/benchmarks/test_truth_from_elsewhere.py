"""The benchmark of the fit on a clip with truth from elsewhere: joints by name, or vertices, in any world."""

from __future__ import annotations

import json

import clips
import fit as benchmark
import numpy as np
import pytest

from diffsign.config.synthetic import SyntheticSettings
from diffsign.errors import DiffSignError
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.geometry.skeleton import JOINTS
from diffsign.records.clip import write_clip
from diffsign.records.keypoints import save_keypoints
from diffsign.synthetic.signer import perform
from diffsign.synthetic.truth import save_truth

TURN, SHIFT = rotvec_to_rotmat(np.array([0.4, -1.0, 0.3])), np.array([3.0, -1.0, 2.0])
NAMED = ("left_wrist", "right_wrist", "neck", "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow")


@pytest.fixture(scope="module")
def truth():
    return perform(SyntheticSettings(seed=5, seconds=0.4, fps=10, width=128, height=128)).truth


@pytest.fixture
def clip(tmp_path, truth, body):
    """A blank clip whose points are as if detected: the benchmark takes them where it left them before."""
    video = tmp_path / "me/clip.mp4"
    video.parent.mkdir()
    write_clip(video, np.zeros((len(truth), 128, 128, 3), np.uint8), truth.fps)
    folder = tmp_path / "work/me-clip"
    folder.mkdir(parents=True)
    save_keypoints(folder / "keypoints.npz", benchmark.exact(truth, body))
    (folder / "code.txt").write_text(clips.detection_code())
    return video


def moved(truth, **points):
    """Return arrays of a truth in another world: points turned and shifted, and the camera that sees them the same."""
    camera = truth.camera
    rotation = camera.R @ TURN.T
    return {name: value @ TURN.T + SHIFT for name, value in points.items()} | {
        "K": camera.K, "R": rotation, "t": camera.t - rotation @ SHIFT, "fps": truth.fps, "image_size": [128, 128],
    }  # fmt: skip


def figures(tmp_path, clip, body_path, path):
    report = tmp_path / "fit.json"
    given = ["--json", report, "--clip", clip, "--truth", path, "--body", body_path, "--work", tmp_path / "work"]
    benchmark.main([str(argument) for argument in given])
    rows = json.loads(report.read_text())["clips"]
    return {row["points"]: row for row in rows}


def test_both_forms_give_the_figures_of_the_whole_truth(tmp_path, clip, truth, body_path):
    save_truth(tmp_path / "whole.npz", truth)
    columns = [JOINTS.index(name) for name in NAMED]
    joints = moved(truth, joints=truth.joints[:, columns].astype(float))
    np.savez(tmp_path / "joints.npz", **joints, joint_names=NAMED)
    np.savez(tmp_path / "vertices.npz", **moved(truth, vertices=truth.vertices.astype(float)))
    whole = figures(tmp_path, clip, body_path, tmp_path / "whole.npz")
    assert set(whole) == {"detected", "true"}
    named = figures(tmp_path, clip, body_path, tmp_path / "joints.npz")
    meshed = figures(tmp_path, clip, body_path, tmp_path / "vertices.npz")
    assert set(named) == set(meshed) == {"detected"}
    whole, named, meshed = whole["detected"], named["detected"], meshed["detected"]
    assert "location_wrist_from_head_mm_median" in whole
    assert not any("v2v" in key or "finger" in key or "location" in key for key in named)
    assert not any("mpjpe" in key or "acceleration" in key for key in meshed)
    assert named["mpjpe_upper_body_mm"] > 0
    for part in ("upper_body", "left_hand", "face"):
        for kind in ("tr_v2v", "t_v2v"):
            assert meshed[f"{kind}_{part}_mm"] == pytest.approx(whole[f"{kind}_{part}_mm"], abs=0.02)


def test_wrong_pairs_are_one_sentence(tmp_path, clip, truth, body_path):
    vertices = truth.vertices.astype(float)
    path = tmp_path / "truth.npz"
    np.savez(path, **moved(truth, vertices=vertices[:, :100]))
    with pytest.raises(DiffSignError, match="has 100 vertices, but the body file has 13718"):
        figures(tmp_path, clip, body_path, path)
    np.savez(path, **moved(truth, vertices=vertices[:2]))
    with pytest.raises(DiffSignError, match="has 4 frames at 10 a second, but its truth has 2"):
        figures(tmp_path, clip, body_path, path)
    for file in (tmp_path / "work").rglob("*.npz"):
        file.unlink()
    camera = moved(truth, vertices=vertices) | {"image_size": [256, 128]}
    np.savez(path, **camera)
    with pytest.raises(DiffSignError, match="is 128x128, but the camera of its truth is for 256x128"):
        figures(tmp_path, clip, body_path, path)
