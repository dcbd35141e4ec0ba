"""Keypoints as a ``.pose`` file, which most tools for signed languages read."""

# pose-format comes without types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffsign.files import atomic
from diffsign.records.keypoints import BODY, FACE, LEFT_HAND, RIGHT_HAND, Keypoints


def save_pose_file(path: str | Path, keypoints: Keypoints) -> None:
    """Write keypoints as pose-format's OpenPose components, one person; missing points are masked."""
    from pose_format import Pose, PoseHeader
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import PoseHeaderDimensions
    from pose_format.utils.openpose import OpenPose_Components

    by_part = {"pose": BODY, "hand_left": LEFT_HAND, "hand_right": RIGHT_HAND, "face": FACE}
    columns = [by_part[component.name.removesuffix("_keypoints_2d")] for component in OpenPose_Components]
    points = np.concatenate([keypoints.points[:, part] for part in columns], axis=1)[:, None]
    absent = points[..., 2] <= 0
    xy = np.ma.masked_array(points[..., :2], mask=np.repeat(absent[..., None], 2, axis=-1))
    size = PoseHeaderDimensions(keypoints.width, keypoints.height, 0)
    header = PoseHeader(version=0.2, dimensions=size, components=OpenPose_Components)
    pose = Pose(header, NumPyPoseBody(fps=keypoints.fps, data=xy, confidence=points[..., 2]))
    with atomic(path) as temporary, temporary.open("wb") as stream:
        pose.write(stream)
