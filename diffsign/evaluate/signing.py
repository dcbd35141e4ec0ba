"""Two signings compared by every parameter of a sign (:mod:`diffsign.evaluate.parameters`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from diffsign.evaluate.parameters import (
    TIPS,
    WRIST,
    Array,
    Flags,
    angle_between,
    brow_height,
    contact,
    delay,
    extended,
    fingers_kept,
    handshape_error,
    head,
    head_rotation_error,
    in_picture,
    location_error,
    mouth_opening,
    palm_normal,
    palm_width,
    peak_speed_ratio,
    picture_error,
    pointing,
    rates,
    shoulders,
    velocity_correlation,
)
from diffsign.records.keypoints import FACE, LEFT_HAND, RIGHT_HAND

HANDS = {"left": LEFT_HAND, "right": RIGHT_HAND}


@dataclass(frozen=True)
class Signing:
    """What is compared of a signer.

    Attributes:
        points: (T, 137, 3) metres in the axes of the camera.
        pixels: (T, 137, 2) where they are in the picture.
        width: of the picture, pixels.
        height: of the picture, pixels.
        fps: frames a second.
        focal: pixels.
        gaps: by pair of surfaces, such as ``left_hand-head``, the distance (T,) between them in metres.
    """

    points: Array
    pixels: Array
    width: int
    height: int
    fps: float
    focal: float
    gaps: Mapping[str, Array] = field(default_factory=dict)

    @cached_property
    def present(self) -> dict[str, Flags]:
        """By side, the frames (T,) in which the hand is in the picture."""
        return {
            side: in_picture(np.nan_to_num(self.pixels[:, hand], nan=-1.0), self.width, self.height)
            for side, hand in HANDS.items()
        }

    def palm(self, hand: slice) -> Array:
        """Return the width (T,) in pixels that a palm has in the picture when it is seen from the front."""
        points = self.points[:, hand]
        return palm_width(points) * self.focal / points[:, WRIST, 2]


def compare(result: Signing, truth: Signing) -> dict[str, float]:
    """Return every measure of a result against its truth, by name and unit.

    Hands count where they are in the picture of the truth, both together. ``_median`` and ``_p90`` are over frames.

    Args:
        result: what was fitted.
        truth: what was signed.
    """
    measures: dict[str, float] = {}

    def add(name: str, values: Array) -> None:
        values = values[np.isfinite(values)]
        if len(values):
            measures[f"{name}_median"], measures[f"{name}_p90"] = (float(np.percentile(values, p)) for p in (50, 90))

    frames = {name: np.concatenate(values) for name, values in _hands(result, truth).items()}
    for name, values in frames.items():
        add(name, values)
    movement = {side: _movement(result, truth, side) for side in HANDS}
    for name in movement["left"]:
        values = np.array([movement[side][name] for side in HANDS])
        if np.isfinite(values).any():
            measures[name] = float(np.nanmean(values))
    states = [
        [extended(signing.points[truth.present[side], hand]) for side, hand in HANDS.items()]
        for signing in (result, truth)
    ]
    measures["fingers_kept"] = fingers_kept(np.concatenate(states[0]), np.concatenate(states[1]))
    shown, there = (np.concatenate([signing.present[side] for side in HANDS]) for signing in (result, truth))
    measures["presence_precision"], measures["presence_recall"] = rates(shown, there)
    absent = ~there
    measures["absent_hands_shown"] = float(shown[absent].mean()) if absent.any() else float("nan")
    measures |= _contacts(result, truth)
    faces = result.points[:, FACE], truth.points[:, FACE]
    add("head_rotation_deg", head_rotation_error(*faces))
    add("mouth_opening_eye_distances", np.abs(mouth_opening(faces[0]) - mouth_opening(faces[1])))
    add("brow_height_eye_distances", np.abs(brow_height(faces[0]) - brow_height(faces[1])))
    return {name: value for name, value in measures.items() if np.isfinite(value)}


def _hands(result: Signing, truth: Signing) -> dict[str, list[Array]]:
    """Return what is measured frame by frame, the two hands' frames in the picture one after the other."""
    rows: dict[str, list[Array]] = {}
    origins = {"head": head, "shoulders": shoulders}
    for side, hand in HANDS.items():
        there = truth.present[side]
        first, second = result.points[there, hand], truth.points[there, hand]
        values = {}
        for name, origin in origins.items():
            both = origin(result.points[there]), origin(truth.points[there])
            error = location_error(first, second, *both)
            values |= {
                f"location_wrist_from_{name}_mm": error[:, WRIST],
                f"location_tips_from_{name}_mm": error[:, TIPS].mean(-1),
            }
        off = picture_error(result.pixels[there, hand], truth.pixels[there, hand], truth.palm(hand)[there])
        values |= {"location_wrist_palms": off[:, WRIST], "location_tips_palms": off[:, TIPS].mean(-1)}
        values["orientation_palm_deg"] = angle_between(palm_normal(first, side), palm_normal(second, side))
        values["orientation_pointing_deg"] = angle_between(pointing(first), pointing(second))
        values["handshape_deg"] = handshape_error(first, second)
        for name, column in values.items():
            rows.setdefault(name, []).append(column)
    return rows


def _movement(result: Signing, truth: Signing, side: str) -> dict[str, float]:
    """Return the measures of a wrist's movement from the head while the hand is in the picture.

    In the plane of the picture, where movement is seen; the peak speed also in space, where guessed depth adds to it.
    """
    wrist = HANDS[side].start + WRIST
    tracks = [signing.points[:, wrist] - head(signing.points) for signing in (result, truth)]
    for track in tracks:
        track[~truth.present[side]] = np.nan
    shown, asked = tracks
    return {
        "peak_speed_ratio": peak_speed_ratio(shown[:, :2], asked[:, :2], truth.fps),
        "peak_speed_ratio_in_space": peak_speed_ratio(shown, asked, truth.fps),
        "velocity_correlation": velocity_correlation(shown[:, :2], asked[:, :2], truth.fps),
        "delay_frames": delay(shown[:, :2], asked[:, :2], truth.fps),
    }


def _contacts(result: Signing, truth: Signing) -> dict[str, float]:
    """Return the measures of contact, all pairs of surfaces one after the other."""
    pairs = [pair for pair in truth.gaps if pair in result.gaps]
    if not pairs:
        return {}
    found, true = (np.concatenate([signing.gaps[pair] for pair in pairs]) for signing in (result, truth))
    agreement = contact(found, true)
    return {
        "contact_precision": agreement.precision,
        "contact_recall": agreement.recall,
        "contact_distance_mm": agreement.distance_mm,
        "contact_frames": agreement.frames,
    }
