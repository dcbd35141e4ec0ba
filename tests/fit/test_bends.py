"""Fingers that the detector opens are closed again, in their own plane."""

from __future__ import annotations

import numpy as np
import pytest

from diffsign.fit.bends import BendTable, corrected, finger_bends
from diffsign.fit.detectors import detector_of
from diffsign.fit.targets import BONES, FINGERS
from diffsign.geometry.rotations import rotvec_to_rotmat
from diffsign.records.keypoints import NAMES

TABLE = BendTable(np.array([0.0, 90.0, 180.0]), np.array([[0.0, 0, 0], [-10, 0, 0], [30, 20, 10]]))


def finger(*bends: float) -> np.ndarray:
    """Return four bones (1, 4, 3) of a finger in a tilted plane."""
    headings = np.radians(np.concatenate([[0], np.cumsum(bends)]))
    flat = np.stack([np.cos(headings), np.sin(headings), np.zeros(4)], axis=-1)
    return (flat @ rotvec_to_rotmat(np.array([0.4, -0.7, 0.3])).T)[None]


def test_bends_are_those_that_made_the_finger():
    assert finger_bends(finger(40, 80, 60))[0][0] == pytest.approx([40, 80, 60])


def test_a_folded_finger_is_folded_further_and_stays_in_its_plane():
    before, after = finger(50, 70, 60), corrected(finger(50, 70, 60), TABLE)
    bends, axis = finger_bends(after)
    assert bends[0] == pytest.approx([80, 90, 70])
    assert axis[0] == pytest.approx(finger_bends(before)[1][0]) and np.array_equal(after[:, 0], before[:, 0])


def test_no_joint_is_bent_backwards():
    assert finger_bends(corrected(finger(4, 50, 36), TABLE))[0][0] == pytest.approx([0, 50, 36])


def test_a_straight_finger_has_no_plane_and_stays():
    assert np.allclose(corrected(finger(0, 0, 0), TABLE), finger(0, 0, 0))


def test_what_is_known_of_mediapipe():
    table = detector_of("mediapipe holistic 0.10.21").bends
    assert table is not None and np.all(np.diff(table.total) > 0) and table.extra.shape == (len(table.total), 3)
    total = table.total + table.extra.sum(1)
    assert np.all(np.diff(total) > 0) and np.interp(180, table.total, total) > 210
    assert detector_of("openpose").bends is None


def test_fingers_are_four_bones_in_a_row():
    for bones in FINGERS:
        ends = np.array(BONES)[bones]
        assert np.array_equal(ends[1:, 0], ends[:-1, 1]) and NAMES[ends[0, 0]].endswith("hand_wrist")
        assert NAMES[ends[-1, 1]].endswith("4") and "thumb" not in NAMES[ends[-1, 1]]
