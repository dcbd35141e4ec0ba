"""Which of the fitted points the camera sees, by the body's own mesh.

A detector leaves out what it does not see; a skeleton drawn from a fit would show fingers through the
trunk. Each part of the mesh gets a coarse depth map of its own, so that a part never hides itself: a
fist keeps all its fingers, as it does when OpenPose draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from diffsign.geometry.camera import Camera
from diffsign.geometry.visibility import nearest_depth
from diffsign.records.keypoints import BODY, BODY_NAMES, COUNT, FACE, LEFT_HAND, RIGHT_HAND

#: How far behind another part's surface a point is hidden (metres). Joints lie inside the body, and a hand that
#: rests on the trunk or the face sinks into it by the error of the fit: only what is clearly behind is left out.
TOLERANCES = {"rest": 0.1, "head": 0.06, "left_hand": 0.03, "right_hand": 0.03}
#: A hand with fewer visible points than this share is left out: a few stray fingers are no handshape.
LEAST_VISIBLE_HAND = 0.4
#: Cells along the longer side of the depth maps; about a finger's width in an upper-body picture.
CELLS = 128

NOSE, EYES_AND_EARS = (
    BODY_NAMES.index("nose"),
    [BODY_NAMES.index(f"{s}_{p}") for s in ("right", "left") for p in ("eye", "ear")],
)
EARS = [BODY_NAMES.index("right_ear"), BODY_NAMES.index("left_ear")]


@dataclass(frozen=True)
class Visibility:
    """What is visible of one frame.

    Attributes:
        visible: (137,) bool, in the order of :mod:`diffsign.records.keypoints`.
        left_hand_first: the left hand is farther from the camera, and so to be drawn first.
    """

    visible: np.ndarray
    left_hand_first: bool


class Occluders:
    """The mesh cut into head, hands and rest, as point samples dense enough to fill a coarse depth map.

    Args:
        faces: (F, 3) int, triangles.
        parts: vertex indices by name; ``head``, ``left_hand`` and ``right_hand`` are used.
        vertices: V, how many vertices there are.
    """

    def __init__(self, faces: np.ndarray, parts: Mapping[str, np.ndarray], vertices: int) -> None:
        label = np.full(vertices, "rest", dtype="<U10")
        for name in ("head", "left_hand", "right_hand"):
            label[parts[name]] = name
        of_face = label[faces[:, 0]]
        self.faces = {name: faces[of_face == name] for name in ("rest", "head", "left_hand", "right_hand")}
        steps = np.linspace(0, 1, 5)
        self.weights = np.array([(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1 + 1e-9], np.float32)

    def depth_maps(self, vertices: np.ndarray, camera: Camera) -> dict[str, np.ndarray]:
        """Return, for every part, its (rows, columns) depth map in metres, infinite where the part is not.

        Args:
            vertices: (V, 3) world, metres.
            camera: the camera.
        """
        cell = max(camera.width, camera.height) / CELLS
        shape = (int(np.ceil(camera.height / cell)), int(np.ceil(camera.width / cell)))
        in_camera = camera.to_camera(vertices)
        maps = {}
        for name, faces in self.faces.items():
            samples = np.einsum("sk,fkc->fsc", self.weights, in_camera[faces]).reshape(-1, 3)
            samples = samples[samples[:, 2] > 0.01]
            pixels = samples @ camera.K.T
            column, row = np.floor(pixels[:, :2] / pixels[:, 2:] / cell).astype(np.int64).T
            inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
            cells = row[inside] * shape[1] + column[inside]
            maps[name] = nearest_depth(cells, samples[inside, 2], shape[0] * shape[1]).reshape(shape)
        return maps

    def visibility(self, vertices: np.ndarray, points: np.ndarray, camera: Camera) -> Visibility:
        """Tell which keypoints of one frame are visible.

        Args:
            vertices: (V, 3) world, metres.
            points: (137, 3) world, metres, the keypoints of the same frame.
            camera: the camera.
        """
        maps = self.depth_maps(vertices, camera)
        depth = camera.to_camera(points)[:, 2]
        cell = max(camera.width, camera.height) / CELLS
        xy = camera.project(points)

        def hidden(which: slice | list[int], by: tuple[str, ...]) -> np.ndarray:
            place = np.nan_to_num(xy[which], nan=-1.0)
            rows, columns = maps["rest"].shape
            column = np.floor(place[:, 0] / cell).astype(np.int64).clip(0, columns - 1)
            row = np.floor(place[:, 1] / cell).astype(np.int64).clip(0, rows - 1)
            return np.any([depth[which] > maps[name][row, column] + TOLERANCES[name] for name in by], axis=0)

        visible = np.ones(COUNT, bool)
        for hand, others in (
            (LEFT_HAND, ("rest", "head", "right_hand")),
            (RIGHT_HAND, ("rest", "head", "left_hand")),
        ):
            points_of_hand = ~hidden(hand, others)
            visible[hand] = points_of_hand & (points_of_hand.mean() >= LEAST_VISIBLE_HAND)
        visible[FACE] = ~hidden(FACE, ("rest", "left_hand", "right_hand"))
        body = points[BODY]
        facing_away = camera.to_camera(body[NOSE])[2] > camera.to_camera(body[EARS]).mean(axis=0)[2]
        visible[FACE] &= not facing_away
        visible[EYES_AND_EARS] = ~hidden(EYES_AND_EARS, ("head",))
        return Visibility(visible, bool(depth[LEFT_HAND].mean() > depth[RIGHT_HAND].mean()))
