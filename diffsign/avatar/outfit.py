"""Dressing a body: from an appearance and a body at rest to meshes that follow the body's vertices.

Works on every mesh in SMPL-X's T-pose: what is cloth, face or scalp is found from the faces' regions, the
joints and the face's landmarks, so an official SMPL-X file and the default body are dressed alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse
from trimesh.nsphere import fit_nsphere

from diffsign.avatar.face_paint import paint_face
from diffsign.avatar.hair import hair_parts
from diffsign.avatar.scene import Material, Mesh, Scene
from diffsign.avatar.surfaces import Shell, Solid, ball, cut_surface, smoothing, subdivide
from diffsign.body.model import Body
from diffsign.config.appearance import Appearance
from diffsign.geometry.camera import Camera
from diffsign.geometry.meshes import face_normals
from diffsign.geometry.skeleton import JOINTS
from diffsign.records.keypoints import FACE
from diffsign.records.motion import Motion

#: Where sleeves end, as a share of the way from the shoulder to the wrist.
SLEEVES = {"none": 0.06, "short": 0.36, "three-quarter": 0.72, "long": 0.97}

SHIRT_REGIONS = ("torso", "hips", "upper_arm", "forearm", "neck", "leg")
TROUSER_REGIONS = ("hips", "leg", "torso")

#: Skin that lies this far under cloth is left out, so that it never pokes through (metres).
HIDDEN = 0.005

EYE_WHITE, PUPIL, MOUTH = "#ddd8d2", "#0b0a0a", "#5e2523"


@dataclass(frozen=True)
class RestBody:
    """A body at rest (T-pose, neutral face), as clothes are cut for it.

    Attributes:
        vertices: (V, 3) metres.
        faces: (F, 3).
        regions: (F,) see ``Body.face_regions``.
        joints: (55, 3) metres.
        landmarks: (68, 3) metres, the iBUG points of the face.
    """

    vertices: np.ndarray
    faces: np.ndarray
    regions: np.ndarray
    joints: np.ndarray
    landmarks: np.ndarray

    def joint(self, name: str) -> np.ndarray:
        """(3,) a joint by its SMPL-X name."""
        return self.joints[JOINTS.index(name)]

    def used_by(self, regions: Sequence[str]) -> np.ndarray:
        """Return the vertex numbers of some regions."""
        return np.unique(self.faces[np.isin(self.regions, regions)])


def rest_body(body: Body, vertices: np.ndarray | None = None, betas: np.ndarray | None = None) -> RestBody:
    """Return a body at rest.

    Args:
        body: the body file.
        vertices: (V, 3) a person at rest in the body's vertex order; by default the body with ``betas``.
        betas: shape coefficients; the mean shape by default.
    """
    if vertices is None:
        motion = Motion.rest(1, Camera.facing(8, 8, 8.0), 1.0, body.n_betas, body.n_expression)
        if betas is not None:
            motion = motion.with_pose(motion.full_pose, betas=np.asarray(betas, np.float32))
        vertices = body.vertices(motion)[0]
    vertices = np.asarray(vertices, dtype=np.float64)
    joints = body.joint_regressor @ vertices
    definition = body.landmarks
    points = definition.joint_weights @ joints + definition.vertex_weights @ vertices[definition.used]
    return RestBody(vertices, body.faces, body.face_regions, joints, points[FACE][:68])


@dataclass(frozen=True)
class Outfit:
    """A dressed body: meshes, and how each follows the body.

    Attributes:
        meshes: what is rendered.
        parts: for each mesh a :class:`Shell` or :class:`Solid`.
    """

    meshes: tuple[Mesh, ...]
    parts: tuple[Shell | Solid, ...]

    def positions(self, vertices: np.ndarray) -> list[np.ndarray]:
        """Return (T, N, 3) float32 for each mesh, given body vertices (T, V, 3) in metres."""
        return [part.positions(np.asarray(vertices, np.float32)) for part in self.parts]

    def scene(
        self, vertices: np.ndarray, camera: Camera, fps: float, background: str | np.ndarray | None = "#00b140"
    ) -> Scene:
        """Return the scene of body vertices (T, V, 3) that are in memory."""
        return Scene(
            meshes=self.meshes,
            positions=lambda start, stop: self.positions(vertices[start:stop]),
            frames=len(vertices),
            camera=camera,
            fps=fps,
            background=background,
        )


def dress(rest: RestBody, appearance: Appearance, seed: int = 0) -> Outfit:
    """Return the meshes of a person who looks like ``appearance``; ``seed`` varies grain and strands."""
    shirt, under_shirt = _garment(rest, partial(_shirt_field, rest, appearance), SHIRT_REGIONS, 0.006, -0.002)
    trousers, under_trousers = _garment(rest, partial(_trousers_field, rest), TROUSER_REGIONS, 0.004, 0.004)
    pairs = [
        _skin(rest, appearance, under_shirt | under_trousers, seed),
        *_eyes(rest, appearance),
        (_cloth("shirt", appearance.shirt, shirt), shirt),
        (_cloth("trousers", appearance.trousers, trousers), trousers),
    ]
    pairs += hair_parts(
        appearance,
        vertices=rest.vertices,
        faces=rest.faces[np.isin(rest.regions, ("scalp", "head", "neck"))],
        landmarks=rest.landmarks,
        anchors=_skull(rest),
        seed=seed,
    )
    return Outfit(tuple(mesh for mesh, _ in pairs), tuple(part for _, part in pairs))


def _skull(rest: RestBody) -> np.ndarray:
    """Vertices of the head that no expression moves: those above the brows."""
    head = rest.used_by(("scalp", "head"))
    return head[rest.vertices[head, 1] > rest.landmarks[17:27, 1].max() + 0.02]


def _cloth(name: str, colour: str, shell: Shell) -> Mesh:
    materials = (Material(name, colour, roughness=0.85),)
    return Mesh(name, shell.faces, materials, np.zeros(len(shell.faces), np.int64))


def _skin(rest: RestBody, appearance: Appearance, hidden: np.ndarray, seed: int) -> tuple[Mesh, Shell]:
    texture, face_map = paint_face(rest.landmarks, appearance, seed)
    faces, regions = rest.faces, rest.regions
    keep = ~hidden[faces].all(axis=1) & (rest.regions != "eye")
    faces, regions = faces[keep], regions[keep]
    front = face_normals(rest.vertices, faces)[:, 2] > 0
    front |= np.isin(regions, ("lips", "brow"))
    material = np.where(front & np.isin(regions, ("head", "scalp", "lips", "brow", "neck")), 1, 0)
    material[regions == "mouth"] = 2
    materials = (
        Material("skin", appearance.skin, roughness=0.55, subsurface=0.1),
        Material("face", appearance.skin, roughness=0.55, subsurface=0.1, texture=texture),
        Material("mouth", MOUTH, roughness=0.4),
    )
    used, compact = np.unique(faces, return_inverse=True)
    compact = compact.reshape(-1, 3)
    identity = smoothing(faces, len(rest.vertices), 0)[used]
    mesh = Mesh("body", compact, materials, material, uv=face_map.uv(rest.vertices[faces]))
    return mesh, Shell(identity, compact, np.zeros(len(used), np.float32))


def _eyes(rest: RestBody, appearance: Appearance) -> list[tuple[Mesh, Solid]]:
    """Replace each eyeball by a finer ball with iris and pupil, turning with the old one's vertices."""
    made = []
    eyeballs = rest.used_by(("eye",))
    for name, side in (("left", 1), ("right", -1)):
        anchors = eyeballs[side * rest.vertices[eyeballs, 0] > 0]
        if len(anchors) < 8:
            continue
        points = rest.vertices[anchors]
        centre, radius, _ = fit_nsphere(points)
        rings = np.concatenate([[0.0, 0.10, 0.20], np.linspace(0.24, 0.46, 4), np.linspace(0.5, np.pi, 14)])
        ball_points, faces = ball(rings, 40)
        from_front = np.arccos(np.clip(ball_points[faces].mean(axis=1)[:, 2], -1, 1))
        material = np.digitize(from_front, rings[[2, 6]])
        materials = (
            Material("pupil", PUPIL, roughness=0.1),
            Material("iris", appearance.iris, roughness=0.15),
            Material("eye white", EYE_WHITE, roughness=0.2),
        )
        mesh = Mesh(f"{name} eye", faces, materials, material)
        made.append((mesh, Solid(anchors, points, centre + 1.002 * radius * ball_points)))
    return made


def _garment(
    rest: RestBody, field: Callable[[np.ndarray], np.ndarray], regions: tuple[str, ...], offset: float, flare: float
) -> tuple[Shell, np.ndarray]:
    """Cut cloth where ``field`` (metres from the hem, positive inside, of points (N, 3) at rest) is positive.

    Returns:
        The cloth, ``offset`` metres off the smoothed body and ``flare`` further at the hems, and (V,) which
        vertices lie hidden under it.
    """
    candidates = rest.faces[np.isin(rest.regions, regions)]
    finer, faces = subdivide(candidates, len(rest.vertices))
    cut, faces = cut_surface(faces, field(finer @ rest.vertices))
    exact = cut @ finer
    depth = np.maximum(field(exact @ rest.vertices), 0)
    # At the hem cloth keeps to the skin, so that its edge is the cut one; further in it spans the skin's hollows.
    loose = sparse.diags(1 - np.exp(-depth / 0.03))
    smooth = exact @ smoothing(candidates, len(rest.vertices), 6)
    matrix = sparse.csr_matrix(loose @ smooth + exact - loose @ exact, dtype=np.float32)
    distance = offset + flare * np.exp(-depth / 0.05)
    hidden = np.zeros(len(rest.vertices), bool)
    hidden[candidates] = True
    hidden &= field(rest.vertices) > HIDDEN
    return Shell(matrix, faces, distance.astype(np.float32)), hidden


def _shirt_field(rest: RestBody, appearance: Appearance, points: np.ndarray) -> np.ndarray:
    """Metres (N,) inside the hems of the shirt: sleeves, waist and collar."""
    x, y, z = points.T
    shoulder, wrist = rest.joint("left_shoulder"), rest.joint("left_wrist")
    sleeve_end = shoulder[0] + SLEEVES[appearance.sleeves] * (wrist[0] - shoulder[0])
    waist = _waistband(rest) - 0.012  # tucked in
    # The collar is a tilted plane around the root of the neck: low at the throat, high at the nape.
    slope, forward = 0.85, z - rest.joint("neck")[2]
    collar = shoulder[1] + 0.085 - slope * forward
    # Beyond the neck it rises, or it would slit the sleeves along the top of the arms.
    collar = collar + 4.0 * np.maximum(np.abs(x) - 0.45 * shoulder[0], 0)
    if appearance.neckline == "v":
        collar = collar - np.where(forward > 0, np.maximum(0.07 - 1.1 * np.abs(x), 0), 0)
    return np.minimum.reduce([sleeve_end - np.abs(x), y - waist, (collar - y) / np.hypot(1, slope)])


def _trousers_field(rest: RestBody, points: np.ndarray) -> np.ndarray:
    """Metres (N,) inside the hems of the trousers."""
    y = points[:, 1]
    return np.minimum(_waistband(rest) - y, y - rest.joint("left_ankle")[1] - 0.03)


def _waistband(rest: RestBody) -> float:
    """Return the height of the trousers' upper edge, in metres."""
    return float(rest.joint("spine1")[1]) - 0.02
