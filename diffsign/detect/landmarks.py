"""From MediaPipe's landmarks to the 137 points of OpenPose."""

from __future__ import annotations

import numpy as np

from diffsign.records.keypoints import BODY, BODY_NAMES, COUNT, FACE
from diffsign.records.landmarks import FACE_LANDMARKS, to_body25

#: MediaPipe's body points on the head, whose visibility stands for the face's.
HEAD = slice(0, 11)

#: Confidence of an elbow or wrist that the network puts outside the picture: it is out there, but where is a guess.
OUTSIDE = 0.3
#: Joints that are kept outside the picture, and how far outside, in sides of the picture.
ARMS = [BODY_NAMES.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("elbow", "wrist")]
FARTHEST = 0.5


def inside(xy: np.ndarray, width: float, height: float) -> np.ndarray:
    """Return 1.0 where pixels (..., 2) lie in the picture and 0.0 elsewhere."""
    return ((xy >= 0) & (xy <= [width, height])).all(axis=-1).astype(np.float64)


def to_openpose(body: np.ndarray | None, face: np.ndarray | None, width: int, height: int) -> np.ndarray:
    """Return one frame's points (137, 3) without hands: pixels and confidence.

    Args:
        body: (33, 4) MediaPipe's body in pixels with depth and visibility; None if nobody was found.
        face: (478, 3) MediaPipe's face mesh in pixels with depth; None if no face was found.
        width: of the picture in pixels.
        height: of the picture in pixels.

    The confidence of a body point is its visibility; that of a face point the mean visibility of nose, eyes, ears and
    mouth, because the mesh comes with none. Points outside the picture are missing, but for elbows and wrists up to
    half a picture away: an arm that leaves the picture goes somewhere, and they keep their place with :data:`OUTSIDE`.
    """
    points = np.zeros((COUNT, 3))
    if body is not None:
        points[BODY] = to_body25(body[:, [0, 1, 3]])
    if face is not None:
        visibility = 1.0 if body is None else float(body[HEAD, 3].mean())
        points[FACE] = np.column_stack([face[FACE_LANDMARKS, :2], np.full(len(FACE_LANDMARKS), visibility)])
    shown = inside(points[:, :2], width, height)
    if body is not None:
        size = np.array([width, height])
        arms = points[ARMS]
        near = ((arms[:, :2] > -FARTHEST * size) & (arms[:, :2] < (1 + FARTHEST) * size)).all(axis=-1)
        points[ARMS, 2] = np.where(shown[ARMS] > 0, arms[:, 2], OUTSIDE * near)
        shown[ARMS] = 1.0
    points[:, 2] *= shown
    return points
