"""Face landmarks: the 68 iBUG points on Anny, and the contour of the turned head.

MediaPipe's face mesh was run on renderings of several Annys, seen from several directions and mirrored, and every
point it set was traced back to the mesh; :data:`SEEN` is the median on the body of default phenotype. So the
landmarks lie where a detector puts them. Lids and inner lips are then set on the edges that move.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import KDTree

from diffsign.body.anny import AnnyBody
from diffsign.geometry.meshes import face_normals
from diffsign.geometry.skeleton import JOINTS

#: iBUG point to where it was seen, in millimetres, SMPL-X axes, pelvis at the origin: the signer's right half.
SEEN: dict[int, tuple[float, float, float]] = {
    0: (-65.6, 640.8, 80.0),
    1: (-64.8, 627.6, 83.1),
    2: (-60.9, 599.7, 78.0),
    3: (-56.3, 584.6, 82.1),
    4: (-50.0, 573.0, 88.2),
    5: (-43.1, 564.0, 96.1),
    6: (-27.2, 549.9, 111.1),
    7: (-11.3, 542.4, 121.5),
    8: (0.0, 541.6, 124.3),
    17: (-52.5, 656.4, 114.3),
    18: (-45.8, 660.1, 122.4),
    19: (-37.1, 662.1, 128.3),
    20: (-25.7, 661.2, 132.3),
    21: (-12.5, 659.8, 134.3),
    27: (0.0, 646.7, 132.3),
    28: (0.0, 632.3, 136.3),
    29: (0.0, 620.0, 144.6),
    30: (0.0, 612.7, 149.5),
    31: (-14.8, 602.0, 133.9),
    32: (-6.7, 600.8, 138.5),
    33: (0.0, 600.9, 141.5),
    36: (-42.2, 644.1, 118.6),
    37: (-35.5, 645.2, 123.3),
    38: (-25.5, 646.0, 123.9),
    39: (-16.3, 643.1, 123.4),
    40: (-23.8, 641.3, 123.4),
    41: (-33.5, 640.9, 123.7),
    48: (-21.8, 578.6, 129.0),
    49: (-13.1, 585.9, 139.5),
    50: (-6.7, 588.2, 142.7),
    51: (0.0, 586.7, 144.1),
    57: (0.0, 567.0, 138.2),
    58: (-6.9, 567.6, 137.1),
    59: (-13.0, 569.8, 135.3),
    60: (-19.4, 578.8, 128.7),
    61: (-9.4, 580.2, 136.9),
    62: (0.0, 579.7, 138.3),
    66: (0.0, 579.2, 136.7),
    67: (-5.0, 579.6, 136.7),
}

#: iBUG point to its mirror image.
OPPOSITE: list[int] = [
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
]
UPPER_LIDS, UPPER_LIP, LOWER_LIP = (37, 38), (61, 62), (66, 67)
CONTOUR = range(17)

#: The head's turn of each row of the contour table: 0 to −39°, then 1 to 39° (as ``smplx`` looks it up),
#: positive when the signer turns to the left.
TURNS = [*(-float(i) for i in range(40)), *(float(i) for i in range(1, 40))]


def seen_points() -> np.ndarray:
    """Return :data:`SEEN` with its mirror image, (68, 3) metres."""
    points = np.empty((68, 3))
    for point, place in SEEN.items():
        points[point] = np.array(place) / 1000.0
        if OPPOSITE[point] != point:
            points[OPPOSITE[point]] = points[point] * [-1.0, 1.0, 1.0]
        else:
            points[point, 0] = 0.0
    return points


def closest_on_triangles(point: np.ndarray, triangles: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the triangle of ``triangles`` (N, 3, 3) nearest to ``point`` (3,) and the nearest point's weights (3,)."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    edges = np.stack([b - a, c - a], axis=1)
    gram = edges @ np.swapaxes(edges, 1, 2) + 1e-16 * np.eye(2)
    inside = np.linalg.solve(gram, (edges @ (point - a)[..., None]))[..., 0]
    options = [np.stack([1 - inside.sum(axis=1), *inside.T], axis=1)]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, edge = triangles[:, i], triangles[:, j] - triangles[:, i]
        along = np.clip(np.sum((point - start) * edge, axis=1) / np.maximum(np.sum(edge**2, axis=1), 1e-16), 0, 1)
        weights = np.zeros((len(triangles), 3))
        weights[:, i], weights[:, j] = 1 - along, along
        options.append(weights)
    weights = np.stack(options)
    distance = np.linalg.norm(np.einsum("onk,nkd->ond", weights, triangles) - point, axis=2)
    distance[(weights < -1e-9).any(axis=2)] = np.inf
    option, triangle = np.unravel_index(distance.argmin(), distance.shape)
    return int(triangle), weights[option, triangle]


class FaceSurface:
    """The outer skin of the head of the default body, on which landmarks are set.

    Args:
        anny: the model.
        vertices: (V, 3) the default body in the zero pose, body-file order.
        weights: (V, 55) skinning weights.
        expressions: (52, V, 3) facial actions.
    """

    def __init__(self, anny: AnnyBody, vertices: np.ndarray, weights: np.ndarray, expressions: np.ndarray) -> None:
        self.anny, self.vertices, self.weights = anny, vertices, weights
        self.motion = dict(zip(anny.actions, np.linalg.norm(expressions, axis=2), strict=True))
        self.faces = anny.faces
        self.face_of = {tuple(corners): face for face, corners in enumerate(np.sort(anny.faces, axis=1).tolist())}
        place = np.argsort(anny.order)
        self.inside = np.zeros(len(vertices), dtype=bool)
        for part in (anny.dominant("eye.L"), anny.dominant("eye.R"), anny.tongue):
            self.inside[place[part]] = True
        normal = face_normals(vertices, self.faces)
        head = weights[:, [JOINTS.index("head"), JOINTS.index("jaw")]].sum(axis=1) > 0.5
        forward = normal[:, 2] > -0.3 * np.linalg.norm(normal, axis=1)
        self.front = np.flatnonzero(head[self.faces].all(1) & ~self.inside[self.faces].any(1) & forward)
        self.used = np.unique(self.faces[self.front])
        self.tree = KDTree(vertices[self.used])

    def attach(self, point: np.ndarray) -> tuple[int, np.ndarray]:
        """Return the face nearest to a point (3,) and the weights (3,) of its corners."""
        near = self.used[self.tree.query(point, 12)[1]]
        candidates = self.front[np.isin(self.faces[self.front], near).any(axis=1)]
        found, weights = closest_on_triangles(point, self.vertices[self.faces[candidates]])
        return int(candidates[found]), weights

    def at_vertex(self, vertex: int) -> tuple[int, np.ndarray]:
        """Return a front face with this corner, and weights that name it."""
        around = np.argwhere(self.faces[self.front] == vertex)[0]
        return int(self.front[around[0]]), np.eye(3)[around[1]]

    def mirrored(self, face: int, weights: np.ndarray) -> tuple[int, np.ndarray]:
        """Return the mirror image of a place on the surface."""
        corners = self.anny.mirror[self.faces[face]]
        found = self.face_of[tuple(sorted(corners.tolist()))]
        return found, weights[[int(np.flatnonzero(corners == corner)[0]) for corner in self.faces[found]]]

    def place(self, face: int, weights: np.ndarray) -> np.ndarray:
        """Return where a place on the surface is, (3,)."""
        return weights @ self.vertices[self.faces[face]]

    def _edge_vertex(self, point: np.ndarray, candidates: np.ndarray, depth: float) -> int:
        """Return the vertex of ``candidates`` nearest to a point in the picture plane, depth counting ``depth``."""
        return int(candidates[np.linalg.norm((self.vertices[candidates] - point) * [1, 1, depth], axis=1).argmin()])

    def landmarks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return faces (68,) and weights (68, 3) of the iBUG points; left and right are mirror images."""
        points = seen_points()
        jaw = self.weights[self.used, JOINTS.index("jaw")]
        blink = self.motion["eyeBlinkRight"][self.used]
        lips = np.linalg.norm(self.vertices[self.used] - points[62], axis=1) < 0.03
        edges = {
            UPPER_LIDS: (self.used[blink > 0.7 * blink.max()], 1.0),
            UPPER_LIP: (self.used[lips & (jaw < 0.25)], 1.0),
            LOWER_LIP: (self.used[lips & (jaw > 0.5)], 1.0),
        }
        faces, weights = np.empty(68, dtype=np.int64), np.empty((68, 3))
        for point in SEEN:
            edge = next((value for key, value in edges.items() if point in key), None)
            if edge is not None:
                faces[point], weights[point] = self.at_vertex(self._edge_vertex(points[point], *edge))
            else:
                faces[point], weights[point] = self.attach(points[point])
        for point in SEEN:
            if OPPOSITE[point] != point:
                faces[OPPOSITE[point]], weights[OPPOSITE[point]] = self.mirrored(faces[point], weights[point])
        return faces, weights

    def contours(self, faces: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the contour for every turn of the head, faces (79, 17) and weights (79, 17, 3).

        On the side that the head turns away from the camera, the contour is the outline of the face; on the
        other, and straight ahead, it is the edge of the jaw as landmarks 0 to 16 have it.

        Args:
            faces: (68,) from :meth:`landmarks`.
            weights: (68, 3).
        """
        jawline = np.array([self.place(f, w) for f, w in zip(faces[:17], weights[:17], strict=True)])
        mask = self._face_mask(jawline)
        triangles = self.vertices[self.faces[mask]]
        centre = self.place(int(faces[33]), weights[33])
        all_faces = np.tile(faces[:17], (len(TURNS), 1))
        all_weights = np.tile(weights[:17], (len(TURNS), 1, 1))
        for row, degrees in enumerate(TURNS):
            if degrees <= 0:
                continue
            angle = np.radians(degrees)
            turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
            flat = (triangles - centre) @ turn.T
            for point in range(9, 17):
                edge = ((jawline[point] - centre) @ turn.T)[:2]
                ray = (jawline[point] - centre)[:2]
                reach, triangle, corner = outermost(flat[..., :2], ray / np.linalg.norm(ray))
                if triangle >= 0 and reach > edge @ ray / np.linalg.norm(ray):
                    all_faces[row, point], all_weights[row, point] = mask[triangle], corner
            opposite = TURNS.index(-degrees)
            for point in CONTOUR:
                all_faces[opposite, 16 - point], all_weights[opposite, 16 - point] = self.mirrored(
                    int(all_faces[row, point]), all_weights[row, point]
                )
        return all_faces, all_weights

    def _face_mask(self, jawline: np.ndarray) -> np.ndarray:
        """Return the faces before the jaw line: those whose middle lies inside it, seen from the front."""
        top = jawline[[16, 0]] + [0.0, 0.06, 0.0]
        outline = np.concatenate([jawline, top])[:, :2].astype(np.float32)
        middle = self.vertices[self.faces[self.front]].mean(axis=1)
        inside = np.array([cv2.pointPolygonTest(outline, (float(x), float(y)), False) >= 0 for x, y, _ in middle])
        return self.front[inside & (middle[:, 2] > jawline[[0, 16], 2].min())]


def outermost(triangles: np.ndarray, ray: np.ndarray) -> tuple[float, int, np.ndarray]:
    """Find where a ray from the origin leaves the outline of flat triangles.

    Args:
        triangles: (N, 3, 2).
        ray: (2,) unit direction.

    Returns:
        distance, the triangle (−1 if the ray meets none), and the weights (3,) of its corners there.
    """
    side = np.array([-ray[1], ray[0]])
    off, along = triangles @ side, triangles @ ray
    best = (-np.inf, -1, np.zeros(3))
    for i, j in ((0, 1), (1, 2), (2, 0)):
        gap = off[:, i] - off[:, j]
        crosses = off[:, i] * off[:, j] <= 0
        share = np.where(np.abs(gap) > 1e-15, off[:, i] / np.where(np.abs(gap) > 1e-15, gap, 1.0), 0.0)
        reach = np.where(crosses, along[:, i] + share * (along[:, j] - along[:, i]), -np.inf)
        triangle = int(reach.argmax())
        if reach[triangle] > best[0]:
            weights = np.zeros(3)
            weights[i], weights[j] = 1 - share[triangle], share[triangle]
            best = (float(reach[triangle]), triangle, weights)
    return best
