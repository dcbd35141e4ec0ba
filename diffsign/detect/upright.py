"""Which way up a clip is: pixels that lie on their side, in a file that does not say so."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from diffsign.records.keypoints import BODY_NAMES, Keypoints

#: Share of the frames with a head that must be turned by the same quarter.
MOST = 0.8
#: Frames that are looked at anew, turned.
LOOKS = 3

_HEAD, _NECK = BODY_NAMES.index("nose"), BODY_NAMES.index("neck")


def turn_of(keypoints: Keypoints) -> int:
    """Return by how many degrees, clockwise, a clip's pixels are to be turned so that heads are above necks.

    Returns:
        0, 90, 180 or 270; 0 where nobody is seen or most frames do not agree.
    """
    points = keypoints.points[:, [_HEAD, _NECK]]
    seen = points[(points[..., 2] > 0).all(axis=1)]
    if not len(seen):
        return 0
    x, y = (seen[:, 0, :2] - seen[:, 1, :2]).T
    # 0 is up, 1 to the right, 2 down, 3 to the left.
    quarters = np.round(np.degrees(np.arctan2(x, -y)) / 90).astype(int) % 4
    turned = int(np.bincount(quarters, minlength=4).argmax())
    return -90 * turned % 360 if np.mean(quarters == turned) >= MOST else 0


def turn_with_a_person(frames: list[np.ndarray], found: Callable[[Iterable[np.ndarray]], bool]) -> int:
    """Return the turn, clockwise, in which somebody is found in frames (H, W, 3) that show nobody; 0 if in none.

    Args:
        frames: of the clip.
        found: tells whether there is a person in some pictures.
    """
    places = np.linspace(0, len(frames) - 1, min(LOOKS, len(frames))).round().astype(int)
    for turns in (1, 3, 2):
        if found([np.ascontiguousarray(np.rot90(frames[place], -turns)) for place in places]):
            return 90 * turns
    return 0


def how_to_turn(degrees: int) -> str:
    """Return what to do about a clip that lies on its side."""
    return f"write {degrees} in the column 'rotate' of the sheet of videos (diffsign ingest --rotate {degrees})"
