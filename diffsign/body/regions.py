"""Regions of the mesh, so that materials can be given to skin, lips, brows and eyes."""

from __future__ import annotations

import cv2
import numpy as np

from diffsign.body.anny import AnnyBody
from diffsign.body.landmarks import FaceSurface
from diffsign.body.parts import limb_regions


def _inside(outline: np.ndarray, middles: np.ndarray) -> np.ndarray:
    polygon = outline[:, :2].astype(np.float32)
    return np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y, _ in middles])


def face_regions(
    anny: AnnyBody, surface: FaceSurface, landmark_faces: np.ndarray, landmark_weights: np.ndarray
) -> np.ndarray:
    """Return the region (F,) of each triangle, one of :data:`diffsign.body.parts.REGIONS`.

    Limbs and trunk come from the skinning weights; on the head, lips and brows are drawn around the
    landmarks, the scalp begins where hair does, eyes and the inside of the mouth are parts of the mesh.

    Args:
        anny: the model.
        surface: the head.
        landmark_faces: (68,) faces of the iBUG points.
        landmark_weights: (68, 3) their weights.
    """
    vertices, faces = surface.vertices, anny.faces
    regions = limb_regions(surface.weights, faces)
    points = np.array([surface.place(f, w) for f, w in zip(landmark_faces, landmark_weights, strict=True)])
    middles = vertices[faces].mean(axis=1)
    place = np.argsort(anny.order)

    def of_part(part: np.ndarray) -> np.ndarray:
        chosen = np.zeros(len(vertices), dtype=bool)
        chosen[place[part]] = True
        return chosen[faces].all(axis=1)

    front = np.zeros(len(faces), dtype=bool)
    front[surface.front] = True
    head = regions == "head"
    cavity = of_part(anny.tongue) | _segments(anny, ["mouth_cavity", "tongue"])
    eyeballs = of_part(anny.dominant("eye.L")) | of_part(anny.dominant("eye.R"))

    mouth = points[48:60]
    lips = head & front & _inside(mouth, middles) & (middles[:, 2] > mouth[:, 2].min() - 0.012)
    brows = np.zeros(len(faces), dtype=bool)
    for brow in (points[17:22], points[22:27]):
        thickness = np.array([0.0, 0.0045, 0.0])
        outline = np.concatenate([brow + thickness * 0.4, (brow - thickness)[::-1]])
        brows |= head & front & _inside(outline, middles) & (middles[:, 2] > brow[:, 2].min() - 0.01)
    ears = vertices[[anny.landmarks["lear"], anny.landmarks["rear"]]].mean(axis=0)
    hairline = points[19, 1] + 0.045
    # The scalp: above the forehead, and behind the ears down to the nape.
    scalp = head & ~front & (middles[:, 2] < ears[2] + 0.012) & (middles[:, 1] > ears[1] - 0.045)
    scalp |= head & (middles[:, 1] > hairline - 0.35 * np.clip(points[27, 2] - middles[:, 2] - 0.045, 0, 0.1))
    ear_shells = np.abs(middles[:, 0]) > np.abs(vertices[anny.landmarks["lear"], 0]) - 0.004
    near_ears = np.linalg.norm((middles - ears)[:, 1:], axis=1) < 0.042
    scalp &= ~(ear_shells & near_ears)
    for name, chosen in (("scalp", scalp), ("brow", brows), ("lips", lips), ("mouth", cavity), ("eye", eyeballs)):
        regions[chosen] = name
    return regions


def _segments(anny: AnnyBody, labels: list[str]) -> np.ndarray:
    """Return which faces (F,) Anny's own segmentation gives one of ``labels``."""
    from anny.face_segmentation import get_face_segmentation_mask

    return get_face_segmentation_mask(anny.model, labels).numpy()
