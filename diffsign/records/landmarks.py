"""Where MediaPipe Holistic's landmarks stand in the 137 points of :mod:`diffsign.records.keypoints`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffsign.records.keypoints import BODY_NAMES

#: MediaPipe's number for the points of BODY_25 that it has. A small toe has none and stays missing.
BODY_LANDMARKS = {
    "nose": 0,
    "left_eye": 2,
    "right_eye": 5,
    "left_ear": 7,
    "right_ear": 8,
    "left_shoulder": 11,
    "right_shoulder": 12,
    "left_elbow": 13,
    "right_elbow": 14,
    "left_wrist": 15,
    "right_wrist": 16,
    "left_hip": 23,
    "right_hip": 24,
    "left_knee": 25,
    "right_knee": 26,
    "left_ankle": 27,
    "right_ankle": 28,
    "left_heel": 29,
    "right_heel": 30,
    "left_big_toe": 31,
    "right_big_toe": 32,
}

NUMBER = {name: number for number, name in enumerate(BODY_NAMES)}

#: Points of BODY_25 that lie midway between two others.
MIDWAY = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}

#: MediaPipe's face mesh at the 68 points of iBUG and the pupils; right is the signer's.
FACE_LANDMARKS = np.array(
    [
        *(127, 234, 132, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 361, 454, 356),  # jaw, right ear to left
        *(70, 63, 105, 66, 107),  # right brow, outside to inside
        *(336, 296, 334, 293, 300),  # left brow, inside to outside
        *(168, 197, 5, 4),  # bridge of the nose, downwards
        *(98, 97, 2, 326, 327),  # below the nose, right to left
        *(33, 160, 158, 133, 153, 144),  # right eye, from its outer corner over the upper lid
        *(362, 385, 387, 263, 373, 380),  # left eye, from its inner corner over the upper lid
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips, from the right corner over the upper lip
        *(78, 81, 13, 311, 308, 402, 14, 178),  # inner lips, likewise
        *(468, 473),  # pupils, right and left: the middles of the irises
    ]
)


def to_body25(landmarks: NDArray[Any]) -> NDArray[Any]:
    """Return BODY_25 (25, D + 1) for MediaPipe's (33, D + 1) landmarks, whose last column is the visibility.

    Points midway between two others take the lower visibility of the two.
    """
    body = np.zeros((len(BODY_NAMES), landmarks.shape[1]))
    for name, number in BODY_LANDMARKS.items():
        body[NUMBER[name]] = landmarks[number]
    for name, ends in MIDWAY.items():
        pair = landmarks[[BODY_LANDMARKS[end] for end in ends]]
        body[NUMBER[name]] = [*pair[:, :-1].mean(axis=0), pair[:, -1].min()]
    return body
