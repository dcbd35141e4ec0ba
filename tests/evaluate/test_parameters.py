"""Parameters of a sign: answers known on paper, and known disturbances that move their own measure and no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffsign.evaluate import parameters
from diffsign.evaluate.signing import HANDS, Signing, compare
from diffsign.geometry.camera import Camera
from diffsign.records.keypoints import COUNT, FACE, LEFT_HAND, RIGHT_HAND

FPS, FRAMES = 30, 60
#: Fingers across the palm, thumb first, and how long their bones are.
ACROSS, BONES = (0.04, 0.03, 0.01, -0.01, -0.03), (0.045, 0.025, 0.02)


def hand(bends=(0.0, 0.0, 0.0, 0.0, 0.0), thumb_out=True):
    """A right hand (21, 3) of metres: fingers along +y, palm to +z, thumb at +x; each joint bends by ``bends``."""
    points = np.zeros((21, 3))
    for finger, (x, bend) in enumerate(zip(ACROSS, bends, strict=True)):
        place, direction = np.array([x, 0.03 if finger == 0 else 0.09, 0.0]), np.array([0.0, 1.0, 0.0])
        if finger == 0:
            direction = np.array([1.0, 0.5, 0.0]) if thumb_out else np.array([-0.4, 0.8, 0.3])
            direction = direction / np.linalg.norm(direction)
        points[1 + 4 * finger] = place
        for bone, length in enumerate(BONES):
            if finger:
                angle = np.deg2rad(bend * (bone + 1))
                direction = np.array([0.0, np.cos(angle), np.sin(angle)])
            place = place + length * direction
            points[2 + 4 * finger + bone] = place
    return points


FLAT, FIST = hand(), hand((0, 80, 80, 80, 80), thumb_out=False)


def test_angles_and_rates_on_paper():
    x, y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    assert parameters.angle_between(x, y) == pytest.approx(90)
    assert parameters.angle_between(x, x) == 0
    assert parameters.angle_between(x, -x) == pytest.approx(180)
    found = parameters.rates(np.array([True, True, False, False]), np.array([True, False, True, True]))
    assert found == (0.5, pytest.approx(1 / 3))
    assert np.isnan(parameters.rates(np.zeros(3, bool), np.zeros(3, bool))).all()


def test_location_is_seen_from_the_origin_and_not_aligned():
    points = np.zeros((2, 3, 3))
    moved = points + np.array([0.03, 0.04, 0.0])
    origin = np.zeros((2, 3))
    assert np.allclose(parameters.location_error(moved, points, origin, origin), 50)
    assert np.allclose(parameters.location_error(moved, points, origin + np.array([0.03, 0.04, 0]), origin), 0)
    pixels = points[..., :2]
    off = parameters.picture_error(pixels + np.array([3, 4]), pixels, np.array([10.0, 5]))
    assert np.allclose(off, [[0.5] * 3, [1.0] * 3])


def test_the_gap_of_two_spheres():
    rng = np.random.default_rng(0)
    sphere = rng.normal(size=(1, 4000, 3))
    sphere /= np.linalg.norm(sphere, axis=-1, keepdims=True)
    assert parameters.gap(sphere, sphere + np.array([3.0, 0, 0]))[0] == pytest.approx(1.0, abs=0.05)


def test_contacts_count_what_touches():
    truth = np.array([0.0, 0.005, 0.1, 0.1, 0.03])
    result = np.array([0.004, 0.05, 0.01, 0.2, 0.015])
    found = parameters.contact(result, truth)
    # frame 0 is kept, 1 is lost, 2 is invented, 4 touches in the result where the truth nearly does
    assert (found.recall, found.precision, found.frames) == (0.5, pytest.approx(2 / 3), 2)
    assert found.distance_mm == pytest.approx(27)


def stroke(amplitude=0.3, fps=FPS, late=0.0):
    """A wrist that goes up and down by ``amplitude`` metres, once a second, ``late`` seconds late."""
    times = np.arange(FRAMES) / fps - late
    return np.stack([np.zeros(FRAMES), amplitude / 2 * np.cos(2 * np.pi * times), np.zeros(FRAMES)], axis=1)


def test_movement_on_paper():
    assert parameters.peak_speed_ratio(stroke(0.15), stroke(), FPS) == pytest.approx(0.5)
    assert parameters.velocity_correlation(stroke(0.15), stroke(), FPS) == pytest.approx(1)
    assert parameters.velocity_correlation(-stroke(), stroke(), FPS) == pytest.approx(-1)
    assert parameters.delay(stroke(late=0.1), stroke(), FPS) == pytest.approx(3, abs=0.1)
    assert parameters.delay(stroke(late=-0.05), stroke(), FPS) == pytest.approx(-1.5, abs=0.15)
    assert np.isnan(parameters.peak_speed_ratio(stroke(), np.zeros((FRAMES, 3)), FPS))
    assert np.isnan(parameters.delay(stroke(), np.zeros((FRAMES, 3)), FPS))


def test_palm_and_pointing_of_both_hands():
    assert np.allclose(parameters.palm_normal(FLAT, "right"), [0, 0, 1])
    assert np.allclose(parameters.palm_normal(FLAT * [-1, 1, 1], "left"), [0, 0, 1])
    turned = FLAT @ Rotation.from_euler("y", 90, degrees=True).as_matrix().T
    assert np.allclose(parameters.palm_normal(turned, "right"), [1, 0, 0])
    assert parameters.angle_between(parameters.pointing(turned), parameters.pointing(FLAT)) == pytest.approx(0, abs=12)


def test_fingers_extended_folded_and_in_between():
    assert parameters.extended(FLAT).tolist() == [1, 1, 1, 1, 1]
    assert parameters.extended(FIST).tolist() == [-1, -1, -1, -1, -1]
    assert parameters.extended(hand((0, 0, 35, 80, 80)))[1:].tolist() == [1, 0, -1, -1]
    assert parameters.rather_extended(np.stack([FLAT, FIST]))[:, 1:].tolist() == [[True] * 4, [False] * 4]
    assert parameters.rather_extended(hand((0, 0, 35, 80, 80)))[1:].tolist() == [True, True, False, False]
    assert parameters.fingers_kept(np.array([1, 0, -1, 1]), np.array([1, 1, 0, -1])) == pytest.approx(1 / 3)
    # two joints of the middle finger bend by 30°, the knuckle by a little less, as it was not quite straight
    assert parameters.handshape_error(hand((0, 0, 30, 0, 0)), FLAT) == pytest.approx(3 * 30 / 15, abs=0.5)


def test_a_hand_is_in_the_picture_when_half_of_it_is():
    pixels = np.full((2, 21, 2), 50.0)
    pixels[0, :12, 0] = -1
    assert parameters.in_picture(pixels, 100, 100).tolist() == [False, True]


def face():
    """The 70 points of a face, flat but for the nose, eyes 0.1 m apart."""
    points = np.random.default_rng(3).uniform(-0.05, 0.05, (70, 3))
    points[36], points[45] = [-0.05, 0.02, 0], [0.05, 0.02, 0]
    points[62], points[66] = [0, -0.04, 0], [0, -0.05, 0]
    return points


def test_non_manuals_on_paper():
    faces = np.stack([face(), face()])
    assert np.allclose(parameters.mouth_opening(faces), 0.1)
    raised = faces.copy()
    raised[1, 17:27, 1] += 0.02
    assert parameters.brow_height(raised)[1] != pytest.approx(parameters.brow_height(raised)[0])
    turn = Rotation.from_euler("y", [[0], [25]], degrees=True).as_matrix()
    assert np.allclose(parameters.head_rotation_error(faces @ np.swapaxes(turn, 1, 2), faces), [0, 25], atol=1e-6)


def signing(late=0.0, shape=FLAT):
    """Somebody 2 m away who moves both hands up and down before the shoulders; a right camera of 600 pixels."""
    points = np.zeros((FRAMES, COUNT, 3))
    points[:] = [0.0, 0.1, 2.0]
    points[:, FACE] = face() * [1, -1, 1] + [0, -0.2, 2.0]
    points[:, 17], points[:, 18] = [-0.07, -0.2, 2.0], [0.07, -0.2, 2.0]
    for side, rows in HANDS.items():
        out = 1.0 if side == "left" else -1.0
        # camera axes have y down: fingers up, palm to the camera
        own = shape * [out, -1, -1]
        points[:, rows] = own + (stroke(late=late) * [0, 1, 0])[:, None] + [0.25 * out, 0.2, 1.7]
    camera = Camera.facing(600, 600, 600.0)
    pixels = points[..., :2] * 600 / points[..., 2:] + 300
    gaps = {"left_hand-right_hand": np.linalg.norm(points[:, LEFT_HAND.start] - points[:, RIGHT_HAND.start], axis=-1)}
    return Signing(points, pixels, camera.width, camera.height, FPS, 600.0, gaps)


TRUTH = signing()
PERFECT = compare(TRUTH, TRUTH)


def test_the_truth_itself_has_no_error():
    for name, value in PERFECT.items():
        best = 1.0 if name in BEST_AT_ONE else 0.0
        assert value == pytest.approx(best, abs=1e-4), name


BEST_AT_ONE = (
    "peak_speed_ratio",
    "peak_speed_ratio_in_space",
    "velocity_correlation",
    "fingers_kept",
    "presence_precision",
    "presence_recall",
)


def changed(measures):
    """Names of what is worse than with the truth itself, without unit and statistic."""
    worse = {name for name, value in measures.items() if abs(value - PERFECT.get(name, 0)) > 0.02}
    return {name.removesuffix("_median").removesuffix("_p90") for name in worse}


def with_hand(signing, side, change):
    points = signing.points.copy()
    points[:, HANDS[side]] = change(points[:, HANDS[side]])
    return replace(signing, points=points, pixels=points[..., :2] * 600 / points[..., 2:] + 300)


def test_a_hand_removed_moves_presence_and_the_location_of_what_is_not_there():
    below = with_hand(TRUTH, "left", lambda hand: hand + np.array([0, 1.5, 0]))
    measures = compare(below, TRUTH)
    assert measures["presence_recall"] == pytest.approx(0.5)
    assert measures["presence_precision"] == 1
    assert all(name.startswith(("location", "presence")) for name in changed(measures))
    back = compare(TRUTH, below)
    assert back["presence_precision"] == pytest.approx(0.5)
    assert back["absent_hands_shown"] == 1


def test_a_hand_mirrored_moves_orientation_and_neither_place_of_the_wrist_nor_handshape_nor_movement():
    mirrored = with_hand(TRUTH, "right", lambda hand: (hand - hand[:, :1]) * [-1, 1, 1] + hand[:, :1])
    measures = compare(mirrored, TRUTH)
    assert measures["orientation_palm_deg_p90"] == pytest.approx(180)
    assert changed(measures) <= {
        "orientation_palm_deg",
        "orientation_pointing_deg",
        "location_tips_from_head_mm",
        "location_tips_from_shoulders_mm",
        "location_tips_palms",
    }


def test_100_ms_late_move_delay_correlation_and_place_and_nothing_else():
    measures = compare(signing(late=0.1), TRUTH)
    assert measures["delay_frames"] == pytest.approx(3, abs=0.1)
    assert measures["peak_speed_ratio"] == pytest.approx(1, abs=0.01)
    assert changed(measures) <= {
        "delay_frames",
        "velocity_correlation",
        *(f"location_{what}" for what in ("wrist_palms", "tips_palms")),
        *(f"location_{what}_from_{origin}_mm" for what in ("wrist", "tips") for origin in ("head", "shoulders")),
    }


def test_another_handshape_moves_handshape_and_fingertips_alone():
    measures = compare(signing(shape=FIST), TRUTH)
    assert measures["fingers_kept"] == 0
    assert measures["handshape_deg_median"] > 50
    assert {name for name in changed(measures) if "tips" not in name} == {"handshape_deg", "fingers_kept"}


def test_touches_are_compared_between_surfaces():
    touching = np.where(np.arange(FRAMES) < 20, 0.005, 0.2)
    truth = replace(TRUTH, gaps={"hands": touching})
    lost = replace(TRUTH, gaps={"hands": np.where(np.arange(FRAMES) < 10, 0.005, 0.05)})
    measures = compare(lost, truth)
    assert measures["contact_recall"] == 0.5
    assert measures["contact_frames"] == 20
    assert changed(measures) <= {"contact_recall", "contact_frames", "contact_distance_mm", "contact_precision"}
