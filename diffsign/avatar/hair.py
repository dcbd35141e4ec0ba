"""Hair: a cap over the scalp for short cuts, falling hair around the head for longer ones."""

from __future__ import annotations

import numpy as np

from diffsign.avatar.scene import Material, Mesh
from diffsign.avatar.surfaces import Shell, Solid, ball, cut_surface, grid_faces, smoothing
from diffsign.config.appearance import Appearance

#: How far falling hair reaches below the chin, in heights of the face (brows to chin).
LENGTHS = {"bob": 0.05, "long": 1.0}


def hair_parts(
    appearance: Appearance,
    *,
    vertices: np.ndarray,
    faces: np.ndarray,
    landmarks: np.ndarray,
    anchors: np.ndarray,
    seed: int,
) -> list[tuple[Mesh, Shell | Solid]]:
    """Return the meshes of a hair style with how each follows the head.

    Args:
        appearance: colour and style.
        vertices: (V, 3) the body at rest, metres.
        faces: (F, 3) the triangles of head, scalp and neck.
        landmarks: (68, 3) the iBUG points at rest.
        anchors: vertices of the skull, which falling hair moves with.
        seed: of the strands.
    """
    if appearance.hair_style == "bald":
        return []
    material = Material("hair", appearance.hair, roughness=0.75)
    head = Head(vertices, faces, landmarks)
    rng = np.random.default_rng(seed)
    parts: list[tuple[Mesh, Shell | Solid]] = [_cap(material, head, appearance.hair_style, rng)]
    if appearance.hair_style in LENGTHS:
        parts.append(_fall(material, head, LENGTHS[appearance.hair_style], anchors, rng))
    if appearance.hair_style == "bun":
        parts.append(_bun(material, head, anchors, rng))
    return parts


class Head:
    """Where things are on a head at rest: the points that hair is cut by, in metres."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, landmarks: np.ndarray) -> None:
        self.vertices, self.faces = vertices, faces
        self.brow = float(landmarks[17:27, 1].mean())
        self.chin = float(landmarks[8, 1])
        self.nose = float(landmarks[33, 1])
        self.eye_back = float(landmarks[[36, 45], 2].mean())
        self.height = self.brow - self.chin
        used = np.unique(faces)
        points = vertices[used]
        above = points[points[:, 1] > self.brow + 0.015]
        self.low, self.high = above.min(axis=0), above.max(axis=0)
        self.top = float(self.high[1])
        self.middle = (self.low + self.high) / 2

    def hairline(self) -> np.ndarray:
        """(V,) metres above the line where hair begins: high at the forehead, before the ears, low at the nape."""
        x, y, z = self.vertices.T
        front, back = self.high[2], self.low[2]
        depth = front - back
        forehead = self.brow + 0.55 * (self.top - self.brow)
        # From the nape (0) to the forehead (1): below the ears, over them, the sideburns, up to the forehead.
        along = np.array([0, 0.22, 0.34, 0.62, 0.70, 1 - 0.012 / depth, 1])
        nape, ear = self.nose - 0.035, self.brow + 0.002
        heights = [nape, nape + 0.015, ear, ear, ear - 0.014, forehead - 0.012, forehead]
        line = np.interp(z, back + along * depth, heights)
        # The temples recede a little towards the middle of the forehead.
        return y - line - 0.006 * np.exp(-((x / 0.03) ** 2)) * (z > self.middle[2])


def _cap(material: Material, head: Head, style: str, rng: np.random.Generator) -> tuple[Mesh, Shell]:
    field = head.hairline()
    allowed = np.zeros(len(field), bool)
    allowed[head.faces] = True
    field = np.where(allowed, field, -1.0)
    matrix, faces = cut_surface(head.faces, field)
    depth = np.maximum(matrix @ np.where(allowed, field, 0), 0)
    points = matrix @ head.vertices
    thick = {"short": 0.017, "bun": 0.009}.get(style, 0.014)
    rise = np.clip((points[:, 1] - head.brow) / (head.top - head.brow), 0, 1)
    offset = 0.003 + thick * (1 - np.exp(-depth / 0.018)) * (0.55 + 0.45 * rise)
    if style == "short":
        waves = _ripple(points, rng, 0.012) * 0.0022
        offset = offset + waves * np.clip(depth / 0.02, 0, 1)
    smooth = smoothing(head.faces, len(head.vertices), 3)
    mesh = Mesh("hair", faces, (material,), np.zeros(len(faces), np.int64))
    return mesh, Shell(matrix @ smooth, faces, offset.astype(np.float32))


def _ripple(points: np.ndarray, rng: np.random.Generator, scale: float) -> np.ndarray:
    """Smooth noise (N,) in about [-1, 1] with features of ``scale`` metres."""
    waves = rng.normal(size=(12, 3)) / scale
    phases = rng.uniform(0, 2 * np.pi, 12)
    return np.sin(points @ waves.T + phases).sum(axis=1) / np.sqrt(12)


def _fall(
    material: Material, head: Head, length: float, anchors: np.ndarray, rng: np.random.Generator
) -> tuple[Mesh, Solid]:
    """Hair that falls from the crown around the back and the sides, open at the face."""
    rows, columns = 40, 120
    opening = np.radians(58)
    turn = np.linspace(opening, 2 * np.pi - opening, columns)
    half = (head.high - head.low) / 2
    crown = head.top + 0.014
    waist = head.brow + 0.01
    end = head.chin - length * head.height
    # Down the dome by angle, then straight down.
    dome = np.linspace(0.15, np.pi / 2, 16)
    y = np.concatenate([waist + (crown - waist) * np.cos(dome), np.linspace(waist, end, rows - 16 + 1)[1:]])
    reach = np.concatenate([np.sin(dome), np.ones(rows - 16)])
    below = np.clip((waist - y) / (waist - end), 0, 1)
    reach = reach * (1 + 0.10 * np.sin(np.pi * below**0.8) - 0.12 * below**3)
    strands = sum(
        a * np.sin(k * turn + p)
        for k, a, p in zip(
            rng.integers(12, 60, 10), rng.uniform(0.002, 0.006, 10), rng.uniform(0, 6.3, 10), strict=True
        )
    )
    radius_x, radius_z = half[0] + 0.022, half[2] + 0.020
    ripple = 1 + 0.8 * np.asarray(strands)[None, :] / radius_x * 0.4 * reach[:, None]
    x = radius_x * reach[:, None] * np.sin(turn)[None, :] * ripple
    z = head.middle[2] + radius_z * reach[:, None] * np.cos(turn)[None, :] * ripple
    edge = 0.006 * _ripple(np.stack([np.sin(turn), np.cos(turn), turn], -1), rng, 0.2)
    y_all = y[:, None] + edge[None, :] * below[:, None]
    points = np.stack(np.broadcast_arrays(x, y_all, z), axis=-1).reshape(-1, 3)
    faces = grid_faces(rows, columns)
    mesh = Mesh("falling hair", faces, (material,), np.zeros(len(faces), np.int64))
    return mesh, Solid(anchors, head.vertices[anchors], points)


def _bun(material: Material, head: Head, anchors: np.ndarray, rng: np.random.Generator) -> tuple[Mesh, Solid]:
    """A knot at the back of the crown."""
    points, faces = ball(np.linspace(0, np.pi, 18), 32)
    points = points * (1 + 0.05 * _ripple(points, rng, 0.25)[:, None]) * np.array([0.042, 0.036, 0.040])
    at = np.array([head.middle[0], head.top + 0.022, head.middle[2] - 0.030])
    mesh = Mesh("bun", faces, (material,), np.zeros(len(faces), np.int64))
    return mesh, Solid(anchors, head.vertices[anchors], points + at)
