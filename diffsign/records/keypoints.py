"""2D keypoints of a clip in the OpenPose order, and the names of every point."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntFlag
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffsign.errors import DiffSignError
from diffsign.records.archive import Array, load_archive, save_archive

FORMAT, VERSION = "diffsign-keypoints", 2

#: BODY_25, without the background channel.
BODY_NAMES = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe "
    "left_small_toe left_heel right_big_toe right_small_toe right_heel"
).split()
HAND_NAMES = [
    "wrist",
    *(f"{finger}{i}" for finger in ("thumb", "index", "middle", "ring", "pinky") for i in range(1, 5)),
]
#: 17 contour points from the signer's right ear to the left, 51 inner points (iBUG 68), two pupils.
FACE_NAMES = [*(f"face_{i}" for i in range(68)), "right_pupil", "left_pupil"]

BODY = slice(0, 25)
LEFT_HAND = slice(25, 46)
RIGHT_HAND = slice(46, 67)
FACE = slice(67, 137)
COUNT = 137

#: What a file of keypoints holds, T frames.
SCHEMA = {
    "points": Array(("T", COUNT, 3), finite=False),
    "changes": Array(("T", COUNT), "whole"),
    "fps": Array((), "number", positive=True),
    "image_size": Array((2,), "whole", positive=True),
    "detector": Array((), "text"),
    "world": Array(("T", COUNT, 4), required=False, finite=False),
}

NAMES: list[str] = [
    *BODY_NAMES,
    *(f"left_hand_{name}" for name in HAND_NAMES),
    *(f"right_hand_{name}" for name in HAND_NAMES),
    *FACE_NAMES,
]


class Change(IntFlag):
    """What cleaning did to a point, and where shots begin, as bits of ``changes``."""

    OUTLIER = 1  #: it was taken out as impossible
    SWAPPED = 2  #: it changed places with the same point of the other side
    FILLED = 4  #: it was missing or taken out, and is interpolated
    SMOOTHED = 8  #: it was moved by the filter, by more than a hundredth of a pixel
    CUT = 16  #: the first frame after a cut, seen by detection or cleaning: nothing before it belongs to the same shot


@dataclass(frozen=True)
class Keypoints:
    """What a detector saw in a clip.

    Attributes:
        points: (T, 137, 3) float32, x and y in pixels of the clip and confidence in [0, 1]; where the
            confidence is 0 the point is missing and x, y mean nothing. The order is :data:`NAMES`;
            left and right are the signer's. Elbows and wrists may lie outside the picture, with a low confidence:
            :meth:`in_picture` leaves them out.
        fps: frames per second of the clip.
        width: picture width in pixels.
        height: picture height in pixels.
        world: (T, 137, 4) float32 or None, a detector's guess of 3D: metres in camera axes (x right,
            y down, z away from the camera) and confidence. Each part has an origin of its own (body:
            middle of the hips; hands: their wrist), so only differences inside a part mean anything.
        changes: (T, 137) uint8, what cleaning did to each point, bits of :class:`Change`; before, cuts at most.
        detector: name of what made them.
    """

    points: NDArray[Any]
    fps: float
    width: int
    height: int
    world: NDArray[Any] | None = None
    changes: NDArray[Any] = field(default_factory=lambda: np.zeros((0, COUNT), np.uint8))
    detector: str = "unknown"

    def __post_init__(self) -> None:
        if self.points.ndim != 3 or self.points.shape[1:] != (COUNT, 3):
            raise DiffSignError(f"keypoints must have the shape (frames, {COUNT}, 3), not {self.points.shape}.")
        if len(self.changes) == 0:
            object.__setattr__(self, "changes", np.zeros(self.points.shape[:2], dtype=np.uint8))

    def __len__(self) -> int:
        return len(self.points)

    @property
    def xy(self) -> NDArray[Any]:
        """(T, 137, 2) pixels."""
        return self.points[..., :2]

    @property
    def confidence(self) -> NDArray[Any]:
        """(T, 137) in [0, 1]."""
        return self.points[..., 2]

    def in_picture(self) -> Keypoints:
        """Return a copy in which points outside the picture are missing: what can be seen, drawn and compared."""
        points = self.points.copy()
        shown = ((self.xy >= 0) & (self.xy <= [self.width, self.height])).all(axis=-1)
        points[..., 2] *= shown
        return replace(self, points=points)

    def with_points(self, points: NDArray[Any], **changes: object) -> Keypoints:
        """Return a copy with other points (and other fields)."""
        return replace(self, points=points.astype(np.float32), **changes)  # type: ignore[arg-type]


def _check_confidence(points: NDArray[Any], where: str) -> None:
    """Raise an error if a confidence is no share, or a point that is there has no place."""
    confidence = points[..., -1]
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise DiffSignError(f"{where}: a confidence is not between 0 and 1; detect the points again.")
    if not np.isfinite(points[confidence > 0]).all():
        raise DiffSignError(f"{where}: a point has a confidence, but non-finite coordinates; detect the points again.")


def save_keypoints(path: str | Path, keypoints: Keypoints) -> None:
    """Write keypoints to ``.npz`` (format ``diffsign-keypoints``)."""
    arrays = {
        "points": keypoints.points.astype(np.float32),
        "changes": keypoints.changes.astype(np.uint8),
        "fps": np.array(keypoints.fps, dtype=np.float64),
        "image_size": np.array([keypoints.width, keypoints.height]),
        "detector": np.array(keypoints.detector),
    }
    if keypoints.world is not None:
        arrays["world"] = keypoints.world.astype(np.float32)
    save_archive(path, FORMAT, VERSION, arrays, SCHEMA)


def load_keypoints(path: str | Path) -> Keypoints:
    """Read keypoints written by :func:`save_keypoints`; raises :class:`DiffSignError` on any other file.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "keypoints.npz"
    >>> save_keypoints(path, Keypoints(np.ones((24, COUNT, 3), np.float32), fps=24.0, width=512, height=512))
    >>> keypoints = load_keypoints(path)
    >>> len(keypoints), keypoints.points[:, LEFT_HAND].shape, NAMES[0]
    (24, (24, 21, 3), 'nose')
    """
    arrays = load_archive(path, FORMAT, VERSION, SCHEMA)
    for name in ("points", "world"):
        if name in arrays:
            _check_confidence(arrays[name], f"'{name}' of keypoints '{path}'")
    width, height = (int(v) for v in arrays["image_size"])
    return Keypoints(
        points=arrays["points"],
        fps=float(arrays["fps"]),
        width=width,
        height=height,
        world=arrays.get("world"),
        changes=arrays["changes"],
        detector=str(arrays["detector"]),
    )
