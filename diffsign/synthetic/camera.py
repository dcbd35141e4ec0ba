"""A camera before the signer: focal length, distance, framing, a little tilt."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from diffsign.geometry.camera import LOOK_ALONG_MINUS_Z, Camera

#: Share of the picture that stays free at its edges.
MARGIN = 0.05


def frame_signer(
    points: np.ndarray,
    low: float,
    high: float,
    width: int,
    height: int,
    roll: float,
    view_angle: float | None,
    rng: np.random.Generator,
) -> tuple[Camera, np.ndarray]:
    """Place a camera so that a signer fills the picture.

    Args:
        points: (N, 3) metres, all that must be in the picture (head, hands when they sign), around a pelvis at 0.
        low: metres, height at which the picture cuts the body.
        high: metres, the top of the hair.
        width: pixels.
        height: pixels.
        roll: degrees, clockwise in the picture.
        view_angle: degrees along the longer side; drawn if None.
        rng: chooses angle of view, tilt and offset.

    Returns:
        The camera, at the world's origin, and the place (3,) of the pelvis in its world.
    """
    drawn = rng.uniform(24.0, 38.0)
    view = np.deg2rad(drawn if view_angle is None else view_angle)
    pitch, yaw, slight_roll = np.deg2rad(rng.uniform([-4.0, -7.0, -1.0], [4.0, 7.0, 1.0]))
    focal = max(width, height) / (2 * np.tan(view / 2))
    turn = Rotation.from_euler("zxy", [np.deg2rad(roll) + slight_roll, pitch, yaw]).as_matrix()
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    camera = Camera(K=K, R=turn @ LOOK_ALONG_MINUS_Z, t=np.zeros(3), width=width, height=height)
    room = 1 - 2 * MARGIN
    centre = np.array([points[:, 0].min() + points[:, 0].max(), low + high, 0.0]) / 2
    centre[0] += rng.uniform(-0.02, 0.02) * (high - low)
    distance = focal * (high - low) / (height * (1 - 1.3 * MARGIN))
    while True:
        place = camera.R.T @ np.array([0.0, 0.0, distance]) - centre
        offsets = camera.project(points + place) / [width, height] - 0.5
        # A rolled or a narrow picture needs more distance than the signer's height asks for.
        excess = np.abs(offsets).max() / (room / 2)
        if not excess > 1.0:
            return camera, place
        distance *= max(min(excess, 1.05), 1.005)
