"""Skeleton pictures of a clip, from a fitted motion or from detected keypoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from diffsign.config.control import PoseControlSettings
from diffsign.control.occlusion import Occluders
from diffsign.control.pose_picture import pose_picture
from diffsign.records.keypoints import COUNT, Keypoints

if TYPE_CHECKING:
    from diffsign.body.model import Body
    from diffsign.records.motion import Motion


def skeletons_of_motion(motion: Motion, body: Body, settings: PoseControlSettings) -> Iterator[np.ndarray]:
    """Draw the joints of a fit as the motion's camera sees them.

    Args:
        motion: T frames.
        body: the body that the motion's parameters belong to.
        settings: what is drawn.

    Yields:
        (H, W, 3) uint8 RGB, T times, of the camera's size.
    """
    camera = motion.camera
    points = body.keypoints(motion)
    vertices = body.vertices(motion)
    occluders = Occluders(body.faces, body.parts, vertices.shape[1]) if settings.occlusion else None
    for world, mesh in zip(points, vertices, strict=True):
        picture = np.zeros((COUNT, 3))
        picture[:, :2] = camera.project(world)
        picture[:, 2] = np.isfinite(picture[:, 0])
        left_hand_first = True
        if occluders is not None:
            visibility = occluders.visibility(mesh, world, camera)
            picture[:, 2] *= visibility.seen
            left_hand_first = visibility.left_hand_first
        yield pose_picture(
            np.nan_to_num(picture),
            camera.width,
            camera.height,
            body=settings.draw_body,
            hands=settings.draw_hands,
            face=settings.draw_face,
            left_hand_first=left_hand_first,
        )


def skeletons_of_keypoints(keypoints: Keypoints, settings: PoseControlSettings) -> Iterator[np.ndarray]:
    """Draw detected keypoints, the paper's way: (H, W, 3) uint8 RGB for each of T frames."""
    for points in keypoints.points:
        kept = np.where(points[:, 2:] >= settings.min_confidence, points, 0.0)
        yield pose_picture(
            kept,
            keypoints.width,
            keypoints.height,
            body=settings.draw_body,
            hands=settings.draw_hands,
            face=settings.draw_face,
        )
