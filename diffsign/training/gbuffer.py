"""The G-buffer of one frame of a signer, from which any number of training pictures are coloured.

What is kept of a frame is what the camera sees (a label for every pixel and how the light falls on it) and the three
control pictures, drawn with the code that draws them at use: the skeleton with occlusion, the edges of a rendering in
the avatar's default colours, inverse depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from diffsign.avatar.face_paint import FaceMap
from diffsign.avatar.outfit import Outfit
from diffsign.geometry.camera import Camera
from diffsign.geometry.meshes import vertex_normals
from diffsign.geometry.visibility import Raster, rasterise
from diffsign.models.control_pictures import canny_picture, depth_picture, depth_range
from diffsign.training.attributes import COLOURS, Attributes

#: Pixels on a side of labels and light; controls and pictures have half as many.
FINE = 512
COARSE = FINE // 2

LABELS = (
    "background face neck torso sleeve arm hand hair brow eye iris lips mouth trousers".split()
)  # sleeve: upper arm that both sleeve lengths cover; arm: what only long sleeves cover
LABEL = {name: number for number, name in enumerate(LABELS)}

#: Where light comes from, in the picture's axes: x right, y up, z to the camera.
KEY, FILL = np.array([-0.35, 0.45, 0.82]), np.array([0.7, 0.1, 0.7])


@dataclass(frozen=True)
class DressedSigner:
    """A dressed signer, fixed for all frames.

    Attributes:
        outfit: the avatar as the render stage dresses it.
        faces: (F, 3) int, all its meshes in one.
        label: (F,) uint8, numbers of :data:`LABELS`, before sleeves are cut and the face is painted.
        rest: (V, 3) metres, its vertices in the zero pose, arms along x: where on the body a pixel is.
        shoulder: |x| of the shoulders in the zero pose, metres.
        hem: |x| where short sleeves end.
        cuff: |x| where long sleeves end.
        chin: y below which skin is neck and not face.
        waist: y above which trousers are under the shirt.
        paint: (1024, 1024) uint8, label of the texture of the face; background where it is bare skin.
        texture: (1024, 1024, 3) float32 in [0, 1], the avatar's own texture of the face.
        face: the projection of both.
        colours: (14, 3) float32, the avatar's colours.
    """

    outfit: Outfit
    faces: np.ndarray
    label: np.ndarray
    rest: np.ndarray
    shoulder: float
    hem: float
    cuff: float
    chin: float
    waist: float
    paint: np.ndarray
    texture: np.ndarray
    face: FaceMap
    colours: np.ndarray


@dataclass(frozen=True)
class GBuffer:
    """One frame.

    Attributes:
        label: (512, 512) uint8, numbers of :data:`LABELS`.
        light: (512, 512) uint8, 200 is the colour as it is.
        pose: (256, 256, 3) uint8.
        canny: (256, 256) uint8.
        depth: (256, 256) uint8.
        focus: (3, 2) float32, middles of face, left hand and right hand in pixels of 256; NaN where not in view.
    """

    label: np.ndarray
    light: np.ndarray
    pose: np.ndarray
    canny: np.ndarray
    depth: np.ndarray
    focus: np.ndarray


def label_pixels(raster: Raster, signer: DressedSigner) -> tuple[np.ndarray, np.ndarray]:
    """Return the label of every pixel and its colour on the avatar.

    Sleeves are cut where they run on the body at rest, so that one frame serves both lengths; lips and brows are
    where the avatar's face is painted.

    Returns:
        (H, W) uint8, and (H, W, 3) float32 in [0, 1].
    """
    covered = raster.face >= 0
    where = np.einsum("nk,nkc->nc", raster.weights[covered], signer.rest[signer.faces[raster.face[covered]]])
    label = signer.label[raster.face[covered]]
    out = np.abs(where[:, 0])
    skin, cloth = label == LABEL["hand"], label == LABEL["torso"]
    # Where a shoulder pokes through its shirt, or trousers through its hem, the pictures to learn from are better.
    cloth |= skin & (out > 0.6 * signer.shoulder) & (where[:, 1] < signer.chin)
    cloth |= (label == LABEL["trousers"]) & (where[:, 1] > signer.waist) & (out < signer.shoulder)
    label[cloth] = LABEL["torso"]
    limb = (skin | cloth) & (out > signer.shoulder)
    head = skin & ~cloth
    label[limb & (out <= signer.hem)] = LABEL["sleeve"]
    label[limb & (out > signer.hem)] = LABEL["arm"]
    label[skin & (out > signer.cuff)] = LABEL["hand"]
    label[head] = np.where(where[head, 1] > signer.chin, LABEL["face"], LABEL["neck"])
    size = len(signer.paint)
    x, y = np.clip(signer.face.pixels(where).astype(np.int64), 0, size - 1).T
    front = head & (where[:, 2] > signer.rest[:, 2].mean())
    painted = front & (signer.paint[y, x] != LABEL["background"])
    label[painted] = signer.paint[y, x][painted]
    colours = signer.colours[np.where(skin, LABEL["hand"], signer.label[raster.face[covered]])]
    colours[front] = signer.texture[y, x][front]
    labels = np.zeros(raster.face.shape, np.uint8)
    labels[covered] = label
    avatar = np.broadcast_to(signer.colours[LABEL["background"]], (*labels.shape, 3)).copy()
    avatar[covered] = colours
    return labels, avatar


def light(normals: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return how bright every pixel is, 1 for the colour as it is.

    A soft key from the upper left, a fill, and creases darkened where the surroundings are nearer than the point,
    so that a hand stands out from the face behind it.

    Args:
        normals: (H, W, 3), in the picture's axes, zero for background.
        depth: (H, W) metres, 0 for background.
    """
    key, fill = ((normals @ (way / np.linalg.norm(way))).clip(0, 1) for way in (KEY, FILL))
    bright = 0.42 + 0.52 * key + 0.16 * fill
    body = depth > 0
    far = np.where(body, depth, depth.max(initial=1.0) + 0.05).astype(np.float32)
    nearer = np.zeros_like(far)
    for sigma, reach in ((3.0, 0.02), (9.0, 0.06)):
        behind = far - cv2.GaussianBlur(far, (0, 0), sigma * far.shape[0] / FINE)
        nearer += 0.22 * np.clip(behind / reach, 0, 1)
    return np.where(body, bright * (1 - nearer), 1.0)


def colour(label: np.ndarray, bright: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Colour labels (H, W) with ``palette`` (labels, 3) under ``bright`` (H, W): (H, W, 3) in [0, 1]."""
    return np.clip(palette[label] * bright[..., None], 0, 1)


def palette(colours: dict[str, np.ndarray], sleeves: str) -> np.ndarray:
    """Return the colour of every label, (14, 3), sRGB.

    Args:
        colours: of ``shirt``, ``skin``, ``hair``, ``background``, ``iris`` and ``trousers``.
        sleeves: ``long`` or ``short``.
    """
    skin, hair, shirt = colours["skin"], colours["hair"], colours["shirt"]
    table = {
        "background": colours["background"],
        "face": skin,
        "neck": skin,
        "torso": shirt,
        "sleeve": shirt,
        "arm": shirt if sleeves == "long" else skin,
        "hand": skin,
        "hair": hair,
        "brow": 0.35 * skin + 0.5 * hair,
        "eye": np.array([0.90, 0.89, 0.88]),
        "iris": colours["iris"],
        "lips": skin * [0.92, 0.62, 0.62],
        "mouth": np.array([0.25, 0.08, 0.08]),
        "trousers": colours["trousers"],
    }
    return np.stack([table[name] for name in LABELS]).astype(np.float32)


def _halve(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (COARSE, COARSE), interpolation=cv2.INTER_AREA)


def make_gbuffer(
    signer: DressedSigner, vertices: np.ndarray, camera: Camera, pose: np.ndarray, rng: np.random.Generator
) -> GBuffer:
    """Look at one frame.

    Args:
        signer: the signer.
        vertices: (V, 3) world, metres, the body's.
        camera: 512×512.
        pose: (512, 512, 3) uint8, the skeleton.
        rng: draws the range of depth, which at use is that of a whole clip.
    """
    shell = np.concatenate([part[0] for part in signer.outfit.positions(vertices[None])]).astype(np.float64)
    raster = rasterise(shell, signer.faces, camera)
    label, avatar = label_pixels(raster, signer)
    covered = raster.face >= 0
    toward = vertex_normals(shell, signer.faces) @ camera.R.T * [1, -1, -1]
    spread = np.zeros((*label.shape, 3), np.float32)
    spread[covered] = np.einsum("nk,nkc->nc", raster.weights[covered], toward[signer.faces[raster.face[covered]]])
    bright = light(spread, raster.depth)
    rendering = np.round(np.clip(avatar * bright[..., None], 0, 1) * 255).astype(np.uint8)
    span = depth_range(raster.depth) or (1.0, 2.0)
    near, far = span[0] - rng.uniform(0, 0.15), span[1] + rng.uniform(0, 0.08)
    depth = depth_picture(raster.depth, near, far)
    focus = np.full((3, 2), np.nan, np.float32)
    for row, chosen in enumerate(_parts(label, raster, signer)):
        if chosen.sum() > 150:
            y, x = np.nonzero(chosen)
            focus[row] = (x.mean() + 0.5) / 2, (y.mean() + 0.5) / 2
    return GBuffer(
        label=label,
        light=np.round(np.clip(bright * 200, 0, 255)).astype(np.uint8),
        pose=_halve(pose),
        canny=_halve(canny_picture(rendering))[..., 0],
        depth=_halve(depth)[..., 0],
        focus=focus,
    )


def _parts(label: np.ndarray, raster: Raster, signer: DressedSigner) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    side = np.zeros(label.shape, bool)
    covered = raster.face >= 0
    side[covered] = signer.rest[signer.faces[raster.face[covered], 0], 0] > 0
    hand = label == LABEL["hand"]
    face = np.isin(label, [LABEL[name] for name in ("face", "brow", "eye", "iris", "lips", "mouth")])
    return face, hand & side, hand & ~side


def crop_sums(picture: np.ndarray) -> np.ndarray:
    """Halve a picture (H, W, C) of even size by averaging cells of 2×2."""
    height, width, channels = picture.shape
    return picture.reshape(height // 2, 2, width // 2, 2, channels).mean(axis=(1, 3))


def palette_of(attributes: Attributes, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return the colours of a signer, varied a little by ``rng`` as dyes and skins vary, (14, 3)."""
    table = {name: np.array(values[getattr(attributes, name)]) for name, values in COLOURS.items()}
    table |= {"iris": np.array([0.25, 0.16, 0.10]), "trousers": np.array([0.16, 0.17, 0.22])}
    if rng is not None:
        for name, value in table.items():
            table[name] = np.clip(value * rng.uniform(0.94, 1.06) + rng.normal(0, 0.015, 3), 0.02, 1.0)
        irises = np.array([[0.25, 0.16, 0.10], [0.20, 0.30, 0.42], [0.25, 0.32, 0.22]])
        table["iris"] = irises[rng.integers(3)]
        table["trousers"] = rng.uniform(0.05, 0.4) * np.ones(3) + rng.normal(0, 0.03, 3).clip(-0.04, 0.1)
    return palette(table, attributes.sleeves)
